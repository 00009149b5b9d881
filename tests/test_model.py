"""One image, the same numbers: path, bytes, opened image, pixels; alone, in batches, in threads."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import toys
from drawn import photographs
from manylabel.labels import ManylabelError
from manylabel.prediction import Choice, Prediction


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    photographs(folder, 21)
    return sorted((folder / "images").iterdir())


@pytest.fixture(scope="module")
def model():
    return toys.model("cprfl")


def numbers(predictions):
    return [list(p.probabilities.items()) for p in predictions]


def test_however_an_image_comes_it_is_the_same(model, files):
    path = files[0]
    with Image.open(path) as opened:
        doors = [path, str(path), path.read_bytes(), opened, np.asarray(opened.convert("RGB"))]
        answers = model.predict(doors)
    assert len({str(a.probabilities) for a in answers}) == 1
    assert [a.image for a in answers] == [str(path), str(path), "", "", ""]


def test_batches_and_threads_change_nothing(model, files):
    alone = [model.predict([file])[0] for file in files]
    for size in (1, 2, 5, 64):
        together = model.predict(files, batch_size=size)
        assert [p.image for p in together] == [str(f) for f in files]
        for one, other in zip(alone, together):
            assert one.labels == other.labels
            assert dict(one.probabilities) == pytest.approx(dict(other.probabilities), abs=1e-5)


def test_images_are_taken_as_they_are_needed(model, files):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield files[0]

    stream = model.stream(endless(), batch_size=2)
    assert isinstance(next(stream), Prediction)
    stream.close()
    assert len(taken) < 50


def test_a_damaged_image_is_one_row_with_an_error(model, files, tmp_path):
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(files[0].read_bytes()[:600])
    flat = np.zeros((4, 4), np.uint8)
    answers = model.predict([files[0], cut, Path("none.jpg"), b"", b"text", flat, files[1]], batch_size=3)
    assert [a.error is None for a in answers] == [True, False, False, False, False, False, True]
    assert "cut.jpg" in answers[1].error
    assert "(4, 4)" in answers[5].error
    assert answers[1].as_dict() == {"image": str(cut), "error": answers[1].error}
    assert numbers(answers[-1:]) == numbers(model.predict(files[1:2]))
    assert not model.predict([])


def test_what_is_named_can_be_narrowed(model, files):
    plain = model.predict(files)
    for one, few in zip(plain, model.predict(files, max_labels=1)):
        assert few.labels == one.labels[:1]
    for one, sure in zip(plain, model.predict(files, min_score=0.6)):
        assert sure.labels == tuple(n for n in one.labels if one.probabilities[n] >= 0.6)
    assert any(p.labels for p in plain)
    rule = Choice(rule=lambda scores: np.ones(scores.shape, bool))
    everything = list(model.stream(files, rule))
    assert all(len(p.labels) == toys.CLASSES and p.thresholds == {} for p in everything)


@pytest.mark.parametrize(("options", "said"), [
    ({"min_score": 1.5}, "lies in"), ({"max_labels": 0}, "at most one label"), ({"guarantee": 0.9}, "no guaranteed"),
])  # fmt: skip
def test_choices_outside_their_range_are_refused(model, files, options, said):
    with pytest.raises(ManylabelError, match=said):
        model.predict(files[:1], **options)
    with pytest.raises(ManylabelError, match="give one of them"):
        Choice(recall=0.9, rule=len)


def test_a_label_says_its_threshold_ancestors_and_other_names(model, files):
    told = {row["name"]: row for p in model.predict(files) for row in p.as_dict()["labels"]}
    assert told["class 4"]["ancestors"] == ["class 0", "thing"]
    assert told["class 3"]["aliases"] == ["fourth"]
    assert "ancestors" not in told["class 3"]
    p = 1 / (1 + np.exp(-model.classes.calibrated(model.classes.thresholds)))
    assert told["class 3"]["threshold"] == pytest.approx(p[3], abs=1e-6)


def test_a_list_is_wanted_not_one_image(model, files):
    for one in (str(files[0]), files[0], files[0].read_bytes(), Image.new("RGB", (4, 4))):
        with pytest.raises(ManylabelError, match=r"predict\(\[image\]\)"):
            model.predict(one)
