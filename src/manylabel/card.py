"""The model card: README.md of a model folder, written from what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from manylabel.classes import Classes

HEADLINE = (
    ("map", "mAP"), ("map_head", "mAP of classes with 100 training positives or more"),
    ("map_medium", "mAP of classes with 20 to 99"), ("map_tail", "mAP of classes with fewer than 20"),
    ("cf1", "CF1 at the thresholds"), ("of1", "OF1 at the thresholds"), ("ece", "expected calibration error"),
)  # fmt: skip
FEW = 10
WORDS = {"test": "test images", "val": "validation images, on which choices were made too"}


def write(classes: Classes, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The text of the card; numbers that were not measured are not there."""
    parts = [front(config, metrics), "# Multi-label image classifier", _what(classes, config), USE]
    parts += [_measured(metrics), _weak(metrics)] if metrics.get("part") else []
    parts += [_decisions(classes), _classes(classes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def front(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The block of facts that the hub reads; it is JSON, which every reader of YAML understands."""
    facts: dict[str, Any] = {
        "library_name": "manylabel", "pipeline_tag": "image-classification",
        "tags": ["multi-label", "image-classification", "manylabel", config["method"]["name"]],
    }  # fmt: skip
    found = [
        {"type": key, "name": words, "value": round(metrics[key], 4)}
        for key, words in HEADLINE if isinstance(metrics.get(key), int | float)
    ]  # fmt: skip
    if found and metrics.get("part"):
        result = {
            "task": {"type": "image-classification", "name": "multi-label image classification"},
            "dataset": {"type": "private", "name": f"{metrics['images']} {metrics['part']} images"}, "metrics": found,
        }  # fmt: skip
        facts["model-index"] = [{"name": f"manylabel {config['method']['name']}", "results": [result]}]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    return "\n".join(["---", *lines, "---"])


def _what(classes: Classes, config: Mapping[str, Any]) -> str:
    encoder = config["encoder"]
    trained = "trained too" if encoder["finetune"] else "frozen"
    return (
        f"Says which of {len(classes):,} classes are in a photograph: any number of them, none included. Method"
        f" `{config['method']['name']}` on the encoder `{encoder['name']}` ({trained}, {encoder['image_size']} pixels),"
        f" trained on {classes.images:,} images; text of the labels: {classes.text_source}."
        " A label that is unknown was never taken for absent."
    )


USE = """## Use

```python
import manylabel

model = manylabel.load("path/of/this/folder")
for prediction in model.predict(["photo.jpg"]):
    print(prediction.labels, prediction.probabilities)
```

or `manylabel predict path/of/this/folder photo.jpg`. Each image is squashed to a square by antialiased bilinear
resampling of its upright RGB pixels."""


def _measured(metrics: Mapping[str, Any]) -> str:
    rows = [f"| {words} | {_number(metrics.get(key))} |" for key, words in HEADLINE if key in metrics]
    told = f"On {metrics['images']:,} {WORDS[metrics['part']]}"
    share = metrics.get("unknown_share") or 0
    told += f"; {100 * share:.1f} % of their labels are unknown and left out" if share else ""
    empty = metrics.get("classes_without_positives") or 0
    told += f"; {empty:,} classes without a positive there are not judged" if empty else ""
    return "\n".join(["## Measured", "", f"{told}.", "", "| | |", "|---|---|", *rows])


def _weak(metrics: Mapping[str, Any]) -> str:
    """The classes it knows worst: whoever uses the model wants to know these first."""
    judged = [row for row in metrics.get("per_class", []) if row.get("ap") is not None]
    worst = sorted(judged, key=lambda row: row["ap"])[:FEW]
    rows = [
        f"| {_cell(row['name'])} | {_number(row['ap'])} | {row['train_positives']} | {row['test_positives']} |"
        for row in worst
    ]
    head = ["| class | AP | training positives | positives measured on |", "|---|---|---|---|"]
    return "\n".join([f"## The {len(worst)} weakest classes", "", *head, *rows]) if worst else ""


def _decisions(classes: Classes) -> str:
    rule = classes.decision.get("rule", "none")
    kept = classes.guarantee.get("recall")
    told = f"Each class has its own threshold, chosen by the rule `{rule}`; probabilities are calibrated on validation."
    if kept:
        told += (
            f" Thresholds that guarantee a recall of 0.50 to 0.99 on images like those of validation rest on"
            f" {kept['images']:,} of them (`manylabel predict --guarantee recall=0.9`)."
        )
    return f"## Decisions\n\n{told}"


def _classes(classes: Classes) -> str:
    return "## Classes\n\n" + ", ".join(_cell(name) for name in classes.names)


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "not defined"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
