"""Images from addresses: off unless hosts are named, and then within narrow bounds."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import server

from manylabel.web.fetch import Allowance, checked, fetch, is_outside
from manylabel.web.refusal import Refusal
from manylabel.web.settings import Settings


class Pictures(BaseHTTPRequestHandler):
    """Answers in several ways; `asked` is what came."""

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        name = self.path.partition("?")[0]
        status, headers, body = {
            "/red.png": (200, {}, server.picture("red")),
            "/text": (200, {}, b"text"),
            "/elsewhere": (302, {"Location": "/red.png"}, b""),
            "/gone": (404, {}, b""),
            "/long": (200, {"Content-Length": "99999999"}, b""),
            "/endless": (200, {"Content-Length": ""}, b"x" * 30_000),
            "/packed": (200, {"Content-Encoding": "gzip"}, b"x"),
            "/drips": (200, {"Content-Length": "100"}, b"x"),
        }[name]
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            if value:
                self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        if name == "/drips":
            self.server.held.wait(5)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def elsewhere():
    """Another server, on the loopback."""
    other = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    other.asked, other.held = [], threading.Event()
    thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield other
    other.held.set()
    other.shutdown()
    thread.join()
    other.server_close()


@pytest.fixture(scope="module")
def fetching(elsewhere):
    """A server that may fetch from it, and its address."""
    place = f"127.0.0.1:{elsewhere.server_port}"
    with server.running(url_hosts=(place,), max_image_bytes=20_000, max_files=3, timeout=1.0) as own:
        yield own, f"http://{place}"


def asked(own, *urls, **more):
    return own.client.post("/predict", json={"urls": list(urls), **more})


def test_it_is_off_unless_a_host_is_named(colours):
    answer = asked(colours, "http://127.0.0.1/x.png")
    assert answer.status_code == 403
    assert "--url-host" in answer.json()["detail"]


def test_a_picture_is_fetched_and_named_by_its_address(fetching, elsewhere):
    own, place = fetching
    answer = asked(own, f"{place}/red.png?size=1", f"{place}/text")
    assert answer.status_code == 200
    good, bad = answer.json()["predictions"]
    assert good["image"] == f"{place}/red.png?size=1"
    assert [label["name"] for label in good["labels"]] == ["red"]
    assert "no image" in bad["error"]
    path, headers = next(one for one in elsewhere.asked if one[0].startswith("/red"))
    assert path == "/red.png?size=1"
    assert "Authorization" not in headers
    assert headers["Host"] == place.removeprefix("http://")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/elsewhere", 422, "not followed"),
        ("/gone", 422, "status 404"),
        ("/long", 413, "more than 20,000 bytes"),
        ("/endless", 413, "more than 20,000 bytes"),
        ("/packed", 422, "compressed"),
        ("/drips", 422, "within 1 seconds"),
    ],
)
def test_what_does_not_come_as_it_should_is_told(fetching, path, status, said):
    own, place = fetching
    answer = asked(own, place + path)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_a_body_of_other_content_is_refused(fetching):
    own, place = fetching
    for body in ({"urls": []}, {"urls": "x"}, {"urls": [1]}, {"url": []}, {"urls": [place], "more": 1}, {}):
        assert own.client.post("/predict", json=body).status_code == 422
    assert asked(own, *[place] * 4).status_code == 413


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://images.org/a.jpg", None),
        ("http://images.org:443/a.jpg", None),
        ("HTTP://IMAGES.org", None),
        ("https://ported.org:8443/", None),
        ("https://ported.org/", 403),
        ("https://images.org:22/", 403),
        ("https://images.org.evil.org/", 403),
        ("https://evil.org/", 403),
        ("https://sub.images.org/", 403),
        ("https://user@images.org/", 422),
        ("https://images.org@evil.org/", 422),
        ("https://evil.org\\@images.org/", 422),
        ("ftp://images.org/", 422),
        ("file:///etc/passwd", 422),
        ("//images.org/", 422),
        ("https://images.org:x/", 422),
        ("https://images.org/a b", 422),
        ("https://images.org/\r\nHost: x", 422),
        ("https://[::1", 422),
        ("", 422),
        ("http://127.0.0.1/", 403),
        ("http://2130706433/", 403),
    ],
)
def test_only_named_hosts_at_their_ports(url, status):
    outcome = contextlib.nullcontext() if status is None else pytest.raises(Refusal)
    with outcome as refused:
        checked(url, ("images.org", "ported.org:8443"))
    assert status == (refused.value.status if refused else None)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
     "ff02::1", "2001:0:102:304::1"],
)  # fmt: skip
def test_a_name_that_leads_inside_is_refused(monkeypatch, address):
    """Also where only one of its addresses does; and the address that was checked is the one connected to."""
    assert not is_outside(ipaddress.ip_address(address))
    found = [(0, 0, 0, "", (one, 443)) for one in ("93.184.216.34", address)]
    connected = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)

    async def connect(host, *_, **__):
        connected.append(host)
        raise ConnectionRefusedError("not here")

    monkeypatch.setattr(asyncio, "open_connection", connect)
    settings = Settings(url_hosts=("images.org",))
    upload = asyncio.run(fetch("https://images.org/a.jpg", settings, Allowance(9)))
    assert upload.refused.status == 403
    assert connected == []
    found.pop()
    upload = asyncio.run(fetch("https://images.org/a.jpg", settings, Allowance(9)))
    assert (upload.refused.status, connected) == (422, ["93.184.216.34"])


def test_the_bytes_of_a_request_are_counted_together(fetching):
    _, place = fetching
    settings = Settings(url_hosts=(place.removeprefix("http://"),))
    size = len(server.picture("red"))

    async def both(allowed):
        allowance = Allowance(allowed)
        return await asyncio.gather(*(fetch(f"{place}/red.png", settings, allowance) for _ in range(2)))

    assert [one.refused for one in asyncio.run(both(2 * size))] == [None, None]
    assert [one.refused.status for one in asyncio.run(both(2 * size - 1)) if one.refused] == [413]


def test_few_requests_fetch_at_once(fetching, monkeypatch):
    own, place = fetching
    monkeypatch.setattr(own.service, "fetching", 4)
    assert asked(own, f"{place}/red.png").status_code == 503
