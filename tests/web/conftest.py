"""A server for all tests that leave it as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
import chromium
import desks
import server


@pytest.fixture(scope="session")
def colours(tmp_path_factory) -> Iterator[server.Running]:
    """A server with a review file."""
    with server.running(review=tmp_path_factory.mktemp("review") / "review.csv") as found:
        yield found


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[chromium.Browser]:
    if chromium.CHROMIUM is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    found = chromium.Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def desk_server(tmp_path_factory) -> Iterator[server.Running]:
    """A model, a review and a label file of 24 photographs, beside it a file that keeps thumbs."""
    folder = tmp_path_factory.mktemp("desk")
    with server.running(desk=desks.small(folder), review=folder / "thumbs.csv", max_image_bytes=1 << 20) as found:
        yield found


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch):
    """What is thrown away after a refusal is waited for less long."""
    monkeypatch.setattr("manylabel.web.hall.DRAIN_IDLE", 0.1)
