"""The bench of copies, on drawn pictures: what is recognised, what is a pair, and what is said without photographs."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import copies


def draw(folder, number, seed):
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for k in range(number):
        small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        small.resize((96, 72), Image.Resampling.BICUBIC).save(folder / f"{k:02}.jpg", quality=95)


@pytest.fixture
def data(tmp_path):
    draw(tmp_path / "coco80" / "images", 6, 0)
    draw(tmp_path / "ucmerced" / "images", 5, 1)
    tiles = tmp_path / "ucmerced" / "images"
    with Image.open(tiles / "02.jpg") as image:
        image.save(tiles / "90.jpg", quality=70)  # nearly the same twice in one set
    Image.new("RGB", (96, 72), (90, 120, 90)).save(tiles / "91.jpg")  # of one grey: no hash
    return tmp_path


def main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["copies.py", *map(str, arguments)])
    copies.main()


def test_counts(data, monkeypatch, capsys):
    out, folder = data / "copies.csv", data / "shown"
    main(monkeypatch, data, "--photos", 6, "--out", out, "--show", folder)
    with out.open(newline="") as stream:
        table = {(row["set"], row["change"]): row for row in csv.DictReader(stream)}
    for change in [*copies.CHANGES][:4]:
        assert table["coco80", change]["recognised"] == "6"
        assert table["coco80", change]["other_pairs"] == "0"
    assert table["coco80", "mirrored"]["recognised"] == "0"
    assert (table["coco80", "none"]["photos"], table["coco80", "none"]["other_pairs"]) == ("6", "0")
    assert (table["ucmerced", "none"]["photos"], table["ucmerced", "none"]["other_pairs"]) == ("7", "1")
    assert not (folder / "coco80.png").exists()
    with Image.open(folder / "ucmerced.png") as sheet:
        assert np.asarray(sheet).min() < 200  # something is on it


def test_a_copy_that_looks_like_another_photograph_is_another_pair(data):
    paths = sorted((data / "ucmerced" / "images").glob("*.jpg"))
    whole, chosen = copies.looked(paths), np.array([2, 6])
    changed = copies.copies([paths[k] for k in chosen], copies.pressed)
    assert copies.recognised(whole[chosen], changed) == 1  # of one grey is not
    assert copies.flat(whole).tolist() == [False] * 6 + [True]
    assert copies.other_pairs(whole, chosen, changed) == 1  # with 90.jpg, not with 02.jpg


def test_sizes_of_copies(data, tmp_path):
    with Image.open(data / "coco80" / "images" / "00.jpg") as image:
        assert copies.smaller(image).size == (86, 65)
        copies.both(image, tmp_path / "both")
        copies.mirrored(image, tmp_path / "mirrored")
        pixels = np.asarray(image)
    with Image.open(tmp_path / "both.jpg") as image:
        assert image.size == (86, 65)
    with Image.open(tmp_path / "mirrored.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels[:, ::-1])


def test_missing_photographs_are_said(data, monkeypatch):
    with pytest.raises(SystemExit, match=r"coco80.*give the folder that holds it"):
        main(monkeypatch, data / "nowhere")
    with pytest.raises(SystemExit, match="10 photographs"):
        main(monkeypatch, data, "--photos", 10, "--out", data / "out.csv")
