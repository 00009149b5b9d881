"""Augmentations: same seed same pixels, sizes kept, and crops never below the stated share of the area."""

import numpy as np
import pytest
from PIL import Image

from manylabel.data.augment import OPERATIONS, Augment, cutout, rand_augment, random_box, random_crop_flip


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))


@pytest.mark.parametrize("augment", [Augment(), Augment(False, False), Augment(True, True, True, 0.5)])
def test_seeded_and_square(picture, augment):
    first, again, other = (augment(picture, 32, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == ((32, 32, 3), np.uint8)
    assert (first == again).all()
    assert (first != other).any() == (augment != Augment(False, False))


def test_crops_keep_the_stated_area():
    rng = np.random.default_rng(0)
    boxes = np.array([random_box(60, 40, rng) for _ in range(500)])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= (60, 40)).all()
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    share = width * height / (60 * 40)
    assert share.min() >= 0.5 - 1e-9
    assert share.mean() < 0.9
    assert random_box(1000, 1, rng) == (0, 0, 1000, 1)  # no such proportion fits


def test_flip_mirrors(picture):
    whole = {"scale": (1.0, 1.0)}
    square = picture.crop((0, 0, 40, 40))
    plain = random_crop_flip(square, 40, np.random.default_rng(0), flip=0, **whole)
    mirrored = random_crop_flip(square, 40, np.random.default_rng(0), flip=1, **whole)
    assert (plain[:, ::-1] == mirrored).all()


def test_cutout_covers_one_rectangle_of_one_colour():
    white = np.full((40, 60, 3), 255, np.uint8)
    rng, shares = np.random.default_rng(0), []
    for _ in range(300):
        covered = (cutout(white, rng, side=0.5) != 255).any(axis=2)
        rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
        assert covered[np.ix_(rows, columns)].all()
        assert (len(rows), len(columns)) <= (20, 30)
        shares.append(covered.mean())
    assert max(shares) == 0.25
    assert np.mean(shares) == pytest.approx(0.4375**2, abs=0.01)  # an eighth of each side reaches over the edge
    assert (white == 255).all()


@pytest.mark.parametrize("operation", OPERATIONS[1:])
@pytest.mark.parametrize("sign", [1, -1])
def test_each_operation_changes_the_picture_and_its_size_not(picture, operation, sign):
    muted = picture.point(lambda v: 40 + v // 2)
    changed = operation(muted, 0.9, sign)
    assert (changed.size, changed.mode) == (muted.size, "RGB")
    assert (np.asarray(changed) != np.asarray(muted)).any()


def test_rand_augment_draws_n_operations(picture):
    assert (rand_augment(picture, np.random.default_rng(0), n=0) == np.asarray(picture)).all()
    drawn = [rand_augment(picture, np.random.default_rng(seed)) for seed in range(8)]
    assert len({one.tobytes() for one in drawn}) > 5


@pytest.mark.parametrize("k", range(5, 14))
def test_magnitude_zero_of_graded_operations_changes_nothing(picture, k):
    assert np.abs(np.asarray(OPERATIONS[k](picture, 0.0, 1)).astype(int) - np.asarray(picture)).max() <= 1
