"""Votes of simulated annotators and sources, and what most of them say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.beside import Cells
from manylabel.data.conditions._change import Mask, rebuilt, table_needed
from manylabel.data.conditions._draw import Draws, row_blocks
from manylabel.data.dataset import Dataset
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError

MOST = 50_000_000  # votes; each takes 32 bytes
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Voters:
    """How A voters judge.

    Arguments:
        names: (A,) of the voters.
        sensitivity, specificity: (C,) in [0, 1], how often present is called present, and absent absent.
        abstain: (C,) in [0, 1], how often nothing is said.
        copies: in [0, 1], how often a voter says (or leaves unsaid) what the first does, right or wrong.
    """

    names: Sequence[str]
    sensitivity: Floats
    specificity: Floats
    abstain: Floats
    copies: float = 0.0


def vote(dataset: Dataset, rows: Mask, draws: Draws, voters: Voters, name: str) -> tuple[Dataset, int, int]:
    """(the dataset with votes beside it and the majority in its table, votes, known cells with a wrong majority).

    Only known cells are voted on; a cell in which as many say present as absent, or nobody says anything, is unknown.
    """
    state = table_needed(dataset, name, "every known cell would be voted on, the absent ones too; take fewer classes")
    truth, facts, wrong = dataset.labels.state, [], 0
    _check_size(truth, rows, voters)
    for some in row_blocks(truth.shape):
        known = (truth[some] != UNKNOWN) & rows[some, None]
        said = _said(truth[some], known, draws, some.start, voters)  # (A, R, C)
        majority = np.sign(said.sum(axis=0, dtype=np.int16)).astype(np.int8)
        wrong += int((known & (majority == -truth[some])).sum())
        state[some] = np.where(rows[some, None], majority, truth[some])
        voter, images, columns = np.nonzero(said)
        facts.append((images + some.start, columns, voter, said[voter, images, columns]))
    made = _with_votes(replace(dataset, labels=rebuilt(dataset.labels, state)), facts, voters.names)
    return made, sum(len(one[0]) for one in facts), wrong


def _check_size(truth: NDArray[np.int8], rows: Mask, voters: Voters) -> None:
    known = np.zeros(truth.shape[1])
    for some in row_blocks(truth.shape):
        known += ((truth[some] != UNKNOWN) & rows[some, None]).sum(axis=0)
    expected = len(voters.names) * float((known * (1 - voters.abstain)).sum())
    if expected > MOST:
        raise ManylabelError(
            f"about {expected:,.0f} votes would be made, {32 * expected / 2**30:,.0f} GiB of them, and at most {MOST:,}"
            " can be: take fewer images or voters, or let them abstain more"
        )


def _said(truth: NDArray[np.int8], known: Mask, draws: Draws, start: int, voters: Voters) -> NDArray[np.int8]:
    """(A, R, C) what each voter says of the known cells (R, C) of the rows from `start` on.

    Three streams a voter: whether it is right, whether it speaks, and whether it says what the first one says; the
    first and the last are drawn only where they matter.
    """
    right = np.where(truth == PRESENT, voters.sensitivity, voters.specificity)
    found = np.zeros((len(voters.names), *truth.shape), np.int8)
    for a, own in enumerate(found):
        speaks = draws.block(slice(start, start + len(truth)), stream=3 * a + 1) >= voters.abstain
        cells = np.nonzero(speaks & known)
        correct = draws.cells(cells[0] + start, cells[1], stream=3 * a) < right[cells]
        own[cells] = np.where(correct, truth[cells], -truth[cells])
        if a and voters.copies:
            cells = np.nonzero(found[0] | own)
            copied = draws.cells(cells[0] + start, cells[1], stream=3 * a + 2) < voters.copies
            own[cells] = np.where(copied, found[0][cells], own[cells])
    return found


def _with_votes(dataset: Dataset, facts: Sequence[tuple[NDArray[np.generic], ...]], names: Sequence[str]) -> Dataset:
    """The dataset with more votes and those who gave them."""
    beside = dataset.beside
    if taken := [name for name in names if name in beside.annotators]:
        raise ManylabelError(f"{dataset.source} has votes of {taken[0]!r} already; this can be done only once")
    rows, columns, voter, states = (np.concatenate(part) for part in zip(*facts))
    values = np.stack([voter + len(beside.annotators), states], axis=1).astype(np.int64)
    if beside.votes is not None:
        old = beside.votes
        rows, columns = np.concatenate([old.rows, rows]), np.concatenate([old.columns, columns])
        values = np.concatenate([old.values, values])
    cells = Cells(rows, columns, values)
    return replace(dataset, beside=replace(beside, votes=cells, annotators=(*beside.annotators, *names)))
