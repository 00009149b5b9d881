"""The arms of the ablation bench: each changes one thing of `base`, and names the claim of the article it tests.

Data only; `ablation.py` trains them. An override is laid over BASE, section by section: `method` and `train` are the
options of `manylabel train --set`, `encoder` and `text` those listed below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Arm:
    """One row of the table.

    Arguments:
        name: also the folder of its runs.
        section: what the row is listed under.
        overrides: section -> option -> value.
        claim: what the article says of the option, or "".
        expected: what the claim makes this arm do against base: "helps", "hurts", or "" where there is no claim.
        measure: the number that the claim is about: "total" or "tail".
    """

    name: str
    section: str
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    claim: str = ""
    expected: str = ""
    measure: str = "total"


METHOD, PRESET = "cprfl", "small"

BASE: dict[str, dict[str, Any]] = {
    "method": {"width": 128, "heads": 2, "head_width": 64, "hidden": 128},
    "train": {"epochs": 5, "patience": 0, "batch_size": 32},  # as good on validation as the preset's 8 epochs of 64
    "encoder": {"name": "efficientnet_lite0", "image_size": None, "flip": False},
    # source: clip, sentence, glove or random; shuffled: every class gets another class's vector
    "text": {"source": "clip", "centre": True, "shuffled": False},
}

# The published forms at this width: their options, with d = 2048 scaled to 128.
PAPER = {"heads": 1, "head_width": 128, "norm": False, "scale": "model", "reduction": "sum"}
PUBLISHED_CODE = {"heads": 8, "head_width": 32, "dropout": 0.1, "train_text": True}  # inner width 2 d, as theirs

LONGER, LONG = "three times as long", {"epochs": 15}

TEXT = "label text carries knowledge of the classes, worth most in the tail"
PATHS = "prompts learn best along both paths"
PI = "prompts need a nonlinear network"
LOSS = "the asymmetric loss beats cross-entropy"

ARMS = (
    Arm("base", "base"),
    # article against published code, whole and option by option
    Arm("paper", "published forms", {"method": PAPER}),
    Arm("published-code", "published forms", {"method": PUBLISHED_CODE}),
    Arm("no-norm", "published forms", {"method": {"norm": False}}),
    Arm("scale-model", "published forms", {"method": {"scale": "model"}}),
    Arm("sum", "published forms", {"method": {"reduction": "sum"}}),
    Arm("train-text", "published forms", {"method": {"train_text": True}}),
    Arm("dropout-0.1", "published forms", {"method": {"dropout": 0.1}}),
    Arm("dropout-0.3", "published forms", {"method": {"dropout": 0.3}}),
    # where label vectors come from
    Arm("text-sentence", "text", {"text": {"source": "sentence"}}),
    Arm("text-glove", "text", {"text": {"source": "glove"}}, "CLIP text beats GloVe", "hurts"),
    Arm("text-shuffled", "text", {"text": {"shuffled": True}}, TEXT, "hurts", "tail"),
    Arm("text-random", "text", {"text": {"source": "random"}}, TEXT, "hurts", "tail"),
    Arm("text-not-centred", "text", {"text": {"centre": False}}),
    # which way gradients reach the prompts, and through what network
    Arm("no-token-path", "paths", {"method": {"token_path": False}}, PATHS, "hurts"),
    Arm("no-classifier-path", "paths", {"method": {"classifier_path": False}}, PATHS, "hurts"),
    Arm("linear-pi", "paths", {"method": {"linear_pi": True}}, PI, "hurts"),
    Arm("bce", "loss", {"method": {"objective": "bce"}}, LOSS, "hurts"),
    Arm("focal", "loss", {"method": {"gamma_negative": 2.0, "gamma_positive": 2.0, "clip": 0.0}}),
    Arm("gamma-negative-2", "loss", {"method": {"gamma_negative": 2.0}}),
    Arm("gamma-positive-1", "loss", {"method": {"gamma_positive": 1.0}}),
    Arm("clip-0", "loss", {"method": {"clip": 0.0}}),
    Arm("no-detach", "loss", {"method": {"detach": False}}),
    Arm("residual", "residuals", {"method": {"residual": True}}),
    Arm("residual-depth-2", "residuals", {"method": {"residual": True, "depth": 2}}),
    Arm("depth-2", "residuals", {"method": {"depth": 2}}),
    Arm("unit-text", "token scaling", {"method": {"text_scale": 1.0}}),
    Arm("heads-1", "heads", {"method": {"heads": 1, "head_width": 128}}),
    Arm("heads-4", "heads", {"method": {"heads": 4, "head_width": 32}}),
    Arm("head-width-32", "heads", {"method": {"head_width": 32}}),
    Arm("head-width-128", "heads", {"method": {"head_width": 128}}),
    Arm("width-64", "width", {"method": {"width": 64}}),
    Arm("width-256", "width", {"method": {"width": 256}}),
    Arm("width-512", "width", {"method": {"width": 512}}),
    Arm("hidden-64", "width", {"method": {"hidden": 64}}),
    Arm("hidden-512", "width", {"method": {"hidden": 512}}),
    Arm("tau-0.25", "width", {"method": {"tau": 0.25}}),
    Arm("tau-1", "width", {"method": {"tau": 1.0}}),
    Arm("tau-2", "width", {"method": {"tau": 2.0}}),
    Arm("ema-0", "weight average", {"train": {"ema": 0.0}}),
    Arm("ema-0.9", "weight average", {"train": {"ema": 0.9}}),
    Arm("ema-0.999", "weight average", {"train": {"ema": 0.999}}),
    Arm("batch-16", "batch size", {"train": {"batch_size": 16}}),
    Arm("batch-64", "batch size", {"train": {"batch_size": 64}}),
    Arm("batch-128", "batch size", {"train": {"batch_size": 128}}),
    # what the article does not have
    Arm("apart", "beyond the article", {"method": {"interact": False}}),
    Arm("mixup-0.2", "beyond the article", {"method": {"mixup": 0.2}}),
    Arm("mixup-1", "beyond the article", {"method": {"mixup": 1.0}}),
    Arm("members-3", "beyond the article", {"method": {"members": 3}}),
    Arm("anchor-linear", "beyond the article", {"method": {"anchor": "linear"}}),
    Arm("anchor-ridge", "beyond the article", {"method": {"anchor": "ridge"}}),
    Arm("anchor-kernel", "beyond the article", {"method": {"anchor": "kernel"}}),
    Arm("anchor-kernel-mixup", "beyond the article", {"method": {"anchor": "kernel", "mixup": 0.2}}),
    Arm("anchor-kernel-members-3", "beyond the article", {"method": {"anchor": "kernel", "members": 3}}),
    # five epochs favour what learns fast: the widest differences again, with three times as many
    Arm("longer", LONGER, {"train": LONG}),
    Arm("longer-text-random", LONGER, {"train": LONG, "text": {"source": "random"}}),
    Arm("longer-bce", LONGER, {"train": LONG, "method": {"objective": "bce"}}),
    Arm("longer-no-token-path", LONGER, {"train": LONG, "method": {"token_path": False}}),
    Arm("longer-residual", LONGER, {"train": LONG, "method": {"residual": True}}),
    Arm("longer-unit-text", LONGER, {"train": LONG, "method": {"text_scale": 1.0}}),
    # other features: last, because they are encoded first
    Arm("flip", "encoder", {"encoder": {"flip": True}}),
    Arm("patches-320", "encoder", {"encoder": {"image_size": 320}}),
    Arm("lite1", "encoder", {"encoder": {"name": "efficientnet_lite1"}}),
    Arm("lite2", "encoder", {"encoder": {"name": "efficientnet_lite2"}}),
)

# Comparisons of two arms neither of which is base: arm, the arm it is set against, section.
PAIRS = (
    ("paper", "published-code", "published forms"),
    ("text-shuffled", "text-random", "text"),
    ("text-sentence", "text-glove", "text"),
    *((arm.name, "longer", LONGER) for arm in ARMS if arm.name.startswith("longer-")),
)
