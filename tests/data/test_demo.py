"""The demo data: the plan's counts, the pictures' promises, and builds that repeat, resume and refuse."""

import builtins
import csv
import functools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manylabel.data import demo
from manylabel.data.demo import drawings, layout, scenes
from manylabel.labels import ManylabelError

SMALL = {"train": 30, "val": 10, "test": 10}


@pytest.fixture(scope="module")
def glyphs():
    pytest.importorskip("resvg_py", reason="needs the extra `demo`")
    return drawings.load()


@pytest.fixture
def small(monkeypatch, glyphs):
    """Builds of 50 scenes, with the drawings rendered once for all tests."""
    monkeypatch.setattr(layout, "IMAGES", SMALL)
    monkeypatch.setattr(drawings, "load", lambda: glyphs)


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# The plan

planned = functools.cache(layout.plan)


def test_training_counts_follow_the_zipf_plan():
    plan = planned(0)
    counts = (plan.state[plan.split == "train"] == 1).sum(axis=0)
    wanted = layout.zipf(round(layout.IMAGES["train"] * layout.CLASSES_PER_IMAGE))
    assert np.abs(counts - wanted).max() <= 5
    shown = plan.labels.present[plan.split == "train"].sum(axis=0)
    assert (shown >= 100).sum() >= 10
    assert ((shown >= 20) & (shown < 100)).sum() >= 20
    assert (shown < 20).sum() >= 12
    assert shown.min() >= 5


def test_every_class_can_be_measured():
    plan = planned(0)
    for part in ("val", "test"):
        assert (plan.state[plan.split == part] == 1).sum(axis=0).min() >= 8


def test_hidden_cells_are_a_tenth_of_training_and_of_both_signs():
    plan = planned(0)
    train = plan.split == "train"
    assert not plan.hidden[~train].any()
    for state in (1, -1):
        assert plan.hidden[train][plan.state[train] == state].mean() == pytest.approx(0.1, abs=0.01)


def test_scenes_show_one_to_six_classes_of_a_theme():
    plan = planned(0)
    present = plan.state == 1
    assert set(present.sum(axis=1)) <= set(range(1, 7))
    cow, horse, computer = (drawings.NAMES.index(name) for name in ("cow", "horse", "computer"))
    horse_by_cow = present[present[:, cow], horse].mean()
    assert horse_by_cow > 4 * present[:, horse].mean()  # themes make classes meet
    assert horse_by_cow > 4 * present[present[:, computer], horse].mean()
    own = {name: themes.split(", ") for name, themes, _ in drawings.CLASSES}
    inside = [plan.theme[i] in own[drawings.NAMES[c]] for i, c in zip(*np.nonzero(present))]
    assert 0.8 < np.mean(inside) < 0.99  # and some are met where nobody expects them


def test_plan_depends_on_the_seed_alone(monkeypatch):
    monkeypatch.setattr(layout, "IMAGES", SMALL)
    assert (layout.plan(3).state == layout.plan(3).state).all()
    assert (layout.plan(3).state != layout.plan(4).state).any()


def test_no_drawing_serves_two_classes():
    words = [word for _, _, drawn in drawings.CLASSES for word in drawn.split()] + drawings.OTHERS.split()
    assert len(words) == len(set(words))


# The scenes


def test_every_object_stays_visible(glyphs):
    classes, _ = glyphs
    objects = [(i, classes[i][0]) for i in (1, 2, 4, 6, 8, 11)]
    overlapped = 0
    for seed in range(12):
        picture, placed = scenes.compose("room", objects, np.random.default_rng(seed))
        assert picture.size == (scenes.SIZE, scenes.SIZE)
        assert [o.label for o in placed] == [label for label, _ in objects]
        assert min(o.visible for o in placed) >= scenes.MIN_VISIBLE
        overlapped += sum(o.visible < 0.95 for o in placed)
        for x, y, width, height in (o.box for o in placed):
            assert 0 <= x <= x + width <= scenes.SIZE
            assert 0 <= y <= y + height <= scenes.SIZE
    assert overlapped > 0


def test_visible_share_counts_covered_and_cropped_pixels():
    canvas = scenes.Canvas(Image.new("RGB", (scenes.SIZE, scenes.SIZE)))
    square = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    ink = np.ones((40, 40), bool)
    canvas.put(square, 0, 100, 100)
    assert not canvas.fits(ink, 110, 100)  # would leave a quarter of the first
    assert canvas.fits(ink, 124, 100)  # leaves 0.6 of it
    assert not canvas.fits(ink, -20, 0)  # half outside
    canvas.put(square, 1, 124, 100)
    assert canvas.visible().tolist() == [0.6, 1.0]


# The files


def test_same_bytes_whatever_the_threads(tmp_path, small, monkeypatch):
    monkeypatch.setattr(demo, "THREADS", 1)
    demo.build(tmp_path / "one", progress=False)
    monkeypatch.setattr(demo, "THREADS", 3)
    demo.build(tmp_path / "three", progress=False)
    demo.build(tmp_path / "other", seed=1, progress=False)
    one, three, other = (content(tmp_path / name) for name in ("one", "three", "other"))
    assert one == three
    assert one["labels.csv"] != other["labels.csv"]
    assert one["images/train-0000.jpg"] != other["images/train-0000.jpg"]


def test_labels_are_what_the_boxes_show(tmp_path, small):
    labels = demo.build(tmp_path, progress=False)
    coco = json.loads((tmp_path / "boxes.json").read_text())
    shown = {(o["image_id"], o["category_id"]) for o in coco["annotations"]}
    rows = list(csv.DictReader(labels.read_text().splitlines()))
    assert [c["name"] for c in coco["categories"]] == list(rows[0])[2:] == list(drawings.NAMES)
    assert {row["split"] for row in rows} == set(SMALL)
    hidden = 0
    for i, row in enumerate(rows):
        assert (tmp_path / row["image"]).is_file()
        for c, name in enumerate(drawings.NAMES):
            hidden += row[name] == ""
            assert row[name] in ("", "1" if (i, c) in shown else "0")
    assert hidden == round(0.1 * SMALL["train"] * len(drawings.NAMES))
    assert all(o["visible"] >= 0.35 for o in coco["annotations"])


def test_a_complete_build_is_kept_and_a_damaged_one_made_anew(tmp_path, small, monkeypatch):
    demo.build(tmp_path, progress=False)
    before = content(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(demo, "_scene", lambda *_: pytest.fail("drawn again"))
        demo.build(tmp_path, progress=False)
    (tmp_path / "images" / "val-0003.jpg").unlink()
    demo.build(tmp_path, progress=False)
    assert content(tmp_path) == before


def test_an_interrupted_build_is_begun_anew(tmp_path, small, monkeypatch):
    draw = demo._scene

    def killed(plan, index, *rest):
        if index == 15:
            raise KeyboardInterrupt
        return draw(plan, index, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(demo, "_scene", killed)
        with pytest.raises(KeyboardInterrupt):
            demo.build(tmp_path / "a", progress=False)
    assert (tmp_path / "a" / "images" / "train-0000.jpg").is_file()
    assert not (tmp_path / "a" / "complete.json").exists()
    demo.build(tmp_path / "a", progress=False)
    demo.build(tmp_path / "b", progress=False)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_somebodys_own_folder_is_left_alone(tmp_path, small):
    (tmp_path / "labels.csv").write_text("image,cat\na.jpg,1\n")
    (tmp_path / "ATTRIBUTION.txt").write_text("photos by me\n")
    with pytest.raises(ManylabelError, match="holds other files"):
        demo.build(tmp_path, progress=False)
    assert (tmp_path / "labels.csv").read_text() == "image,cat\na.jpg,1\n"
    with pytest.raises(ManylabelError, match="is a file"):
        demo.build(tmp_path / "labels.csv", progress=False)


def test_a_missing_package_names_the_cure(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args):
        if name == "resvg_py":
            raise ModuleNotFoundError("No module named 'resvg_py'", name="resvg_py")
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ManylabelError, match=r"resvg_py.*pip install 'manylabel\[demo\]'"):
        demo.build(tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()


def test_contact_sheet(tmp_path, small):
    demo.build(tmp_path / "data", progress=False)
    out = demo.contact_sheet(tmp_path / "data", tmp_path / "sheet.jpg", columns=3, rows=2)
    with Image.open(out) as sheet:
        assert sheet.width > sheet.height > 200


def test_the_page_shows_the_table_of_the_code():
    page = Path(__file__).parents[2] / "docs" / "demo-data.md"
    assert demo.statistics(0) in page.read_text(encoding="utf-8")
