"""The photographs beside the project, where there are any."""

from pathlib import Path

import pytest

from manylabel import data
from manylabel.data import doctor, split

pytestmark = pytest.mark.realdata
FOLDER = Path(__file__).parents[2].parent / "shared" / "data"


def read(name):
    path = FOLDER / name / "labels.csv"
    if not path.exists():
        pytest.skip(f"../shared/data/{name} is not here")
    return data.read(path)


def test_coco80():
    found = read("coco80")
    assert (found.kind, len(found), len(found.labels.names)) == ("csv-narrow", 11_000, 80)
    assert list(found.columns) == ["long_tail"]
    assert [int((found.split == part).sum()) for part in data.PARTS] == [8000, 1000, 2000]
    tail = found.rows(found.where("long_tail", "1") & (found.split == "train"))
    assert len(tail) == 1849
    groups = doctor.examine(tail, images=False).groups
    assert groups == {"head": 12, "medium": 41, "tail": 27}


def test_ucmerced():
    found = read("ucmerced")
    assert (found.kind, len(found), len(found.labels.names)) == ("csv-wide", 2100, 17)
    assert list(found.columns) == ["scene"]
    filled = split.complete(found)
    assert [int((filled.split == part).sum()) for part in data.PARTS] == [1512, 168, 420]
    assert not doctor.examine(found).files.damaged
