"""Synthetic long-tailed results in the shape a run leaves behind, and a headless Chromium that opens their page."""

from __future__ import annotations

import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageDraw

from manylabel.report import ReportData, write


class Scored(NamedTuple):
    """What the report reads of a score file."""

    ids: Any
    names: Any
    scores: Any
    labels: Any
    kind: str = "logit"


def states(rng: np.random.Generator, images: int, classes: int, unknown: float = 0.0) -> np.ndarray:
    """Labels with a Zipf tail and classes that come in themes of five."""
    share = 0.5 / (1 + np.arange(classes)) ** 0.85
    theme = np.arange(classes) % max(1, classes // 5)
    boost = np.where(theme == rng.integers(0, theme.max() + 1, images)[:, None], 4.0, 0.5)
    state = np.where(rng.random((images, classes)) < share * boost, 1, -1).astype(np.int8)
    state[rng.random(state.shape) < unknown] = 0
    return state


def average_precision(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean precision at each positive, over known cells; None without a positive."""
    known = labels != 0
    y = labels[known][np.argsort(-scores[known], kind="stable")] == 1
    return float((np.cumsum(y)[y] / (np.flatnonzero(y) + 1)).mean()) if y.any() else None


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float | None]:
    """The score of highest F1 and that F1; 0 and None without a positive."""
    if not (labels == 1).any():
        return 0.0, None
    cuts = np.unique(scores[labels == 1])
    tp, fp = (((scores >= cuts[:, None]) & (labels == s)).sum(1) for s in (1, -1))
    f1 = 2 * tp / (tp + fp + (labels == 1).sum())
    return float(cuts[f1.argmax()]), float(f1.max())


def group_of(positives: int) -> str:
    return "head" if positives >= 100 else "medium" if positives >= 20 else "tail"


def jpeg(identity: str) -> bytes:
    """A small drawing that depends on the id alone."""
    rng = np.random.default_rng(zlib.crc32(identity.encode()))
    image = Image.new("RGB", (160, 120), tuple(int(x) for x in rng.integers(90, 230, 3)))
    pen = ImageDraw.Draw(image)
    for x, y, r in rng.integers(8, 110, (6, 3)).tolist():
        pen.ellipse((x, y, x + r // 2, y + r // 2), fill=tuple(int(v) for v in rng.integers(0, 255, 3)))
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=75)
    return packed.getvalue()


def results(images: int = 120, classes: int = 12, *, seed: int = 0, **changes: Any) -> ReportData:
    """A whole report's data; `changes` replaces fields of `ReportData`, or `names`, `ids`, `labels`, `scores`."""
    rng = np.random.default_rng(seed)
    parts = {"train": states(rng, 4 * images, classes, 0.1), "val": states(rng, max(1, images // 2), classes)}
    labels = changes.pop("labels", None)
    if labels is None:
        labels = states(rng, images, classes, 0.02)
    scores = changes.pop("scores", None)
    if scores is None:
        scores = (labels == 1) * 2.2 + rng.normal(-2.5, 1.3, labels.shape)
    names = changes.pop("names", [f"class {c:02d}" for c in range(classes)])
    ids = changes.pop("ids", [f"photos/{n:05d}.jpg" for n in range(images)])
    scored = Scored(
        np.array(ids), np.array(names), np.asarray(scores, np.float32), labels, changes.pop("kind", "logit")
    )
    parts["test"] = labels
    metrics, thresholds = measured(scored, parts["train"])
    given: dict[str, Any] = {
        "metrics": metrics, "thresholds": thresholds, "parts": parts,
        "temperatures": np.full(classes, 0.8), "biases": np.full(classes, 0.1),
        "log": [
            {"epoch": e, "loss": 0.3 * 0.8**e + 0.02 + 0.004 * rng.random(), "val_map": 0.6 - 0.5 * 0.75**e}
            for e in range(20)
        ],
        "command": "manylabel train labels.csv --method cprfl --out runs/example --seed 0",
        "config": {"method": {"name": "cprfl", "alpha": 0.2}, "seed": 0, "versions": {"numpy": np.__version__}},
        "notes": ["2 damaged images were left out: photos/00017.jpg (truncated), photos/00391.jpg (empty file)."],
    }  # fmt: skip
    return ReportData(**{"title": "Synthetic scenes", "scores": scored, **given, **changes})


def measured(scored: Scored, train: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """metrics.json as the contract has it, and thresholds of best F1."""
    counts = (train == 1).sum(0)
    scores, labels = np.asarray(scored.scores, np.float64), scored.labels
    ap = [average_precision(scores[:, c], labels[:, c]) for c in range(len(counts))]
    best = [best_threshold(scores[:, c], labels[:, c]) for c in range(len(counts))]
    per_class = [
        {"name": str(n), "train_positives": int(counts[c]), "test_positives": int((labels[:, c] == 1).sum()),
         "ap": ap[c], "threshold": best[c][0], "f1": best[c][1], "group": group_of(counts[c])}
        for c, n in enumerate(scored.names)
    ]  # fmt: skip
    metrics: dict[str, Any] = {"images": len(scored.ids), "classes": len(counts), "per_class": per_class}
    metrics["classes_without_positives"] = sum(x is None for x in ap)
    metrics["unknown_share"] = float((labels == 0).mean()) if labels.size else 0.0
    for key, group in (("map", None), ("map_head", "head"), ("map_medium", "medium"), ("map_tail", "tail")):
        found = [e["ap"] for e in per_class if e["ap"] is not None and group in (None, e["group"])]
        metrics[key] = float(np.mean(found)) if found else None
    metrics |= {"cf1": 0.4321, "of1": 0.5678, "cp": 0.4102, "cr": 0.4567, "op": 0.6011, "or": 0.5379}
    metrics["intervals"] = {
        k: [v - 0.021, v + 0.018] for k, v in metrics.items() if isinstance(v, float) and k != "unknown_share"
    }
    return metrics, np.array([t for t, _ in best])


@pytest.fixture(name="results")
def results_fixture() -> Callable[..., ReportData]:
    return results


@pytest.fixture(name="jpeg")
def jpeg_fixture() -> Callable[[str], bytes]:
    return jpeg


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
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
        text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text if kind == "keyDown" else "")

    def download(self, selector: str, folder: Path) -> Path:
        """The file that a click on something saves into an empty folder."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.click(selector)
        end = time.monotonic() + 20
        while not [f for f in folder.iterdir() if f.suffix == ".csv"] and time.monotonic() < end:
            time.sleep(0.05)
        (found,) = folder.iterdir()
        return found

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        for end in (self._in, self._out):
            os.close(end)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Callable[..., Browser]:
    def open_page(data: Any, **view: Any) -> Browser:
        browser.open(write(tmp_path / "report.html", data), **view)
        return browser

    return open_page
