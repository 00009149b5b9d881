"""What is too much, too slow or no image is refused before work, and good requests go on meanwhile."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import struct
import tarfile
import threading
import time
import zipfile
import zlib

import httpx
import pytest
import server

from manylabel.web import hall, run
from manylabel.web.counters import Counters
from manylabel.web.settings import Settings

PART = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
MULTIPART = {"content-type": "multipart/form-data; boundary=b"}


def talk(own, data, *, wait=5.0):
    """The whole answer to raw bytes on a fresh connection."""
    with socket.create_connection(("127.0.0.1", own.port), timeout=wait) as line:
        line.sendall(data)
        return rest(line)


def rest(line):
    found = b""
    while chunk := line.recv(1 << 16):
        found += chunk
    return found


def head(own, length="", **more):
    lines = ["POST /predict HTTP/1.1", f"Host: 127.0.0.1:{own.port}", "Connection: close",
             "Content-Type: multipart/form-data; boundary=b", length]  # fmt: skip
    lines += [f"{name}: {value}" for name, value in more.items()]
    return "\r\n".join([line for line in lines if line]).encode() + b"\r\n\r\n"


def status(answer):
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(scope="module")
def small():
    """A server with small limits."""
    with server.running(max_files=3, max_bytes=40_000, max_image_bytes=20_000, max_pixels=10_000,
                        max_held=100_000, timeout=0.6) as found:  # fmt: skip
        yield found


def test_a_body_declared_too_long_is_refused_before_it_is_read(small):
    answer = talk(small, head(small, "Content-Length: 40001"))
    assert status(answer) == 413
    assert b"40,000 bytes" in answer


def test_a_body_without_a_length_is_counted_while_it_streams(small):
    sent = 0
    with socket.create_connection(("127.0.0.1", small.port), timeout=5) as line:
        line.sendall(head(small, "Transfer-Encoding: chunked") + b"8\r\n--b\r\nCon\r\n")
        for _ in range(60):
            line.sendall(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            sent += 1000
        line.sendall(b"0\r\n\r\n")
        answer = rest(line)
    assert status(answer) in (413, 422)
    whole = PART + b"x" * 60_000 + b"\r\n--b--\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (whole[i : i + 1000] for i in range(0, len(whole), 1000)))
    answer = talk(small, head(small, "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n")
    assert status(answer) == 413
    assert b"40,000 bytes" in answer


def test_a_lying_length_does_not_help(small):
    body = PART + b"x" * 60_000
    assert status(talk(small, head(small, "Content-Length: 100") + body)) in (400, 422)
    for length in ("Content-Length: -1", "Content-Length: 1e9", "Content-Length: 5\r\nContent-Length: 6"):
        assert status(talk(small, head(small, length))) == 400


def test_who_sends_a_long_body_still_gets_the_answer():
    """A server that closed at once would reset the connection, and the answer would be lost."""
    with server.running(max_bytes=8_000_000) as own:
        answer = talk(own, head(own, "Content-Length: 12000000") + bytes(12_000_000))
        assert status(answer) == 413
        assert own.predict(server.picture()).status_code == 200


def test_a_body_that_drips_is_given_up(small):
    begun = time.perf_counter()
    answer = talk(small, head(small, "Content-Length: 1000") + b"--b")
    assert status(answer) == 408
    assert time.perf_counter() - begun < 3


def test_a_head_that_drips_is_given_up(small, monkeypatch):
    monkeypatch.setattr(run, "HEADER_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", small.port), timeout=5) as line:
        line.sendall(b"GET /health HTTP/1.1\r\n")
        for _ in range(20):
            time.sleep(0.05)
            try:
                line.sendall(b"a: b\r\n")
            except OSError:
                break
        else:
            pytest.fail("the connection was kept")


def test_too_many_files_are_refused_and_one_too_large_is_an_entry(small):
    good = server.picture()
    assert small.predict(good, good, good).status_code == 200
    many = small.predict(good, good, good, good)
    assert (many.status_code, many.json()["detail"]) == (413, "at most 3 files in a request")
    mixed = small.predict(good, b"x" * 20_001)
    assert mixed.status_code == 200
    assert mixed.json()["predictions"][1] == {"image": "x.png", "error": "20,001 bytes are more than 20,000"}
    assert small.predict(b"x" * 20_001).status_code == 413


def test_bytes_held_for_all_requests_together_are_bounded(small):
    """Each of these is within its own limit; together they are not."""
    body = PART + b"x" * 39_000
    lines = []
    try:
        for _ in range(4):
            line = socket.create_connection(("127.0.0.1", small.port), timeout=5)
            line.sendall(head(small, "Content-Length: 39900") + body)
            lines.append(line)
        answers = [rest(line) for line in lines]
    finally:
        for line in lines:
            line.close()
    assert sorted({status(answer) for answer in answers}) == [408, 503]
    assert any(b"retry-after: 1" in answer.lower() for answer in answers)
    assert small.predict(server.picture()).status_code == 200  # what was held is given back


def bomb(width=60_000, height=60_000):
    """A PNG of some bytes that says it has 3.6 thousand million pixels."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))  # fmt: skip


def archives():
    """Zip and tar files with paths that lead out of a folder, links, and much from little."""
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/cron.d/x", b"\0" * 1_000_000)
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        link = tarfile.TarInfo("photo.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return {"bomb.zip": zipped.getvalue(), "link.tar": tarred.getvalue()}


def text_bomb():
    """A PNG whose text of some kilobytes unpacks to 2 MB."""
    data = b"k\0\0" + zlib.compress(bytes(2_000_000))
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    good = server.picture()
    return good[:33] + chunk + good[33:]


GIF = b"GIF89a" + struct.pack("<HH3xBHHHHBB", 65535, 65535, 44, 0, 0, 65535, 65535, 0, 2) + bytes(9)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"


def test_what_is_no_image_damaged_or_a_bomb_is_refused_with_its_status(small):
    jpeg = server.noise(32, "JPEG")
    cases = [
        (413, {"bomb.png": bomb(), "large.png": bomb(101, 100), "bomb.gif": GIF}),
        (415, {**archives(), "x.svg": SVG, "x.eps": EPS, "x.pdf": b"%PDF-1.7\n", "x.txt": b"text", "x.html": b"<html>",
               "x.heic": bytes(4) + b"ftypheic" + bytes(20)}),
        (422, {"empty.jpg": b"", "cut.jpg": jpeg[: len(jpeg) // 2], "head.jpg": jpeg[:10], 
               "cut.png": server.noise(32)[:400], "start.png": server.picture()[:20], "text.png": text_bomb()}),
    ]  # fmt: skip
    for expected, files in cases:
        for name, data in files.items():
            answer = small.predict((name, data))
            assert answer.status_code == expected, (name, answer.text)
            assert set(answer.json()) == {"detail"}
    mixed = small.predict(("x.txt", b"text"), ("empty.jpg", b""))
    assert mixed.status_code == 422
    assert all(word in mixed.json()["detail"] for word in ("none of 2 images", "x.txt", "empty.jpg"))


def test_only_the_formats_of_image_files_are_opened(small, monkeypatch):
    from PIL import EpsImagePlugin, Image

    def opened(*_):
        raise AssertionError("the reader of PostScript was asked")

    monkeypatch.setitem(Image.OPEN, "EPS", (opened, EpsImagePlugin._accept))
    assert small.predict(EPS).status_code == 415


def test_names_that_lead_elsewhere_are_names_only(small):
    for name, shown in (("../../etc/passwd", "passwd"), ("/etc/passwd", "passwd"), ("C:\\x\\a.png", "a.png"),
                        ("..", "image"), ("", "image"), ("a\x1b[31m.png", "a[31m.png")):  # fmt: skip
        body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="' + name.encode() + b'"\r\n\r\n'
        body += server.picture() + b"\r\n--b--\r\n"
        answer = small.client.post("/predict", content=body, headers=MULTIPART)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["predictions"][0]["image"] == shown


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("multipart/form-data; boundary=b", b"", 422),
        ("multipart/form-data; boundary=b", b"--b\r\n", 422),
        ("multipart/form-data; boundary=b", b"no boundary at all", 422),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", 422),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 422),
        ("multipart/form-data", b"--b--\r\n", 415),
        ("multipart/form-data; boundary=" + 300 * "b", b"--b--\r\n", 422),
        ("text/plain", b"x", 415),
        ("application/x-www-form-urlencoded", b"files=x", 415),
        ("", b"x", 415),
    ],
)
def test_a_damaged_body_is_refused(small, kind, body, expected):
    answer = small.client.post("/predict", content=body, headers={"content-type": kind})
    assert answer.status_code == expected
    other = small.client.post("/predict", files={"images": server.picture()})
    assert (other.status_code, other.json()["detail"]) == (
        422,
        "expected files in the field 'files', got a field 'images'",
    )


def test_a_body_cut_off_in_its_second_file_is_not_taken_for_one_of_one_file(small):
    content = PART + server.picture() + b"\r\n" + PART + b"x"
    answer = small.client.post("/predict", content=content, headers=MULTIPART)
    assert (answer.status_code, answer.json()["detail"]) == (422, "the multipart body is damaged: it has no end")


def test_a_compressed_body_is_refused(small):
    answer = small.client.post("/predict", content=zlib.compress(b"x"), headers={"content-encoding": "deflate"})
    assert answer.status_code == 415


def test_good_requests_go_on_in_a_flood_of_bad_ones():
    bad = [b"x" * 2_000_001, server.noise()[:500], bomb(), b"text", b"", text_bomb(), *archives().values()]
    with server.running(max_bytes=4_000_000, max_image_bytes=1_000_000) as own:
        statuses, stop = [], threading.Event()

        def flood(turn):
            with httpx.Client(base_url=own.url, timeout=20, trust_env=False) as client:
                while not stop.is_set():
                    turn += 1
                    statuses.append(own.predict(bad[turn % len(bad)], client=client).status_code)

        threads = [threading.Thread(target=flood, args=(k,)) for k in range(3)]
        for thread in threads:
            thread.start()
        good = [own.predict(server.picture()).status_code for _ in range(20)]
        server.until(lambda: len(set(statuses)) >= 3)
        stop.set()
        for thread in threads:
            thread.join()
    assert set(good) == {200}
    assert set(statuses) == {413, 415, 422}


def test_what_a_process_does_before_its_answer_is_only_counting(small):
    """However it is cut into chunks, a body says the same."""
    request = httpx.Request("POST", small.url + "/predict", files={"files": ("a.png", server.picture())})
    data = request.read()
    told = []
    for size in (1, 7, len(data)):
        pieces = (data[i : i + size] for i in range(0, len(data), size))
        answer = small.client.post(
            "/predict", content=pieces, headers={"content-type": request.headers["content-type"]}
        )
        told.append(json.loads(answer.content))
    assert told[0] == told[1] == told[2]
    assert "labels" in told[0]["predictions"][0]


def test_who_takes_an_answer_slowly_holds_neither_room_nor_a_connection_for_ever(monkeypatch):
    monkeypatch.setattr(hall, "SEND_SECONDS", 0.05)
    held, stuck = [], asyncio.Event()

    async def answers(scope, receive, send):
        await receive()
        held.append(guard.held)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        held.append(guard.held)
        await send({"type": "http.response.body", "body": b"x"})

    async def receive():
        return {"type": "http.request", "body": b"x" * 500}

    async def send(message):
        if message["type"] == "http.response.body":
            await stuck.wait()

    guard = hall.Hall(answers, Settings(), Counters())
    headers = [(b"host", b"localhost"), (b"content-length", b"500")]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    asyncio.run(asyncio.wait_for(guard(scope, receive, send), 5))
    assert held == [500, 0]
    assert (guard.held, dict(guard.counters.errors)) == (0, {"internal": 1})
