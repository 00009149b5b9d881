"""How many re-saved photographs are recognised as copies of their originals, and what else is taken for a copy.

    python benchmarks/copies.py [DATA] [--photos 400] [--seed 0] [--out benchmarks/results/copies.csv]

DATA holds the folders coco80 and ucmerced with photographs in `images`; by default ../shared/data beside the project.
Of each set 400 photographs, drawn by the seed, are saved again and looked at beside the whole set, as the command
`audit --images` does. `recognised` counts those whose copy is found similar to the original itself; `flat` those that
cannot be, being of nearly one grey at 9 x 8 pixels. `other_pairs` counts pairs of different photographs that are
reported: among all originals in the first row of a set, of a copy with another photograph or its copy in the others.
Whether such a pair shows the same is for the eye: `--show FOLDER` puts those of the first row side by side.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from manylabel.audits.duplicates import FLAT, GREY, similar_images
from manylabel.audits.pictures import look
from results import write

SETS = ("coco80", "ucmerced")
QUALITY, SIZE = 60, 0.9
ACROSS, SIDE = 4, 200  # pairs in a row, and pixels of a picture, of what --show writes
Small = NDArray[np.uint8]


def untouched(image: Image.Image, path: Path) -> None:
    """The same pixels in another file: a control, all of which must be recognised."""
    image.save(path.with_suffix(".png"))


def pressed(image: Image.Image, path: Path) -> None:
    image.save(path.with_suffix(".jpg"), quality=QUALITY)


def shrunk(image: Image.Image, path: Path) -> None:
    smaller(image).save(path.with_suffix(".png"))


def both(image: Image.Image, path: Path) -> None:
    smaller(image).save(path.with_suffix(".jpg"), quality=QUALITY)


def mirrored(image: Image.Image, path: Path) -> None:
    """Left and right exchanged: what the hash is not made to find."""
    ImageOps.mirror(image).save(path.with_suffix(".png"))


def smaller(image: Image.Image) -> Image.Image:
    """At `SIZE` of its width and height, as editors do it."""
    width, height = (max(1, round(SIZE * side)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


CHANGES: dict[str, Callable[[Image.Image, Path], None]] = {
    "saved as PNG": untouched,
    f"JPEG of quality {QUALITY}": pressed,
    f"{SIZE:.0%} of the size": shrunk,
    f"{SIZE:.0%} of the size, JPEG of quality {QUALITY}": both,
    "mirrored": mirrored,
}


def looked(paths: Sequence[Path]) -> Small:
    """(N, 8, 9, 3) the small pictures; a file that cannot be read ends the bench."""
    seen = look(paths)
    if seen.problems:
        row, why = next(iter(seen.problems.items()))
        raise SystemExit(f"{paths[row]}: {why}")
    return seen.small


def flat(small: Small) -> NDArray[np.bool_]:
    """(N,) pictures of nearly one grey: `similar_images` finds none of them similar to any."""
    return np.asarray((small @ GREY).std(axis=(1, 2)) < FLAT)


def copies(paths: Sequence[Path], change: Callable[[Image.Image, Path], None]) -> Small:
    """(n, 8, 9, 3) the small pictures of changed copies, saved to a folder and read again."""
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(paths):
            with Image.open(path) as image:
                change(image.convert("RGB"), Path(folder) / f"{number:05}")
        return looked(sorted(Path(folder).iterdir()))


def recognised(originals: Small, changed: Small) -> int:
    """How many of n pictures are found similar to their own copies."""
    return sum(len(similar_images(np.stack(pair))) > 0 for pair in zip(originals, changed))


def other_pairs(whole: Small, chosen: NDArray[np.int64], changed: Small) -> int:
    """Pairs of a copy with another photograph of the set, or with the copy of another."""
    pairs = similar_images(np.concatenate([whole, changed]))
    shows = np.concatenate([np.arange(len(whole)), chosen])[pairs]
    return int(((pairs >= len(whole)).any(axis=1) & (shows[:, 0] != shows[:, 1])).sum())


def show(path: Path, pairs: Sequence[tuple[Path, Path]]) -> None:
    """A picture of the pairs, the two of each side by side."""
    sheet = Image.new("RGB", (ACROSS * (2 * SIDE + 20), -(-len(pairs) // ACROSS) * (SIDE + 20)), "white")
    for k, pair in enumerate(pairs):
        for place, file in enumerate(pair):
            with Image.open(file) as image:
                left = k % ACROSS * (2 * SIDE + 20) + place * SIDE
                sheet.paste(ImageOps.contain(image.convert("RGB"), (SIDE - 2, SIDE)), (left, k // ACROSS * (SIDE + 20)))
    sheet.save(path)


def measure(name: str, data: Path, photos: int, seed: int, folder: Path | None) -> list[dict[str, object]]:
    """The rows of one set."""
    paths = sorted((data / name / "images").glob("*.jpg"))
    if len(paths) < photos:
        raise SystemExit(f"{data / name / 'images'}: {photos} photographs (*.jpg) are needed, {len(paths)} are there")
    whole = looked(paths)
    pairs = similar_images(whole)
    if folder is not None and len(pairs):
        folder.mkdir(parents=True, exist_ok=True)
        show(folder / f"{name}.png", [(paths[a], paths[b]) for a, b in pairs])
    chosen = np.sort(np.random.default_rng(seed).choice(len(paths), photos, replace=False))
    rows: list[dict[str, object]] = [
        {"set": name, "change": "none", "photos": len(paths), "recognised": "", "flat": int(flat(whole).sum()),
         "other_pairs": len(pairs)}
    ]  # fmt: skip
    for what, change in CHANGES.items():
        changed = copies([paths[row] for row in chosen], change)
        found, others = recognised(whole[chosen], changed), other_pairs(whole, chosen, changed)
        rows.append({
            "set": name, "change": what, "photos": photos, "recognised": found,
            "flat": int(flat(whole[chosen]).sum()), "other_pairs": others,
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("data", nargs="?", type=Path, default=root.parent / "shared" / "data")
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=Path, metavar="FOLDER", help="write pictures of the pairs of originals here")
    parser.add_argument("--out", type=Path, default=root / "benchmarks" / "results" / "copies.csv")
    arguments = parser.parse_args()
    for name in SETS:
        if not (arguments.data / name / "images").is_dir():
            raise SystemExit(f"there is no folder {arguments.data / name / 'images'}: give the folder that holds it")
    asked = arguments.photos, arguments.seed, arguments.show
    write(arguments.out, [row for name in SETS for row in measure(name, arguments.data, *asked)])


if __name__ == "__main__":
    main()
