"""Clients of a server under load: good ones that wait for each answer, and bad ones. See `serve_load.py`."""

from __future__ import annotations

import contextlib
import json
import random
import re
import resource
import selectors
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.model import load

IMAGES, COMPARED = 2048, 64


def photographs(folder: Path) -> list[Path]:
    """Up to `IMAGES` files, the same for all parts."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    random.Random(0).shuffle(files)
    if not files:
        raise SystemExit(f"there is no JPEG in {folder}")
    return files[:IMAGES]


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def request(name: str, data: bytes) -> bytes:
    """POST /predict with one file."""
    body = (f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n').encode()
    body += data + b"\r\n--b--\r\n"
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + body


class Client:
    """A connection that asks, waits for the answer, and asks again."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.image, self.out, self.found, self.begun = "", memoryview(b""), bytearray(), 0.0

    def ask(self, image: str, data: bytes) -> None:
        self.image, self.out, self.begun = image, memoryview(data), time.perf_counter()
        self.found.clear()

    def write(self) -> bool:
        """Whether all is sent."""
        self.out = self.out[self.socket.send(self.out) :]
        return not self.out

    def read(self) -> tuple[int, bytes] | None:
        """Status and body, once all is there."""
        more = self.socket.recv(1 << 18)
        if not more:
            raise ConnectionError("the server hung up")
        self.found += more
        head, blank, body = bytes(self.found).partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if not blank or length is None or len(body) < int(length[1]):
            return None
        return int(head[9:12]), body


class Load:
    """Connections with one request each at a time, served by one thread."""

    def __init__(self, port: int, clients: int, asked: dict[str, bytes]) -> None:
        self.asked, self.names, self.turn = asked, list(asked), 0
        self.chosen = selectors.DefaultSelector()
        self.clients = [Client(port) for _ in range(clients)]
        self.seconds: list[float] = []
        self.errors: Counter[str] = Counter()
        self.answers: dict[str, bytes] = {}

    def run(self, until: float) -> float:
        """Ask until the time is over and all is answered; the time of the last answer."""
        for client in self.clients:
            self.ask(client)
            self.chosen.register(client.socket, selectors.EVENT_WRITE, client)
        left, last = len(self.clients), 0.0
        while left:
            for key, _ in self.chosen.select(60):
                if not self.step(key.data):
                    continue
                last = time.perf_counter()
                if last > until:
                    self.chosen.unregister(key.data.socket)
                    key.data.socket.close()
                    left -= 1
                else:
                    self.ask(key.data)
                    self.chosen.modify(key.data.socket, selectors.EVENT_WRITE, key.data)
        return last

    def ask(self, client: Client) -> None:
        """The next image."""
        name = self.names[self.turn % len(self.names)]
        self.turn += 1
        client.ask(name, self.asked[name])

    def step(self, client: Client) -> bool:
        """Send or receive what can be; whether an answer is whole."""
        if client.out:
            if client.write():
                self.chosen.modify(client.socket, selectors.EVENT_READ, client)
            return False
        answer = client.read()
        if answer is None:
            return False
        if answer[0] != 200:
            self.errors[str(answer[0])] += 1
        else:
            self.seconds.append(time.perf_counter() - client.begun)
            if len(self.answers) < COMPARED:
                self.answers[client.image] = answer[1]
        return True


def good(port: int, clients: int, *, seconds: float, model: Path, folder: Path) -> dict[str, Any]:
    """`clients` connections, each with one request at a time; the answers of some images are compared afterwards."""
    files = photographs(folder)
    load_now = Load(port, clients, {file.name: request(file.name, file.read_bytes()) for file in files})
    begun, cpu = time.perf_counter(), cpu_seconds()
    last = load_now.run(begun + seconds)
    cpu = cpu_seconds() - cpu
    p50, p99 = np.percentile(load_now.seconds, [50, 99])
    return {
        "images": len(load_now.seconds), "seconds": last - begun, "cpu": cpu, "errors": sum(load_now.errors.values()),
        "p50_ms": round(1000 * p50), "p99_ms": round(1000 * p99),
        "difference": difference(model, files, load_now.answers),
    }  # fmt: skip


def difference(model: Path, files: list[Path], answers: dict[str, bytes]) -> float:
    """The largest by which a probability differs from that of `predict`."""
    paths = {file.name: file for file in files}
    expected = load(model).predict([paths[name] for name in answers])
    worst = 0.0
    for prediction, body in zip(expected, answers.values()):
        told = json.loads(body)["predictions"][0]
        worst = max(worst, *(abs(p - told["probabilities"][name]) for name, p in prediction.probabilities.items()))
    return worst


def bad(port: int, clients: int, *, seconds: float, folder: Path) -> dict[str, Any]:
    """`clients` threads that send nothing but what must be refused."""
    wrong = refusals(photographs(folder)[0].read_bytes())
    statuses: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    end = time.perf_counter() + seconds

    def send(turn: int) -> None:
        while time.perf_counter() < end:
            name, data = wrong[turn % len(wrong)]
            turn += 1
            status = answer_to(port, data)
            statuses[str(status)] += 1
            if not 400 <= status < 500:
                errors[f"{name}: {status}"] += 1

    threads = [threading.Thread(target=send, args=(turn,)) for turn in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"statuses": statuses, "errors": sum(errors.values()), "which": errors}


def answer_to(port: int, data: bytes) -> int:
    """The status that a fresh connection gets for raw bytes; 0 where there was none."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        with contextlib.suppress(OSError):  # where the server stopped reading, its answer is there
            line.sendall(data)
        found = line.recv(1 << 16)
    return int(found[9:12]) if found.startswith(b"HTTP/1.1 ") else 0


def refusals(photo: bytes) -> list[tuple[str, bytes]]:
    """What must be refused, each with its name."""
    flat = zlib.compress(bytes(1 << 20), 9)
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", flat) + chunk(b"IEND", b"")
    text = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    text += chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 26), 9)) + chunk(b"IEND", b"")
    whole = request("x", b"")
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="x"\r\n\r\n'
    return [
        ("declared too large", head + b"Content-Length: 1000000000000\r\n\r\n" + part + bytes(1 << 20)),
        ("streamed too large", head + b"Transfer-Encoding: chunked\r\n\r\n" + b"5000000\r\n" + bytes(80 << 20)),
        ("file too large", request("x", bytes(21 << 20))),
        ("truncated", request("x", photo[: len(photo) // 2])),
        ("header cut", request("x", photo[:20])),
        ("bomb", request("x", bomb)),
        ("text bomb", request("x", text)),
        ("empty", whole),
        ("no image", request("x", b"PK\x03\x04" + flat)),
        ("no form", head + b"Content-Length: 4\r\n\r\nform"),
        ("no HTTP", b"\x16\x03\x01 hello\r\n\r\n"),
    ]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
