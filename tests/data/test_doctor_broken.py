"""A copy with more than 50 faults planted in it: the doctor reports each, on drawn pictures and on photographs."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manylabel import data
from manylabel.data.doctor import examine

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import broken_copy

REAL = Path(__file__).parents[2].parent / "shared" / "data"
NAMES = (
    "elephant", "umbrella", "bicycle", "suitcase", "keyboard", "mountain", "penguin", "lighthouse", "scissors",
    "tractor", "giraffe", "hammock", "lantern", "octopus", "pyramid", "rainbow", "sandwich", "telescope", "volcano",
    "waterfall", "xylophone", "zucchini", "doorbell", "notebook",
)  # fmt: skip
ODDS = (0.65, 0.5, 0.4, *np.full(21, 0.1))


def drawn(folder, wide):
    """70 pictures of coloured squares with labels of 24 classes, as a narrow or a wide file; all parts show all."""
    rng = np.random.default_rng(1)
    (folder / "images").mkdir(parents=True)
    rows = []
    for k in range(70):
        squares = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(squares).resize((64, 48), Image.Resampling.NEAREST).save(folder / f"images/{k:02}.jpg")
        own = [name for name, draw, odd in zip(NAMES, rng.random(24), ODDS) if draw < odd]
        own = list(NAMES[k // 2 * 6 :][:6]) if k < 8 else own or ["penguin"]
        rows.append((f"images/{k:02}.jpg", ("test", "val")[k % 2] if k < 8 else "train", own))
    if wide:
        lines = [f"{image},{part},{','.join(str(int(n in own)) for n in NAMES)}" for image, part, own in rows]
        text = "\n".join([f"image,split,{','.join(NAMES)}", *lines])
    else:
        text = "\n".join(["image,split,labels", *(f"{image},{part},{'|'.join(own)}" for image, part, own in rows)])
    (folder / "labels.csv").write_text(text + "\n")
    return folder / "labels.csv"


def check(labels, folder, **options):
    broken, planted = broken_copy.break_copy(labels, folder, **options)
    assert len(planted) >= 50
    assert len({one.kind for one in planted}) >= 25
    findings = broken_copy.report(broken)
    assert broken_copy.unreported(planted, findings) == []
    return planted, findings


@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
def test_every_planted_fault_is_reported(tmp_path, wide):
    labels = drawn(tmp_path / "sound", wide)
    planted, findings = check(labels, tmp_path / "broken")
    exact = ("missing", "empty", "damaged", "blank", "odd_size", "leak", "near_leak", "bomb", "unnamed_file")
    counts = {kind: sum(one.kind == kind for one in planted) for kind in exact}
    assert {one.kind: one.count for one in findings.findings if one.kind in counts} == counts, "and no more than these"


def test_the_sound_set_is_sound(tmp_path):
    labels = drawn(tmp_path / "sound", True)
    assert [one.kind for one in examine(data.read(labels)).findings if one.severity != "note"] == []


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["coco80", "ucmerced"])
def test_photographs(name, tmp_path):
    if not (REAL / name).exists():
        pytest.skip(f"../shared/data/{name} is not here")
    check(REAL / name / "labels.csv", tmp_path, huge=True)


def test_every_kind_stands_in_the_docs(tmp_path):
    docs = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text("utf-8")
    code = Path(examine.__code__.co_filename).parent / "doctoring"
    written = "".join(file.read_text("utf-8") for file in [*code.glob("about_*.py"), code / "families.py"])
    severities = r'"(?:error|warning|note)"'
    kinds = set(re.findall(rf'"(\w+)",\s*{severities}', written)) | {
        "missing",
        "empty",
        "bomb",
        "not_an_image",
        "damaged",
    }
    assert len(kinds) > 45
    assert {kind for kind in kinds if f"`{kind}`" not in docs} == set()


@pytest.mark.slow
def test_the_demo_data_as_folders(tmp_path):
    from manylabel.data import demo

    table = data.read(demo.build(tmp_path / "demo", progress=False))
    for row, c in zip(*table.labels.positives):
        place = tmp_path / "folders" / str(table.split[row]) / table.labels.names[c] / table.paths[row].name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(table.paths[row])
    found = examine(data.read(tmp_path / "folders"))
    shown = table.labels.present.any(axis=1)
    assert (found.kind, found.images, found.files.read) == ("folder", shown.sum(), shown.sum())
    counts = dict(zip(table.labels.names, table.labels.counts.tolist()))
    assert {c.name: sum(c.positives.values()) for c in found.classes} == counts
    assert [one.kind for one in found.findings if one.severity == "error"] == []
