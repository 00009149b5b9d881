"""What maps mean, on a model of a few lines of numpy: contrast, hierarchy, empty maps, photos that are no squares."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manylabel.classes import Classes
from manylabel.data.images import read_image
from manylabel.explain import KINDS, heat_maps, overlay, position
from manylabel.explaining import drawing, occlusion
from manylabel.explaining.drawing import hottest_box, sheet, titled, write
from manylabel.explaining.pointing import accuracy, hits, hottest
from manylabel.labels import ManylabelError
from manylabel.model import Model

NAMES = ("cat", "dog", "animal", "car")
QUARTERS = {"left": np.s_[:16, :16], "right": np.s_[:16, 16:], "below": np.s_[16:, :16]}


class Reads:
    """32 x 32 images: cat reads white at the upper left, dog at the upper right, both and animal at the lower left, car
    nothing."""

    image_size, at_least = 32, None

    def __init__(self, resize="squash"):
        self.resize = resize

    def scores(self, images):
        above = np.clip(images.mean(-1) - 128.0, 0, None) / 127
        left, right, below = (above[:, *place].mean((1, 2)) for place in QUARTERS.values())
        return np.stack([left + below - 0.5, right + below - 0.5, below - 0.5, -np.ones(len(images))], axis=1)


def reader(*, pairs=(), resize="squash"):
    zeros, ones = np.zeros(4), np.ones(4)
    return Model(Reads(resize), Classes(NAMES, zeros, ones, zeros, pairs=pairs, aliases={"puss": "cat"}))


def white(*quarters):
    image = np.full((32, 32, 3), 128, np.uint8)
    for place in quarters:
        image[QUARTERS[place]] = 255
    return image


def mean(heat, place):
    rows, columns = (slice(s.start and s.start // 4, s.stop and s.stop // 4) for s in QUARTERS[place])
    return heat[rows, columns].mean()


def test_contrast_takes_away_what_labels_share():
    image = white("left", "right", "below")
    plain, contrast = (heat_maps(reader(), image, ["cat"], contrast=c)[0] for c in (False, True))
    assert mean(plain, "below") > 0.6
    assert mean(contrast, "below") < 0.1
    assert mean(contrast, "left") > 0.4
    assert contrast.max() == 1
    assert contrast.min() == 0


def test_contrast_is_with_other_predicted_labels_and_without_any_changes_nothing():
    image = white("left")  # cat alone is predicted
    plain, contrast = (heat_maps(reader(), image, ["cat"], contrast=c) for c in (False, True))
    np.testing.assert_allclose(plain, contrast)


def test_labels_above_and_below_are_no_rivals():
    image = white("below", "left")
    pairs = (("cat", "animal"), ("dog", "animal"))
    flat, tree = (heat_maps(reader(pairs=p), image, ["animal"], contrast=True)[0] for p in ((), pairs))
    assert mean(tree, "below") > 0.6  # cat and dog stand here too, and are animals
    assert mean(flat, "below") < 0.5 * mean(tree, "below")


def test_a_label_without_evidence_has_a_map_of_zeros_that_points_nowhere():
    image = white("left")
    heat = heat_maps(reader(), image, ["car"])[0]
    assert not heat.any()
    assert hottest(heat, (32, 32)) is None
    assert hottest_box(heat, (32, 32)) is None
    assert not hits(None, [(0, 0, 32, 32)], tolerance=100)
    np.testing.assert_array_equal(np.asarray(overlay(Image.fromarray(image), heat)), image)


def test_rounding_is_no_evidence():
    def scores(images):
        return np.random.default_rng(int(images.sum())).normal(scale=1e-6, size=(len(images), 1))

    assert not occlusion.falls(scores, white("left")).any()


def test_occlusion_scores_in_batches_and_covers_every_cell_alike():
    sizes = []

    def scores(images):
        sizes.append(len(images))
        return (images == 128).all(-1).sum((1, 2))[:, None] / 1.0  # how many pixels are grey

    fall = occlusion.falls(scores, np.zeros((28, 28, 3), np.uint8), cells=7, window=2)[0]
    assert max(sizes) == occlusion.BATCH
    assert sum(sizes) == 1 + (7 + 2 - 1) ** 2
    assert fall[3, 3] == -64  # whole squares of 2 x 2 cells of 4 x 4 pixels
    assert fall[0, 0] == -36  # of its 4 squares 1 is whole, 2 are halves, 1 a quarter: (64 + 32 + 32 + 16) / 4


def test_names_are_checked_and_aliases_known():
    model = reader()
    assert position(model.classes, "puss") == 0
    with pytest.raises(ManylabelError, match=r"no label 'anmal'.*animal"):
        heat_maps(model, white("left"), ["anmal"])
    with pytest.raises(ManylabelError, match=r"gradeint.*gradient"):
        heat_maps(model, white("left"), ["cat"], kind="gradeint")
    for kind in set(KINDS) - {"auto", "occlusion"}:
        with pytest.raises(ManylabelError, match="take the kind occlusion"):
            heat_maps(model, white("left"), ["cat"], kind=kind)


def test_maps_lie_over_the_whole_photo_however_it_became_a_square():
    photo = Image.new("RGB", (280, 140), (128, 128, 128))  # twice as wide as high, white in the middle half's left
    photo.paste("white", (70, 0, 140, 70))
    squashed, cropped, padded = (heat_maps(reader(resize=r), photo, ["cat"])[0] for r in ("squash", "crop", "pad"))
    assert squashed.shape == (8, 8)
    assert cropped.shape == (64, 128)
    assert padded.shape == (32, 64)
    assert cropped[:, :32].max() == cropped[:, 96:].max() == 0  # beside the square nothing was seen
    x, y = hottest(cropped, photo.size)
    assert 70 <= x < 140
    assert y < 70
    x, y = hottest(padded, photo.size)
    assert x < 140
    tall = heat_maps(reader(resize="crop"), photo.transpose(Image.Transpose.TRANSPOSE), ["cat"])[0]
    np.testing.assert_allclose(tall, cropped.T, atol=0.02)


def test_a_photo_that_was_turned_upright_is_not_turned_again(tmp_path):
    photo = Image.new("RGB", (40, 20))
    exif = photo.getexif()
    exif[0x112] = 6
    photo.save(tmp_path / "x.jpg", exif=exif)
    upright = read_image(tmp_path / "x.jpg")
    assert upright.size == overlay(upright, np.zeros((2, 2))).size == (20, 40)
    with Image.open(tmp_path / "x.jpg") as raw:
        assert overlay(raw, np.zeros((2, 2))).size == (20, 40)


@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_a_map_lies_over_its_object_on_a_photo_that_is_no_square_and_was_turned(orientation, tmp_path):
    photo = Image.new("RGB", (300, 120), (128, 128, 128))
    photo.paste("white", (0, 0, 150, 60))  # cat
    exif = Image.Exif()
    exif[0x112] = orientation
    stored = {
        1: photo,
        3: photo.transpose(Image.Transpose.ROTATE_180),
        5: photo.transpose(Image.Transpose.TRANSPOSE),
        6: photo.transpose(Image.Transpose.ROTATE_90),
        8: photo.transpose(Image.Transpose.ROTATE_270),
    }
    stored[orientation].save(tmp_path / "x.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "x.jpg") as raw:
        for given in (tmp_path / "x.jpg", raw):
            heat = heat_maps(reader(), given, ["cat"])[0]
            left, top, width, height = hottest_box(heat, (300, 120))
            assert (left, top) == (0, 0)
            assert 120 <= width <= 190
            assert 45 <= height <= 80


def test_an_overlay_colours_what_is_hot_and_leaves_what_is_cold():
    heat = np.zeros((4, 4))
    heat[0, 3] = 1
    photo = Image.new("RGB", (80, 40), (10, 60, 120))
    laid = overlay(photo, heat)
    assert laid.size == photo.size
    assert laid.getpixel((5, 35)) == (10, 60, 120)
    assert laid.getpixel((75, 3))[0] > 150


WORDS = ["dog", "собака", "犬", "كلب", "🐶", "a\nb\tc", "", "\ud800", "w" * 500, "Ḧ̸̛"]


def test_titles_of_any_script_are_written_within_the_picture():
    page = sheet(Image.new("RGB", (300, 200), "grey"), np.zeros((len(WORDS), 2, 2)), WORDS)
    assert page.width < 1300
    for word in WORDS:
        assert titled(Image.new("RGB", (30, 20)), np.zeros((2, 2)), word).width == 144
    strip = Image.new("RGB", (200, 26), "white")
    write(strip, (0, 0), "w" * 500, 90)
    ink = np.flatnonzero((np.asarray(strip) < 250).any((0, 2)))
    assert 60 < ink.max() <= 91


def test_a_font_that_is_installed_draws_what_pillows_own_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "FONT_FOLDERS", (str(tmp_path),))
    for finder in (drawing.font_for, drawing.font_files):
        monkeypatch.setattr(drawing, finder.__name__, finder.__wrapped__)
    assert drawing.font_for("dog 97 %") is not None
    assert drawing.font_for("собака") is None
    assert drawing.font_for("Vögel") is None  # Pillow's own font has no umlaut
    assert drawing.font_for("\ud800") is None
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "bad.ttf").write_bytes(b"no font")
    found = [f for f in map(Path, FONTS) if f.is_file()]
    if not found:
        pytest.skip("no font with Cyrillic letters is installed")
    (tmp_path / "deep" / "sans.ttf").write_bytes(found[0].read_bytes())
    assert drawing.font_for("собака 97 %") is not None
    assert drawing.font_for("Vögel") is not None
    strips = [Image.new("RGB", (100, 26), "white") for _ in range(2)]
    for strip, word in zip(strips, ("собака", "кошкин")):
        write(strip, (0, 0), word, 90)
    assert np.asarray(strips[0]).tolist() != np.asarray(strips[1]).tolist()  # letters, not boxes


FONTS = ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "/System/Library/Fonts/Supplemental/Arial.ttf")


def test_the_hottest_box_is_one_region():
    heat = np.zeros((4, 4))
    heat[0, 0], heat[0, 1], heat[1, 1], heat[3, 3] = 1, 0.5, 0.7, 0.9
    heat[2, 2] = 0.8  # touches by a corner alone
    assert hottest_box(heat, (40, 80)) == (0, 0, 20, 40)


def test_the_pointing_game_counts_classes_alike_and_measures_from_the_boxs_edge():
    assert accuracy([True] * 9 + [False], [0] * 9 + [1]) == 0.5
    box = (10, 10, 20, 10)
    assert hits((30, 20), [box])
    assert not hits((33, 24), [box], tolerance=4.9)
    assert hits((33, 24), [box], tolerance=5)
    assert hits((0, 0), [box, (0, 0, 1, 1)])
