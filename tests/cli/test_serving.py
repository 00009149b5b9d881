"""`serve`: what it refuses before it loads a model, and that it serves and ends."""

import os
import re
import signal
import subprocess
import sys

import httpx
import pytest
from typer.testing import CliRunner

from manylabel.cli import app


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--no-token"),
        (["--max-files", "0"], "max-files"),
        (["--token", ""], "token"),
        (["--url-host", "https://x.org/"], "--url-host"),
        ([], "holds no finished run"),
    ],
)
def test_what_cannot_be_served_is_told(tmp_path, options, said):
    result = CliRunner().invoke(app, ["serve", str(tmp_path), *options])
    assert result.exit_code != 0
    assert said in str(result.exception)


SERVED = """
import sys
sys.path[:0] = [{web!r}]
import manylabel.model, server
manylabel.model.load = lambda path: server.colour_model()
from manylabel.cli import main
sys.argv = ["manylabel", "serve", "pets", "--port", "0"]
main()
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_at_the_loopback_with_the_token_of_the_variable_and_ends(tmp_path, end):
    code = SERVED.format(web=os.path.join(os.path.dirname(__file__), "..", "web"))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env={**os.environ, "MANYLABEL_TOKEN": "right"}
    )
    told = process.stderr.readline()
    url = re.fullmatch(r"serving pets at (http://127\.0\.0\.1:\d+)/ \(Ctrl-C ends\)\n", told)[1]
    with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
        assert client.get("/labels").status_code == 401
        assert client.get("/labels", headers={"authorization": "Bearer right"}).status_code == 200
    process.send_signal(end)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 0, rest
    assert "stopped; all requests were answered" in rest
    assert "Traceback" not in rest


def test_an_address_that_is_taken_is_told(monkeypatch):
    import socket

    from manylabel.labels import ManylabelError
    from manylabel.web.run import listen
    from manylabel.web.settings import Settings

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ManylabelError, match=f"cannot listen at 127.0.0.1:{port}"):
            listen(Settings(port=port))
