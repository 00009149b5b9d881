"""Reports of synthetic results, and a headless Chromium that opens them. Skips where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manylabel.report import ReportData, write

sys.path.insert(0, str(Path(__file__).parent))
import chromium
import synthetic


@pytest.fixture(name="results")
def results_fixture() -> Callable[..., ReportData]:
    return synthetic.results


@pytest.fixture(name="whole")
def whole_fixture() -> Callable[..., ReportData]:
    return synthetic.whole


@pytest.fixture(name="jpeg")
def jpeg_fixture() -> Callable[[str], bytes]:
    return synthetic.jpeg


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[chromium.Browser]:
    if chromium.CHROMIUM is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    found = chromium.Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture
def opened(browser: chromium.Browser, tmp_path: Path) -> Callable[..., chromium.Browser]:
    browser.call("Storage.clearDataForOrigin", origin="file://", storageTypes="local_storage")

    def open_page(data: Any, **view: Any) -> chromium.Browser:
        browser.open(write(tmp_path / "report.html", data), **view)
        return browser

    return open_page
