"""Vectors of class names, for methods that read label text: from a language model, a file, or random as control."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError, did_you_mean

SOURCES = {
    "sentence": "all-MiniLM-L6-v2 sentence encoder, offline (extra: sentence)",
    "clip": "CLIP ViT-B/32 text tower (extra: open_clip); clip:NAME/PRETRAINED for another",
    "random": "independent random vectors, the control that knows nothing",
    "none": "no text",
    "FILE.npz": "vectors of your own: arrays names (K,) and emb (K, M)",
}

PROMPT = "a photo of a {}."
RANDOM_WIDTH = 512
FEWEST_TO_CENTRE = 8

# Everyday nouns whose mean stands for what all names share. With it, a name's vector depends on that name and the
# source alone: a class that joins later changes no other class, and one class alone does not become zero.
COMMON = """
person child dog cat horse cow bird fish insect tree flower grass leaf mountain river sea sky cloud road bridge
building house church room window door wall floor table chair bed lamp clock book paper pen phone computer screen
camera car bus train bicycle boat aeroplane wheel engine tool knife bottle cup plate food bread fruit apple
vegetable meat cake shirt shoe hat bag ball toy box rope metal wood stone glass water fire light shadow
""".split()  # noqa: SIM905


def vectors(
    names: Sequence[str], source: str, *, seed: int = 0, centre: bool = True
) -> tuple[NDArray[np.float32] | None, str]:
    """Unit vectors (C, M) float32 of class names, and a sentence about where they come from.

    Vectors of one source share a large common part (two unrelated CLIP names have a cosine near 0.8), so the mean is
    taken away before scaling to length 1: the mean of the whole file, or of a fixed list of everyday nouns for a
    language model. A file of fewer than 8 names is not centred: the mean would be the names themselves.

    Arguments:
        names: C class names; underscores count as blanks.
        source: one of `SOURCES`.
        seed: of the random control, whose vectors depend on the seed and the name only.
        centre: False keeps the common part.

    Returns:
        (vectors, description); (None, "none") for source "none".

    Raises:
        ManylabelError: for an unknown source, a missing extra, unreadable files, or names the file lacks.

    >>> table, about = vectors(["cat", "dog"], "random")
    >>> table.shape, about
    ((2, 512), 'random (control, seed 0)')
    """
    if source == "none":
        return None, "none"
    if source == "random":
        return unit(np.stack([random_vector(n, seed) for n in names])), f"random (control, seed {seed})"
    if source == "sentence":
        from manylabel.encoders.minilm import sentence_vectors

        return of_model(names, sentence_vectors, "sentence (all-MiniLM-L6-v2)", centre=centre)
    if source == "clip" or source.startswith("clip:"):
        from manylabel.encoders.clip_text import DEFAULT, load_clip

        which = source.partition(":")[2] or DEFAULT
        return of_model(names, load_clip(which, PROMPT), f"clip ({which}, {PROMPT!r})", centre=centre)
    if source.endswith(".npz"):
        return of_file(names, Path(source), centre=centre)
    raise ManylabelError(f"there is no text source {source!r}.{did_you_mean(source, SOURCES)}")


def of_model(
    names: Sequence[str],
    embed: Callable[[list[str]], NDArray[np.float32]],
    about: str,
    *,
    centre: bool,
) -> tuple[NDArray[np.float32], str]:
    """Vectors from `embed`, a function from sentences to (n, M)."""
    phrases = [plain(n) for n in names]
    if not centre:
        return unit(embed(phrases)), f"{about}, not centred"
    both = embed([*phrases, *COMMON])
    return unit(both[: len(names)] - both[len(names) :].mean(0)), f"{about}, centred on {len(COMMON)} common nouns"


def of_file(names: Sequence[str], file: Path, *, centre: bool) -> tuple[NDArray[np.float32], str]:
    """Vectors from an .npz with `names` (K,) and `emb` (K, M)."""
    listed, table = read_vectors(file)
    rows, loose = match(names, listed, file)
    taken = {n: table[row] for n, row in zip(names, rows, strict=True)}
    twice = sorted({n for n, v in zip(listed, table, strict=True) if n in taken and not np.array_equal(v, taken[n])})
    about = f"{file.name} ({len(listed)} names"
    about += f"; matched but for case and blanks: {', '.join(loose)}" if loose else ""
    about += f"; {', '.join(map(repr, twice))} listed twice, the first taken)" if twice else ")"
    if centre and len(listed) >= FEWEST_TO_CENTRE:
        return unit(table[rows] - table.mean(0)), f"{about}, centred on the file"
    return unit(table[rows]), f"{about}, not centred"


def read_vectors(file: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Names and vectors of the file, checked."""
    try:
        with np.load(file, allow_pickle=False) as data:
            missing = {"names", "emb"} - set(data.files)
            if missing:
                raise ManylabelError(
                    f"{file} has no array {' nor '.join(sorted(missing))}, it has {', '.join(data.files)};"
                    " text vectors need names (K,) and emb (K, M)"
                )
            listed, table = [str(n) for n in data["names"]], np.asarray(data["emb"], np.float32)
    except (OSError, ValueError) as error:
        if isinstance(error, ManylabelError):
            raise
        raise ManylabelError(f"{file} cannot be read as .npz: {error}") from error
    if table.ndim != 2 or len(table) != len(listed) or not np.isfinite(table).all():
        raise ManylabelError(f"{file}: emb must be finite and of shape ({len(listed)}, M), got {table.shape}")
    return listed, table


def match(names: Sequence[str], listed: Sequence[str], file: Path) -> tuple[list[int], list[str]]:
    """Rows of `names` in `listed`, and those matched only but for case, blanks, hyphens and underscores."""
    exact = {n: i for i, n in reversed(list(enumerate(listed)))}
    near = {fold(n): i for i, n in reversed(list(enumerate(listed)))}
    missing = [n for n in names if n not in exact and fold(n) not in near]
    if missing:
        hints = "; ".join(f"{n!r}{did_you_mean(n, listed)}".rstrip(".") for n in missing[:10])
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise ManylabelError(f"{file} has no vector for {len(missing)} of {len(names)} classes: {hints}{more}")
    loose = [f"{n!r} = {listed[near[fold(n)]]!r}" for n in names if n not in exact]
    return [exact[n] if n in exact else near[fold(n)] for n in names], loose


def fold(name: str) -> str:
    """A name without the differences that do not count.

    >>> fold("Traffic_Light") == fold("traffic-light") == fold(" traffic  light")
    True
    """
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def plain(name: str) -> str:
    """A class name as a person would write it: underscores become blanks."""
    return " ".join(name.replace("_", " ").split())


def random_vector(name: str, seed: int) -> NDArray[np.float32]:
    """(512,) normal values that depend on the seed and the name."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    generator = np.random.default_rng([seed, int.from_bytes(digest, "little")])
    return generator.standard_normal(RANDOM_WIDTH, dtype=np.float32)


def unit(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to length 1; a zero row stays zero."""
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return (table / np.where(length > 0, length, 1)).astype(np.float32)
