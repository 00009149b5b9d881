"""The page in a real browser: headless Chromium, driven over its debugging pipe. Skips where there is none."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manylabel.report import write

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (apt-get install chromium)")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-extensions --disable-dev-shm-usage --remote-debugging-pipe"
)


class Browser:
    """One page of a headless Chromium; collects what the console says and what the page asks for."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        (there, self._out), (self._in, here) = os.pipe(), os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (there, here)]
        self.process = subprocess.Popen(
            [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(3, 4), preexec_fn=lambda: [os.dup2(end, k) for end, k in zip(ends, (3, 4))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (there, here, *ends):
            os.close(end)
        self._buffer, self._count, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], 30)[0]:
                raise TimeoutError("Chromium did not answer within 30 s")
            chunk = os.read(self._in, 1 << 16)
            assert chunk, "Chromium closed its pipe"
            self._buffer += chunk
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._count:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, path: Path, *, width: int = 1280, height: int = 900, mode: str = "light") -> None:
        """Load a file and wait until it is drawn."""
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": mode}])
        self.call("Page.navigate", url=path.as_uri())
        end = time.monotonic() + 20
        while self.ask("document.readyState + location.protocol") != "completefile:" and time.monotonic() < end:
            time.sleep(0.02)

    def complaints(self) -> list[str]:
        """Console errors and warnings, exceptions, and requests other than the page itself and data URLs."""
        found = []
        for event in self.events:
            what, details = event.get("method"), event.get("params", {})
            if what in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
                found.append(json.dumps(details))
            if what == "Network.requestWillBeSent" and details["request"]["url"][:5] not in ("file:", "data:"):
                found.append(details["request"]["url"])
        return found

    def click(self, selector: str) -> None:
        box = self.ask(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({ block: 'center', behavior: 'instant' }); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text="\r" if key == "Enter" else "")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        for end in (self._in, self._out):
            os.close(end)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Callable[..., Browser]:
    def open_page(data: Any, **view: Any) -> Browser:
        browser.open(write(tmp_path / "report.html", data), **view)
        return browser

    return open_page


def readout(page: Browser) -> dict[str, str]:
    return dict(
        page.ask("[...document.querySelectorAll('#readout div')].map(d => [...d.children].map(c => c.textContent))")
    )


def test_a_click_on_a_class_shows_its_curve_and_numbers(opened, results, jpeg):
    data = results(images=400, classes=20, pictures=jpeg)
    page = opened(data)
    page.click(".column[data-i='11']")
    assert page.ask("document.getElementById('choose').value") == "11"
    assert page.ask("document.getElementById('pr-line').getAttribute('d').length") > 50
    load = "(async (i) => { i.loading = 'eager'; await i.decode(); return i.naturalWidth; })"
    assert page.ask(load + "(document.querySelector('#cards img'))") == 160
    entry, shown = data.metrics["per_class"][11], readout(page)
    assert float(shown["F1 %"]) == pytest.approx(100 * entry["f1"], abs=0.051)
    assert float(shown["threshold"].replace("−", "-")) == pytest.approx(entry["threshold"], rel=1e-3)
    assert page.complaints() == []


def test_the_slider_recounts_the_class_at_its_threshold(opened, results):
    data = results(images=400, classes=8)
    page = opened(data)
    page.ask("show(3)")
    for place in (5, 40):
        page.ask(f"at('slider').value = {place}; at('slider').oninput({{ target: at('slider') }})")
        t = page.ask("D.curves[3].line.t[step]")
        decided, truth = data.values[:, 3] >= t, data.labels[:, 3]
        tp, fp = int((decided & (truth == 1)).sum()), int((decided & (truth == -1)).sum())
        shown, positives = readout(page), int((truth == 1).sum())
        assert shown["right / wrong / missed"] == f"{tp} / {fp} / {positives - tp}"
        assert float(shown["precision %"]) == pytest.approx(100 * tp / (tp + fp), abs=0.051)
        assert float(shown["recall %"]) == pytest.approx(100 * tp / positives, abs=0.051)
        assert float(shown["probability %"]) == pytest.approx(100 / (1 + np.exp(-(t / 0.8 + 0.1))), abs=0.051)
    page.click("#stored")
    assert page.ask("D.curves[3].line.t.length - 1 - at('slider').value") == page.ask("D.curves[3].line.at")
    assert float(readout(page)["threshold"].replace("−", "-")) == pytest.approx(data.cuts[3], rel=1e-3)


def test_the_keyboard_walks_the_bars(opened, results):
    data = results(classes=10)
    page = opened(data)
    page.ask("document.querySelector('.column').focus()")
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.press(key)
    assert page.ask("+document.getElementById('choose').value") == data.order[2]
    assert page.ask("document.querySelectorAll('.column[tabindex=\"0\"]').length") == 1


def test_the_table_sorts_and_filters(opened, results):
    labels = np.where(np.random.default_rng(0).random((120, 15)) < 0.3, 1, -1).astype(np.int8)
    labels[:, 4] = -1
    data = results(classes=15, labels=labels)
    page = opened(data)
    shown = "[...at('table').tBodies[0].rows].filter(r => !r.hidden).map(r => +r.dataset.i)"
    ap = [entry["ap"] for entry in data.metrics["per_class"]]
    page.ask("at('table').tHead.rows[0].cells[2].firstChild.click()")
    falling = page.ask(shown)
    assert falling[-1] == 4
    values = [round(ap[c], 3) for c in falling[:-1]]
    assert values == sorted(values, reverse=True)
    page.ask("at('table').tHead.rows[0].cells[2].firstChild.click()")
    assert page.ask(shown)[-1] == 4
    page.ask("at('filter').value = 'SS 1'; at('filter').oninput()")
    assert sorted(page.ask(shown)) == [10, 11, 12, 13, 14]


def test_the_gallery_keeps_to_the_chosen_class_and_kind(opened, results):
    data = results(images=300)
    page = opened(data)
    page.ask("at('which').elements.kind.value = 'missed'; at('error-class').value = '0'; at('which').onchange()")
    heads = page.ask("[...document.querySelectorAll('#cards h3')].map(h => h.textContent)")
    assert heads
    assert set(heads) == {"class 00"}
    ids = page.ask("[...document.querySelectorAll('#cards .id')].map(h => h.textContent.split(' ')[0])")
    assert all(data.labels[data.ids.index(i), 0] == 1 and not data.decided[data.ids.index(i), 0] for i in ids)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_narrow_screen_has_no_sideways_scroll(opened, results, mode: str):
    names = ["a rather long class name without end", "x" * 200, *[f"class {c}" for c in range(28)]]
    page = opened(results(classes=30, names=names, title="t" * 150), width=400, mode=mode)
    assert page.ask("document.documentElement.scrollWidth") <= 400
    assert page.complaints() == []


CASES: dict[str, dict[str, Any]] = {
    "one class": {"classes": 1},
    "one image": {"images": 1},
    "no image": {"images": 0},
    "all unknown": {"labels": np.zeros((120, 12), np.int8)},
    "no positives": {"labels": np.full((120, 12), -1, np.int8)},
    "huge scores": {"scores": np.full((120, 12), -1e30)},
    "nothing given": {
        "metrics": {},
        "parts": {},
        "thresholds": None,
        "temperatures": None,
        "biases": None,
        "log": None,
    },
    "endless thresholds": {"thresholds": np.full(12, np.inf)},
    "text log": {"log": [{"epoch": 0, "note": "x", "loss": float("nan")}]},
    "probabilities": {"kind": "probability", "scores": np.random.default_rng(0).random((120, 12)), "thresholds": None},
    "hostile": {
        "classes": 3,
        "names": ["</script><script>throw 1</script>", "<img src=//x.invalid/a onerror=throw>", "\u202e"],
    },
    "many": {"images": 50, "classes": 1200},
}


@pytest.mark.parametrize("case", CASES)
def test_no_complaint_whatever_is_missing(opened, results, case: str):
    page = opened(results(**CASES[case]))
    page.ask("D.order.slice(0, 20).forEach((c) => show(c, true))")
    page.ask("document.querySelectorAll('details').forEach((d) => d.open = true)")
    page.ask("new Promise((done) => setTimeout(done, 50))")
    broken = '[d*=NaN], [points*=NaN], [x*=NaN], [y*=NaN], [width*=NaN], [height*=NaN], [width^="-"], [height^="-"]'
    assert page.ask(f"document.querySelectorAll('{broken}').length") == 0
    assert page.complaints() == []
