"""A headless Chromium, driven over its debugging pipe."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-extensions --disable-dev-shm-usage --remote-debugging-pipe"
)
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # what a page asks of others is refused and seen


CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "PageDown": 34,
         "Escape": 27}  # fmt: skip


class Browser:
    """One page of a headless Chromium; collects what the console says and what the page asks for."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        (there, self._out), (self._in, here) = os.pipe(), os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (there, here)]
        self.process = subprocess.Popen(
            [CHROMIUM, *FLAGS.split(), NOWHERE, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(3, 4), preexec_fn=lambda: [os.dup2(end, k) for end, k in zip(ends, (3, 4))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (there, here, *ends):
            os.close(end)
        self._buffer, self._count, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        self.home = ""
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

    def open(self, path: Path | str, *, width: int = 1280, height: int = 900, mode: str = "light") -> None:
        """Load a file, or an http address of this machine, and wait until it is drawn."""
        address = path if isinstance(path, str) else path.as_uri()
        self.home = address.split("/", 3)[2] if isinstance(path, str) else ""
        self.call("Page.navigate", url="about:blank")  # what the page before still asks for is not this one's
        self.until("location.protocol === 'about:'")
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        wanted = {"prefers-color-scheme": mode, "prefers-reduced-motion": "reduce"}  # a click must not meet a scroll
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.call("Emulation.setEmulatedMedia", media="", features=features)
        self.call("Page.navigate", url=address)
        self.until(f"document.readyState + location.protocol === 'complete{address.partition(':')[0]}:'")

    def until(self, expression: str, seconds: float = 20) -> Any:
        """The value of an expression once it is true; what it was last where time runs out."""
        end = time.monotonic() + seconds
        while not (value := self.ask(expression)) and time.monotonic() < end:
            time.sleep(0.02)
        return value

    def complaints(self) -> list[str]:
        """Console errors and warnings, exceptions, and requests for anything but what the page itself is and holds."""
        found = []
        for event in self.events:
            what, details = event.get("method"), event.get("params", {})
            if what in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
                found.append(json.dumps(details))
            if what == "Network.requestWillBeSent" and not self._own(details["request"]["url"]):
                found.append(details["request"]["url"])
        return found

    def _own(self, address: str) -> bool:
        kind, _, rest = address.partition(":")
        home = kind == "http" and rest.startswith(f"//{self.home}/")
        return home or kind in ("data", "blob", "about") or (kind == "file" and not self.home)

    def middle(self, selector: str) -> tuple[float, float]:
        """Where something is, scrolled into sight."""
        x, y = self.ask(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({ block: 'center', behavior: 'instant' }); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return x, y

    def click(self, selector: str) -> None:
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
        code = {"windowsVirtualKeyCode": CODES[key]} if key in CODES else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text if kind == "keyDown" else "", **code)

    def hover(self, selector: str) -> None:
        """Move the pointer onto something."""
        x, y = self.middle(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a file input."""
        root = self.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def drop(self, selector: str, *files: Path) -> None:
        """Drop files from a folder onto something."""
        x, y = self.middle(selector)
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def shot(self, path: Path) -> Path:
        """A picture of what is seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        return path

    def download(self, selector: str, folder: Path) -> Path:
        """The file that a click on something saves into an empty folder."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.click(selector)
        end = time.monotonic() + 20
        while not [f for f in folder.iterdir() if f.suffix == ".csv"] and time.monotonic() < end:
            time.sleep(0.05)
        (found,) = folder.iterdir()
        return found

    def readout(self) -> dict[str, str]:
        """What stands below the curves of the class shown."""
        return dict(
            self.ask("[...document.querySelectorAll('#readout div')].map(d => [...d.children].map(c => c.textContent))")
        )

    def rows(self, selector: str) -> list[list[str]]:
        """The cells of the body of a table."""
        cells = "[...r.cells].map(c => c.textContent)"
        return self.ask(
            f"[...document.querySelector({json.dumps(selector)}).querySelectorAll('tbody tr')].map(r => {cells})"
        )

    def unfold(self) -> None:
        """Open every table that waits until it is asked for."""
        self.ask("document.querySelectorAll('details').forEach((d) => d.open = true)")
        self.ask("new Promise((done) => setTimeout(done, 50))")

    def misdrawn(self) -> list[str]:
        """Shapes and lines at a place that is no number, or of negative size."""
        names = ("d", "points", "x", "y", "cx", "cy", "x1", "y1", "x2", "y2", "width", "height")
        wrong = ", ".join([*(f"svg [{name}*=NaN]" for name in names), 'svg [width^="-"], svg [height^="-"]'])
        return self.ask(f"[...document.querySelectorAll({json.dumps(wrong)})].map((e) => e.outerHTML)")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        for end in (self._in, self._out):
            os.close(end)
