"""Images that show the same: found by bytes, by looks and by features; outvoted labels; faults that do not stop it."""

import io
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from manylabel.audits import duplicates, findings, pictures
from manylabel.audits.duplicates import (
    difference_hash,
    disagreements,
    grouped,
    near_hashes,
    similar_images,
    similar_vectors,
)
from manylabel.labels import LabelTable, ManylabelError


def test_the_hash_by_hand():
    small = np.zeros((2, 8, 9, 3), np.uint8)
    small[0, 0, 1:] = 10  # one step up at the first place
    small[1, 7, 8, 2] = 200  # blue counts 0.114: a step at the last
    assert difference_hash(small).tolist() == [1 << 63, 1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_near_hashes_are_all_pairs_there_are(seed, most):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**63, 40, dtype=np.uint64) * np.uint64(2) + rng.integers(0, 2, 40, dtype=np.uint64)
    for k in range(1, 20):  # children of some, a few bits away
        flips = rng.choice(64, rng.integers(0, 10), replace=False)
        hashes[20 + k] = hashes[k] ^ np.uint64(sum(1 << int(b) for b in flips))
    expected = [[i, j] for i, j in combinations(range(40), 2) if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= most]
    assert near_hashes(hashes, most=most).tolist() == expected


def test_similar_vectors_are_all_pairs_there_are(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 40)) * np.linspace(3, 0.1, 40) + 0.3
    x[100:150] = x[:50] + 0.2 * rng.normal(size=(50, 40))
    x[7] = 0
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    expected = {(i, j) for i, j in combinations(range(300), 2) if unit[i] @ unit[j] >= 0.95}
    assert 20 < len(expected) < 300
    monkeypatch.setattr(duplicates, "ROWS", 64)
    monkeypatch.setattr(duplicates, "COLUMNS", 96)
    for width in (128, 8):  # as they are, and ruled out by 8 of 40 directions
        monkeypatch.setattr(duplicates, "WIDTH", width)
        assert {tuple(pair) for pair in similar_vectors(x, least=0.95).tolist()} == expected


def test_groups_are_what_pairs_connect():
    rng = np.random.default_rng(0)
    chain = rng.permutation(500)
    pairs = np.stack([chain[:399], chain[1:400]], axis=1)[rng.permutation(399)]
    (group,) = grouped(pairs, 500)
    assert group.tolist() == sorted(chain[:400].tolist())
    assert grouped(np.zeros((0, 2), np.int64), 0) == []


def test_looks_must_agree_in_colour_and_flat_images_are_like_none():
    ramp = np.broadcast_to((np.arange(9) * 25).astype(np.uint8)[:, None], (8, 9, 3))
    coloured = ramp.copy()
    coloured[:, :, 2] = 255 - coloured[:, :, 2]  # grey still rises from left to right: the same hash
    flat = np.full((8, 9, 3), 200, np.uint8)
    flat[:, 0] = 199
    assert len(set(difference_hash(np.stack([ramp, coloured])).tolist())) == 1
    assert similar_images(np.stack([ramp, coloured, flat, flat, ramp // 2 + 9])).tolist() == [[0, 4]]
    with pytest.raises(ManylabelError, match="0 to 15"):
        similar_images(flat[None], most=64)


def photograph(seed, size=160):
    """Soft light and shade, as photographs have."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    """a.jpg; the same bytes; smaller and of low quality; another picture; no picture; and one that is not there."""
    image = photograph(1)
    image.save(tmp_path / "a.jpg", quality=95)
    (tmp_path / "copy.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    image.resize((100, 100)).save(tmp_path / "small.jpg", quality=55)
    photograph(2).save(tmp_path / "other.png")
    (tmp_path / "bad.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:500])
    (tmp_path / "bad2.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:500])  # equal, but no image
    names = ("a.jpg", "copy.jpg", "small.jpg", "other.png", "bad.jpg", "bad2.jpg", "gone.jpg")
    return [tmp_path / name for name in names]


def test_files_are_looked_at_and_faults_named(folder):
    seen = []
    looked = pictures.look(folder, progress=lambda done, total: seen.append((done, total)))
    assert [group.tolist() for group in looked.groups()] == [[0, 1, 2]]
    assert set(looked.problems) == {4, 5, 6}
    assert "no such file" in looked.problems[6]
    assert "truncated" in looked.problems[4].lower()
    assert seen == [(k, 7) for k in range(1, 8)]


def test_turned_and_transparent_images_are_seen_as_shown(tmp_path):
    image = photograph(3)
    image.save(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert [g.tolist() for g in pictures.look([tmp_path / "a.png", tmp_path / "turned.jpg"]).groups()] == [[0, 1]]


class TestDisagreements:
    def test_the_majority_of_the_known_is_right(self):
        labels = np.array([[1, 0], [1, 0], [-1, 1], [0, 1], [-1, -1]], np.int8)
        (one,) = disagreements(labels, np.full((5, 2), 0.1), [np.array([0, 1, 2, 3])])
        assert (one.image, one.label, one.other, one.against, one.known, one.tie) == (2, 0, 0, 2, 3, False)

    @pytest.mark.parametrize(("p", "image"), [(0.8, 1), (0.2, 0), (0.5, 1)])
    def test_the_model_decides_a_tie(self, p, image):
        (one,) = disagreements(np.array([[1], [-1]], np.int8), np.full((2, 1), p), [np.array([0, 1])])
        assert (one.image, one.other, one.tie) == (image, 1 - image, True)

    def test_unknown_never_disagrees(self):
        labels = np.array([[1, 0, -1], [0, -1, -1], [1, 0, 0]], np.int8)
        assert disagreements(labels, np.full((3, 3), 0.5), [np.arange(3)]) == []

    def test_they_become_findings_that_name_the_other_image(self):
        table = LabelTable(np.array([[1], [1], [-1]] + [[-1]] * 9, np.int8), ("cat",), tuple("abcdefghijkl"))
        p = np.array([[0.9], [0.9], [0.45]] + [[0.1]] * 9)
        assert findings.find(table, p) == []
        (found,) = findings.find(table, p, groups=[np.array([0, 1, 2])])
        assert (found.image, found.suggested, found.category) == ("c", "present", "duplicate disagrees")
        assert found.reasons == "near-identical to a, where it is present (as in 2 of 3 such images)"
        (tie,) = findings.find(table, p, groups=[np.array([1, 2])])
        assert (tie.image, tie.suggested) == ("c", "present")
        assert tie.reasons.endswith("(a tie, 1 against 1: the model's 68 % decides)")


def test_many_copies_do_not_make_many_pairs():
    small = np.random.default_rng(0).integers(0, 256, (1, 8, 9, 3), dtype=np.uint8)
    assert len(similar_images(np.repeat(small, 3000, axis=0))) == 2999


def test_nothing_is_similar_to_nothing():
    assert similar_images(np.zeros((0, 8, 9, 3), np.uint8)).shape == (0, 2)
    assert similar_images(np.zeros((3, 8, 9, 3), np.uint8)).shape == (0, 2)
    assert similar_vectors(np.zeros((2, 4))).shape == (0, 2)
    assert pictures.look([]).groups() == []


def test_a_decoder_that_fails_is_no_end(monkeypatch, tmp_path):
    buffer = io.BytesIO()
    photograph(0).save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    (tmp_path / "folder.png").mkdir()
    looked = pictures.look([tmp_path / "a.png", tmp_path / "folder.png"])
    assert set(looked.problems) == {1}
