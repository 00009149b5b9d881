"""Train recipes/finetune, and set each head fine-tuned beside its frozen self and the others: `make bench-finetune`.

    python benchmarks/finetune.py

Writes benchmarks/results/finetune.csv and finetune-pairs.csv. On two cores a recipe takes about 20 minutes.
"""

from __future__ import annotations

from recipe_pairs import Pairs, Systems
from recipes import ROOT, run_recipe
from results import write

FOLDER = ROOT / "recipes" / "finetune"
HEADS = ("linear", "mlp", "mldecoder", "cprfl", "cprfl-linear")
VARIANTS = ("cprfl-linear-mixup", "linear-fast", "linear-layer-decay", "linear-plain", "linear-strong")


def tuned(head: str) -> str:
    return f"finetune-{head}"


def pairs() -> list[tuple[Systems, Systems]]:
    """Heads against their frozen selves; CPRFL's forms and sums against the others; variants against what they vary."""
    own: list[tuple[Systems, Systems]] = [((tuned(head),), (f"frozen192-{head}",)) for head in HEADS]
    rivals = [(tuned(head),) for head in HEADS[:3]]
    ours: list[Systems] = [("finetune-cprfl",), ("finetune-cprfl-linear",), ("finetune-cprfl", "finetune-linear")]
    between = [(one, rival) for one in ours for rival in rivals]
    varied = [((tuned(name),), (tuned(name.rsplit("-", 2 if "layer" in name else 1)[0]),)) for name in VARIANTS]
    return own + between + varied


def main() -> None:
    results = ROOT / "benchmarks" / "results"
    write(results / "finetune.csv", [row for file in sorted(FOLDER.glob("*.toml")) for row in run_recipe(file)])
    write(results / "finetune-pairs.csv", Pairs(FOLDER, "coco80-lt-").rows(pairs()))


if __name__ == "__main__":
    main()
