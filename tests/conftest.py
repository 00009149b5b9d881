"""Shared by all tests: one thread, no network, the golden numbers, the real data where it is."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when numpy is first imported, also by processes that tests start

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def golden():
    """golden("asl_f64") -> the recorded arrays of that file."""
    return lambda name: np.load(ROOT / "tests" / "golden" / f"{name}.npz")


@pytest.fixture(scope="session")
def real_data():
    """The folder of photographs beside the project; the test skips where it is absent."""
    if not REAL.is_dir():
        pytest.skip("needs the photographs in ../shared/data, which are not here")
    return REAL
