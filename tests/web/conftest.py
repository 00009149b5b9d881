"""A server for all tests that leave it as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Trained:
    """A run folder, and ten photographs that it was not trained on alone."""

    folder: Path
    files: list[Path]


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Trained:
    """A model trained for a second."""
    from drawn import photographs
    from manylabel.plan import plan
    from manylabel.run import train

    folder = tmp_path_factory.mktemp("trained")
    labels = photographs(folder / "photos", 24)
    options = {"encoder": {"image_size": 64}, "text": {"source": "random"}, "train": {"epochs": 1}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYLABEL_CACHE", str(folder / "cache"))
        run = train(plan(labels, folder / "run", method="linear", options=options))
    return Trained(run, sorted((folder / "photos/images").iterdir())[:10])


@pytest.fixture(scope="session")
def desk_server(tmp_path_factory) -> Iterator[server.Running]:
    """A model, a review and a label file of 24 photographs, beside it a file that keeps thumbs."""
    folder = tmp_path_factory.mktemp("desk")
    with server.running(desk=desks.small(folder), review=folder / "thumbs.csv", max_image_bytes=1 << 20) as found:
        yield found


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory) -> Iterator[server.Running]:
    """The same without a file that keeps thumbs; tests put its review back to where nobody has begun."""
    with server.running(desk=desks.small(tmp_path_factory.mktemp("bare"))) as found:
        yield found


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch):
    """What is thrown away after a refusal is waited for less long."""
    monkeypatch.setattr("manylabel.web.hall.DRAIN_IDLE", 0.1)
