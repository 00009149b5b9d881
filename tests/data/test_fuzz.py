"""Seeds of `tests/fuzz.py`: those that once found a fault, and a few more."""

import pytest

from fuzz import one
from made import photographs

FOUND = (6, 9, 27, 112, 1297, 1555)  # a file beside the labels that is no UTF-8; numbers too large for their place


@pytest.mark.parametrize("seed", [*FOUND, *range(1000, 1030)])
def test_a_damaged_file_is_read_or_named(seed, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "labels").mkdir()
    photographs(tmp_path / "photos")
    one(seed, tmp_path / "photos", tmp_path / "labels")
