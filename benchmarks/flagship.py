"""Train recipes/flagship and compare the systems pair by pair on the same photographs: `make bench-flagship`.

    python benchmarks/flagship.py

Writes benchmarks/results/flagship.csv and flagship-pairs.csv.
"""

from __future__ import annotations

from recipe_pairs import Pairs, Systems
from recipes import ROOT, run_recipe
from results import write

FOLDER = ROOT / "recipes" / "flagship"
RIVALS: tuple[Systems, ...] = (
    ("ridge",), ("mlp",), ("mlp-mixup",), ("ridge", "mlp"), ("kernel-ridge",), ("kernel-ridge", "mlp"),
)  # fmt: skip
OURS = {"lt": ("cprfl-frozen", "auto"), "full": ("cprfl-frozen",)}


def pairs(subset: str) -> list[tuple[Systems, Systems]]:
    """Each of our systems against each rival and each sum of rivals, and against each other."""
    ours = OURS[subset]
    return [((one,), rival) for one in ours for rival in (*RIVALS, *((other,) for other in ours if other != one))]


def main() -> None:
    results = ROOT / "benchmarks" / "results"
    write(results / "flagship.csv", [row for file in sorted(FOLDER.glob("*.toml")) for row in run_recipe(file)])
    rows = [{"data": subset} | row for subset in OURS for row in Pairs(FOLDER, f"coco80-{subset}-").rows(pairs(subset))]
    write(results / "flagship-pairs.csv", rows)


if __name__ == "__main__":
    main()
