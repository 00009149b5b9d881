"""How fast `manylabel serve` is beside offline `predict` on the same images, and what a flood of bad uploads does.

    python benchmarks/serve_load.py [MODEL] [FOLDER_OF_IMAGES] [--seconds 60] [--clients 64] [--out FILE.csv]

In one run, one after the other: offline `predict` (`Model.stream`) in a process of its own; the server in another with
`clients` connections from a third, each of which sends one image a request and waits for the answer; offline `predict`
again; at last 8 good clients while 8 others send what is too large, cut off, a bomb or no image at all.

Client and server share the cores, which offline `predict` has for itself. So the client speaks raw sockets, its CPU
time is measured, and two ratios are given: `ratio` is images a second of the server over those of `predict` (the mean
of before and after); `ratio_cores` counts only the cores that the client left: ratio / (1 - client CPU seconds /
seconds / cores). Other work on the machine may meet one and not the other: `cpu_ms`, the CPU time of an image, is free
of it.
The promises are no error, `ratio_cores` of at least `LEAST`, and memory that does not grow (`mib_first` is the server's
after a third of the time, `mib_last` at the end); answers are compared with the predictions too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from manylabel.model import cores, load
from results import write
from serve_clients import bad, cpu_seconds, good, photographs

ROOT = Path(__file__).resolve().parents[1]
LEAST, MOST_GROWTH_MIB = 0.8, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path, default=ROOT / "runs/demo")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared/data/coco80")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/serve.csv")
    parser.add_argument("--part", choices=("offline", "good", "bad"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        return print(json.dumps(here(given)))
    rows = bench(given)
    write(given.out, rows)
    check(rows)


def bench(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of the table."""
    offline_seconds = max(5.0, given.seconds / 3)
    before = part(given, "offline", offline_seconds)
    with_server: list[dict[str, Any]] = []
    server = Server(given.model)
    try:
        part(given, "good", 3.0, clients=8, port=server.port)  # warm
        with_server.append(server.during(lambda: [part(given, "good", given.seconds, port=server.port)]))
        flood = max(5.0, given.seconds / 3)
        with_server.append(server.during(lambda: together(
            lambda: part(given, "good", flood, clients=8, port=server.port),
            lambda: part(given, "bad", flood, clients=8, port=server.port))))  # fmt: skip
    finally:
        server.stop()
    after = part(given, "offline", offline_seconds)
    rate = (before["images"] + after["images"]) / (before["seconds"] + after["seconds"])
    return [*(plain(name, one) for name, one in (("predict, before", before), ("predict, after", after))),
            loaded(given, with_server[0], rate), flooded(with_server[1])]  # fmt: skip


def plain(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """The row of offline `predict`."""
    return {"what": name, "clients": "", "seconds": round(told["seconds"], 1), "images": told["images"], "errors": 0,
            "images_per_s": round(told["images"] / told["seconds"], 1),
            "cpu_ms": round(1000 * told["cpu"] / told["images"], 1)}  # fmt: skip


def loaded(given: argparse.Namespace, told: dict[str, Any], rate: float) -> dict[str, Any]:
    """The row of the clients, beside `rate` images a second offline."""
    (client,) = told["parts"]
    served = client["images"] / client["seconds"]
    share = client["cpu"] / client["seconds"] / cores()
    return {
        **plain("server", client), "clients": given.clients, "errors": client["errors"],
        "cpu_ms": round(1000 * told["cpu"] / max(client["images"], 1), 1), "ratio": round(served / rate, 3),
        "client_cpu_percent": round(100 * share, 1), "ratio_cores": round(served / rate / (1 - share), 3),
        "p50_ms": client["p50_ms"], "p99_ms": client["p99_ms"], "mib_first": told["mib_first"],
        "mib_last": told["mib_last"], "difference": f"{client['difference']:.1e}", "refused": "",
    }  # fmt: skip


def flooded(told: dict[str, Any]) -> dict[str, Any]:
    """The row of the flood."""
    client, flood = told["parts"]
    return {
        **plain("server in a flood", client), "clients": "8 good, 8 bad", "errors": client["errors"] + flood["errors"],
        "cpu_ms": "", "p50_ms": client["p50_ms"], "p99_ms": client["p99_ms"], "mib_first": told["mib_first"],
        "mib_last": told["mib_last"], "difference": f"{client['difference']:.1e}",
        "refused": ", ".join(f"{n} x {status}" for status, n in sorted(flood["statuses"].items())),
    }  # fmt: skip


def check(rows: list[dict[str, Any]]) -> None:
    """Stop with what was promised and is not so."""
    server, flood = rows[2:]
    wrong = [f"{row['errors']} errors: {row['what']}" for row in (server, flood) if row["errors"]]
    if server["ratio_cores"] < LEAST:
        wrong.append(f"ratio {server['ratio_cores']} is below {LEAST}")
    wrong += [f"memory grew: {row['what']}" for row in (server, flood)
              if row["mib_last"] - row["mib_first"] > MOST_GROWTH_MIB]  # fmt: skip
    wrong += [f"other answers: {row['what']}" for row in (server, flood) if float(row["difference"]) > 1e-4]
    if wrong:
        raise SystemExit("; ".join(wrong))


def part(given: argparse.Namespace, name: str, seconds: float, **more: Any) -> dict[str, Any]:
    """One of the parts, in a process of its own."""
    options = {"seconds": seconds, "clients": given.clients, **more, "part": name}
    command = [sys.executable, __file__, str(given.model), str(given.folder)]
    command += [word for key, value in options.items() for word in (f"--{key}", str(value))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told = dict(json.loads(done.stdout.splitlines()[-1]))
    print(name, {k: v for k, v in told.items() if k != "answers"}, flush=True)
    return told


def together(*calls: Any) -> list[Any]:
    """What several calls give, side by side."""
    found: list[Any] = [None] * len(calls)

    def call(place: int) -> None:
        found[place] = calls[place]()

    threads = [threading.Thread(target=call, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


class Server:
    """`manylabel serve` in a process of its own, with its CPU time and memory."""

    def __init__(self, model: Path) -> None:
        command = [sys.executable, "-m", "manylabel", "serve", str(model), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        found = next(m for line in self.process.stderr if (m := re.search(r"http://[^:]+:(\d+)/", line)))
        self.port = int(found[1])
        self.log: deque[str] = deque(maxlen=20)
        threading.Thread(target=lambda: self.log.extend(self.process.stderr or ()), daemon=True).start()

    def during(self, call: Any) -> dict[str, Any]:
        """What `call` gives, with the server's CPU seconds and its memory after a third of the time and at the end."""
        cpu, sizes, ended = self.cpu(), [self.mib()], threading.Event()

        def sample() -> None:
            while not ended.wait(0.5):
                sizes.append(self.mib())

        watcher = threading.Thread(target=sample)
        watcher.start()
        parts = call()
        ended.set()
        watcher.join()
        return {"parts": parts, "cpu": self.cpu() - cpu, "mib_first": max(sizes[: len(sizes) // 3 + 1]),
                "mib_last": max(sizes[-len(sizes) // 3 :])}  # fmt: skip

    def cpu(self) -> float:
        """CPU seconds so far."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def mib(self) -> int:
        """Resident memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) // 1024

    def stop(self) -> None:
        """End it as a user does."""
        self.process.terminate()
        self.process.wait(60)


def here(given: argparse.Namespace) -> dict[str, Any]:
    """What `part` runs in its process."""
    if given.part == "offline":
        return offline(given)
    if given.part == "bad":
        return bad(given.port, given.clients, seconds=given.seconds, folder=given.folder)
    return good(given.port, given.clients, seconds=given.seconds, model=given.model, folder=given.folder)


def offline(given: argparse.Namespace) -> dict[str, Any]:
    """`predict` over the images again and again, until the time is over."""
    model, files = load(given.model), photographs(given.folder)
    for file in files:
        file.read_bytes()  # from here on in memory, as it is for the clients
    list(model.stream(files[:64]))
    end = time.perf_counter() + given.seconds
    begun, cpu, count = time.perf_counter(), cpu_seconds(), 0

    def until() -> Any:
        while True:
            for file in files:
                if time.perf_counter() > end:
                    return
                yield file

    for prediction in model.stream(until()):
        assert prediction.error is None
        count += 1
    return {"images": count, "seconds": time.perf_counter() - begun, "cpu": cpu_seconds() - cpu}


if __name__ == "__main__":
    main()
