"""Sets that know different classes become one: what a set never judged is unknown, and nothing beside is lost."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made import datasets, photographs
from manylabel.data import read
from manylabel.data.beside import same
from manylabel.data.merge import merge
from manylabel.labels import ManylabelError


@pytest.fixture
def table(tmp_path):
    def write(name, text, **options):
        (tmp_path / name).write_text(text)
        return read(tmp_path / name, **options)

    return write


def test_classes_a_set_does_not_have_are_unknown_in_its_images(table):
    pets = table("pets.csv", "image,labels,site\na.jpg,cat,north\nb.jpg,dog,\n")
    cars = table("cars.csv", "image,labels\nb.jpg,car\nc.jpg,\nd.jpg,van\n")
    both = merge([pets, cars])
    assert both.labels.names == ("cat", "dog", "car", "van")
    assert both.labels.ids == ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert both.labels.state.tolist() == [[1, -1, 0, 0], [-1, 1, 1, -1], [0, 0, -1, -1], [0, 0, -1, 1]]
    assert both.columns["source"].tolist() == ["pets.csv", "pets.csv|cars.csv", "cars.csv", "cars.csv"]
    assert both.columns["site"].tolist() == ["north", "", "", ""]
    assert both.beside.provenance == ("merged: pets.csv, cars.csv",)


def test_the_order_of_sets_changes_no_cell(table):
    one = table("one.csv", "image,labels\na.jpg,cat\nb.jpg,dog\n")
    two = table("two.csv", "image,labels\nb.jpg,car\na.jpg,\nc.jpg,bus\n")

    def cells(merged):
        return {
            (image, name): int(merged.labels.state[r, c])
            for r, image in enumerate(merged.labels.ids)
            for c, name in enumerate(merged.labels.names)
        }

    assert cells(merge([one, two])) == cells(merge([two, one]))


def test_contradictions_and_parts_of_one_image(table):
    one = table("one.csv", "image,split,cat\na.jpg,train,1\n")
    two = table("two.csv", "image,split,cat\na.jpg,train,0\n")
    with pytest.raises(ManylabelError, match=r"one\.csv, row 2 \(a\.jpg\) and two\.csv, row 2 \(a\.jpg\) on cat"):
        merge([one, two])
    assert merge([one, two], conflicts="unknown").labels.state.tolist() == [[0]]
    other = table("other.csv", "image,split,dog\na.jpg,test,0\n")
    with pytest.raises(ManylabelError, match="the image is in test and train"):
        merge([one, other])


def test_names_that_may_be_one_class_are_told(table):
    one, two = table("one.csv", "image,labels\na.jpg,hot dog\n"), table("two.csv", "image,labels\nb.jpg,hot_dog\n")
    notes = " ".join(merge([one, two]).notes)
    assert "'hot dog' and 'hot_dog'; join them with --rename 'hot dog=hot_dog'" in notes


def test_one_id_of_two_files_is_two_images(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "labels.csv").write_text("image,labels\na.jpg,cat\n")
    both = merge([read(tmp_path / "x"), read(tmp_path / "y")])
    assert both.labels.ids == ("x/a.jpg", "y/a.jpg")
    assert [path.parent.name for path in both.paths] == ["x", "y"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_halves_of_a_set_merge_to_the_set(tmp_path, data):
    photographs(tmp_path)
    whole = data.draw(datasets(tmp_path))
    rows = np.arange(len(whole))
    half = data.draw(st.integers(0, len(whole)))
    both = merge([part for part in (whole.rows(rows[:half]), whole.rows(rows[half:])) if len(part)])
    assert both.labels.ids == whole.labels.ids
    np.testing.assert_array_equal(both.labels.state, whole.labels.state)
    assert set(same(both.beside, whole.beside)) <= {"provenance"}
    assert both.columns.get("site", np.array([])).tolist() == whole.columns.get("site", np.array([])).tolist()
