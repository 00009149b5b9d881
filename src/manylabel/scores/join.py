"""Scores and labels of two files put together: by the same image ids and class names, and by names that must mean the
same; what does not match is left aside and said."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, UNKNOWN, LabelTable, ManylabelError, did_you_mean
from manylabel.scores.file import ScoreFile
from manylabel.scores.top import TopFile
from manylabel.sparse import SparseLabels, TopScores

MOST_NEAR = 20  # more names without a partner are no misspellings

Steps = tuple[tuple[str, Callable[[str], str]], ...]


def join(file: ScoreFile, table: LabelTable, *, unlisted: int = UNKNOWN) -> ScoreFile:
    """The scores of the images and classes that labels are there for, with those labels.

    Ids and names match exactly or, where that leaves some, by the rules of `IMAGES` and `CLASSES`: each only where one
    scored and one labelled name agree. What finds no partner is left aside; all is said in `notes`.

    Arguments:
        file: the scores; table: the labels.
        unlisted: what a scored class is of which the labels do not speak: UNKNOWN leaves it aside, ABSENT (lists of
            labels that are complete) makes it absent from every image that was judged at all.

    Raises ManylabelError where no image or no class is left.

    >>> scores = ScoreFile(["photos/a.jpg", "b.jpg"], ["Cat", "sky"], [[0.9, 0.1], [0.2, 0.3]], "probability")
    >>> joined = join(scores, LabelTable.from_values([[1]], names=["cat"], ids=["a.jpg"]))
    >>> joined.ids.tolist(), joined.names.tolist(), joined.labels.tolist()
    (['photos/a.jpg'], ['Cat'], [[1]])
    """
    pair = Pair(file.ids.tolist(), file.names.tolist(), table)
    notes = (*file.notes, *pair.images_said(), *pair.classes_said(unlisted))
    images = np.flatnonzero(pair.rows >= 0)
    classes = np.flatnonzero((pair.columns >= 0) | (unlisted == ABSENT))
    labels = table.state[np.ix_(pair.rows[images], pair.columns[classes])]  # classes without a column are mended below
    for k in np.flatnonzero(pair.columns[classes] < 0):
        labels[:, k] = np.where(table.state[pair.rows[images]].any(axis=1), ABSENT, UNKNOWN)
    cells = np.ix_(images, classes)
    missing = None if file.missing is None else file.missing[cells]
    return ScoreFile(file.ids[images], file.names[classes], file.scores[cells], file.kind, labels, notes, missing)


def join_top(file: TopFile, table: LabelTable, *, unlisted: int = UNKNOWN) -> TopFile:
    """The same for lists; all scored classes are kept, being unknown where the labels do not speak of them.

    Where the file's vocabulary is not given (`TopFile.whole`), a labelled class that is in no list was scored below all
    that are, and is added. With `unlisted` ABSENT, images that nobody judged are left aside.
    """
    pair = Pair(file.ids.tolist(), file.names.tolist(), table)
    notes = [*file.notes, *pair.images_said(), *pair.classes_said(unlisted, added=not file.whole)]
    columns = pair.columns
    if not file.whole:
        extra = pair.unused(columns, len(table.names))
        file = file.widened([_free(table.names[c], file) for c in extra])
        columns = np.append(columns, np.array(extra, np.int64))
    images = np.flatnonzero(pair.rows >= 0)
    if unlisted == ABSENT:
        judged = (table.state[pair.rows[images]] != UNKNOWN).any(axis=1)
        if not judged.all():
            notes.append(f"{_many(int((~judged).sum()), 'image')} that nobody judged left aside")
        images = images[judged]
    labels = _sparse(table.state[pair.rows[images]], columns, unlisted)
    top = TopScores(file.top.columns[images], file.top.scores[images], len(file.names))
    return replace(file, ids=file.ids[images], top=top, labels=labels, notes=tuple(notes))


class Pair:
    """Which scored images and classes are which of the labels: `rows` and `columns`, -1 for none."""

    def __init__(self, ids: list[str], names: list[str], table: LabelTable) -> None:
        self.ids, self.names, self.table = ids, names, table
        self.rows, self._by_rule = match(ids, table.ids, IMAGES)
        self.columns, self._by_name = match(names, table.names, CLASSES)
        for what, found, wanted, there in (
            ("image", self.rows, ids, table.ids), ("class", self.columns, names, table.names),
        ):  # fmt: skip
            if not (found >= 0).any():
                raise ManylabelError(
                    f"no scored {what} has labels: the scores hold {_some(wanted, quoted=True)}, the labels"
                    f" {_some(there, quoted=True)}. Both files must call {_PLURAL[what]} by the same names"
                )

    @staticmethod
    def unused(found: NDArray[np.int64], number: int) -> list[int]:
        """Positions among `number` that nothing was matched with."""
        return sorted(set(range(number)) - set(found.tolist()))

    def images_said(self) -> list[str]:
        """What was matched how, and left aside, of the images."""
        notes = [f"images: {note}" for note in self._by_rule]
        lost = [self.ids[k] for k in np.flatnonzero(self.rows < 0)]
        if lost:
            notes.append(f"{_many(len(lost), 'scored image')} without labels left aside: {_some(lost)}")
        return notes + self._labelled("image", self.rows, self.table.ids)

    def classes_said(self, unlisted: int, *, added: bool = False) -> list[str]:
        """The same of the classes; `added` says that labelled ones without scores are not left aside."""
        notes = [f"classes: {note}" for note in self._by_name]
        lost = [self.names[k] for k in np.flatnonzero(self.columns < 0)]
        if lost and unlisted == ABSENT:
            notes.append(f"{_many(len(lost), 'scored class')} listed for no image, so absent from all: {_some(lost)}")
        elif lost:
            notes.append(f"{_many(len(lost), 'scored class')} without labels left aside: {_some(lost)}")
        if 0 < len(lost) <= MOST_NEAR:
            notes[-1] += _near(lost[0], [self.table.names[c] for c in self.unused(self.columns, len(self.table.names))])
        rest = self._labelled("class", self.columns, self.table.names)
        return notes + [note.replace("without scores left aside", "in no list, scored below all that are")
                        if added else note for note in rest]  # fmt: skip

    def _labelled(self, what: str, found: NDArray[np.int64], there: Sequence[str]) -> list[str]:
        rest = [there[int(k)] for k in self.unused(found, len(there))]
        return [f"{_many(len(rest), f'labelled {what}')} without scores left aside: {_some(rest)}"] if rest else []


def match(wanted: Sequence[str], there: Sequence[str], steps: Steps) -> tuple[NDArray[np.int64], list[str]]:
    """((W,) position among `there` of each wanted word, -1 for none; what was matched by another rule than equality).

    A rule matches two words where no other wanted word, and no other of those there, has the same key.
    """
    index = {word: k for k, word in enumerate(there)}
    found = np.array([index.get(word, -1) for word in wanted], np.int64)
    notes = []
    for rule, key in steps:
        if (found >= 0).all():
            break
        mine, theirs = [key(word) for word in wanted], [key(word) for word in there]
        once = {word for word, number in Counter(mine).items() if number == 1}
        once &= {word for word, number in Counter(theirs).items() if number == 1}
        place, used = {word: k for k, word in enumerate(theirs) if word in once}, set(found.tolist())
        new = [k for k in np.flatnonzero(found < 0) if mine[k] in once and place[mine[k]] not in used]
        for k in new:
            found[k] = place[mine[k]]
        if new:
            example = f"{wanted[int(new[0])]!r} = {there[int(found[new[0]])]!r}"
            notes.append(f"{len(new):,} matched by {rule}, such as {example}")
    return found, notes


def _slashes(path: str) -> str:
    return unicodedata.normalize("NFC", path.strip()).replace("\\", "/").removeprefix("./")


def _tidy(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))


IMAGES: Steps = (
    ("path, slashes and blanks aside", _slashes),
    ("file name without folder", lambda path: PurePosixPath(_slashes(path)).name),
    ("file name without folder and ending", lambda path: PurePosixPath(_slashes(path)).stem),
    ("file name without folder, ending and capitals", lambda path: PurePosixPath(_slashes(path)).stem.casefold()),
)
CLASSES: Steps = (
    ("name, blanks aside", _tidy),
    ("name, capitals aside", lambda name: _tidy(name).casefold()),
    ("name, capitals, blanks and hyphens aside", lambda name: re.sub(r"[\s_\-./]+", "", _tidy(name).casefold())),
)


def _near(word: str, free: list[str]) -> str:
    """A question at the end of a note where a free name is near."""
    hint = did_you_mean(word, free[:5000]).split("?")[0]
    return hint.replace(" Did you mean", f". Is {word!r} the labels'") + "?" if "Did you mean" in hint else ""


_PLURAL = {"image": "images", "class": "classes"}


def _many(number: int, what: str) -> str:
    """A number with its noun.

    >>> _many(1, "scored class"), _many(1200, "scored class")
    ('1 scored class', '1,200 scored classes')
    """
    lead, _, noun = what.rpartition(" ")
    return f"{number:,} {what if number == 1 else f'{lead} {_PLURAL[noun]}'.strip()}"


def _some(words: Sequence[str], *, quoted: bool = False) -> str:
    if not words:
        return "none"
    shown = ", ".join(repr(word) if quoted else word for word in words[:3])
    return shown + (", ..." if len(words) > 3 else "")


def _free(name: str, file: TopFile) -> str:
    """The name, unless a scored class of another meaning has it."""
    return f"{name} (labels)" if name in file.names else name


def _sparse(state: NDArray[np.int8], columns: NDArray[np.int64], unlisted: int) -> SparseLabels:
    """Labels (N, L) of a table as lists over scored classes, whose place in the table is `columns` or -1 for none.

    What is not listed is unknown where some class has no place and so must be, else the commoner state.
    """
    default = ABSENT
    if unlisted == UNKNOWN and ((columns < 0).any() or (state == UNKNOWN).sum() > (state == ABSENT).sum()):
        default = UNKNOWN
    place = np.full(state.shape[1], -1, np.int64)
    place[columns[columns >= 0]] = np.flatnonzero(columns >= 0)
    rows, cells = np.nonzero(state != default)
    rows, cells = rows[place[cells] >= 0], cells[place[cells] >= 0]
    order = np.lexsort((place[cells], rows))
    starts = np.searchsorted(rows, np.arange(len(state) + 1))
    return SparseLabels(starts, place[cells][order].astype(np.int32), state[rows, cells][order], len(columns), default)
