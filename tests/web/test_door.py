"""Who may come in."""

import pytest
import server
from starlette.datastructures import Headers

from manylabel.labels import ManylabelError
from manylabel.web import door
from manylabel.web.refusal import Refusal
from manylabel.web.settings import Settings


def came_in(settings, method="POST", path="/predict", **headers):
    """The status of a refusal, or None."""
    given = {"host": "127.0.0.1:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    try:
        door.check(method, path, Headers(given), settings)
    except Refusal as refused:
        return refused.status
    return None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", None),
        ("localhost", None),
        ("LOCALHOST:1", None),
        ("[::1]:8000", None),
        ("192.168.1.5", None),  # an address is no name that somebody could let lead here
        ("photos.example.org:80", None),
        ("evil.example.org", 400),
        ("localhost.evil.org", 400),
        ("127.0.0.1.nip.io", 400),
        ("localhost@evil.org", 400),
        ("localhost:1@evil.org", 400),
        ("127.0.0.1:x", 400),
        ("127.0.0.1/", 400),
        ("", 400),
    ],
)
def test_only_our_own_names_are_answered(host, status):
    settings = Settings(names=("photos.example.org",))
    assert came_in(settings, "GET", "/labels", host=host) == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),  # no browser
        ({"origin": "http://127.0.0.1:8000", "sec_fetch_site": "same-origin"}, None),
        ({"sec_fetch_site": "none"}, None),
        ({"origin": "https://127.0.0.1:8000"}, None),  # behind something that speaks TLS
        ({"origin": "http://evil.org"}, 403),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[bad"}, 403),
        ({"origin": ""}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),  # another port of this machine
    ],
)
def test_a_page_of_another_site_cannot_post(headers, status):
    assert came_in(Settings(), **headers) == status
    assert came_in(Settings(), "GET", "/labels", **headers) is None


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", "Basic right", "right", "Bearer right x", "Bearer ü"]
)
def test_a_token_is_asked_for_everywhere_but_at_health_and_the_page(given):
    settings, headers = Settings(token="right"), {} if given is None else {"authorization": given}
    for path in ("/predict", "/explain", "/feedback", "/labels", "/metrics", "/openapi.json", "/health/", "/static"):
        assert came_in(settings, "GET", path, **headers) == 401, path
    for path in ("/health", "/", "/static/page.js"):
        assert came_in(settings, "GET", path, **headers) is None
    assert came_in(settings, "GET", "/labels", authorization="bearer right") is None


def test_tokens_are_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr(door.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    came_in(Settings(token="right"), authorization="Bearer wrong")
    assert compared == [(b"wrong", b"right")]


def test_a_token_over_the_wire():
    with server.running(token="right") as own:
        refused = own.client.get("/labels")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert own.client.get("/labels", headers={"authorization": "Bearer right"}).status_code == 200
        assert own.client.get("/health").status_code == 200
        document = own.client.get("/openapi.json", headers={"authorization": "Bearer right"}).json()
    assert document["paths"]["/predict"]["post"]["security"]
    assert "security" not in document["paths"]["/health"]["get"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])
def test_other_machines_are_let_in_only_with_a_token_or_by_wish(host):
    with pytest.raises(ManylabelError, match="--no-token"):
        Settings(host=host)
    Settings(host=host, token="x")
    Settings(host=host, no_token=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"token": ""}, "visible ASCII"),
        ({"token": "a b"}, "visible ASCII"),
        ({"max_files": 0}, "max-files"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_pixels": 10**9}, "at most"),
        ({"max_waiting": 3, "max_files": 4}, "never fits"),
        ({"max_held": 1}, "max_held"),
        ({"url_hosts": ("https://a.org/",)}, "--url-host"),
        ({"url_hosts": ("a.org/x",)}, "--url-host"),
    ],
)
def test_settings_that_are_no_good_are_refused(options, said):
    with pytest.raises(ManylabelError, match=said):
        Settings(**options)
