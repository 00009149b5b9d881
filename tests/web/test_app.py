"""What the routes answer, over a real socket."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import httpx
import numpy as np
import pytest
import server
from PIL import Image

from manylabel.model import Model, load
from manylabel.web import schema
from manylabel.web.app import page_files
from manylabel.web.counters import Counters


def test_predict_says_what_the_model_says_with_the_name_of_the_file(colours):
    answer = colours.predict(("a.png", server.picture("red")), ("b.png", server.picture("#000")))
    assert answer.status_code == 200
    schema.Answer.model_validate(answer.json())
    expected = colours.model.predict([server.picture("red"), server.picture("#000")])
    told = [{**prediction.as_dict(), "image": name} for prediction, name in zip(expected, ("a.png", "b.png"))]
    assert answer.json() == {"model": "colours", "predictions": told}
    assert told[0]["labels"][0] == {
        "name": "red", "probability": pytest.approx(0.981, abs=1e-3), "threshold": 0.5, "ancestors": ["warm"],
        "aliases": ["scarlet"],
    }  # fmt: skip


def test_what_a_hierarchy_raised_is_told_beside_what_the_class_has_by_itself():
    """The threshold is held to the latter: a label of 0.98 may be absent where its threshold is 0.5."""
    model = server.colour_model()
    model = Model(model.network, replace(model.classes, pairs=(("red", "blue"), ("green", "blue"))))
    with server.running(model) as own:
        red, blue = own.predict(server.picture("#a00"), server.picture("blue")).json()["predictions"]
    alone = model.classes.calibrated(model.scores([model.read(server.picture("#a00"))]))[0]
    assert red["probabilities"]["blue"] == red["probabilities"]["red"] > 0.7
    assert red["own"] == {"blue": pytest.approx(1 / (1 + np.exp(-alone[2])), abs=1e-6)}
    assert "own" not in blue
    schema.Said.model_validate(red)


def test_sums_of_long_running_servers_keep_their_digits():
    counters = Counters()
    counters.request("/predict", 200, 1234567.25)
    assert 'manylabel_request_seconds_sum{path="/predict"} 1234567.25' in counters.text({})


def test_predict_chooses_as_it_is_asked(colours):
    white = server.picture("white")

    def names(**asked):
        return [label["name"] for label in colours.predict(white, **asked).json()["predictions"][0]["labels"]]

    assert names() == ["red", "green", "blue"]
    assert names(max_labels=1) == ["red"]
    assert names(min_score=0.99) == []
    grey = server.picture("#707070")  # -0.5 on the scale of logits: below 0, above the cut for 0.9
    assert colours.predict(grey).json()["predictions"][0]["labels"] == []
    guaranteed = colours.predict(grey, guarantee="recall=0.9").json()["predictions"][0]["labels"]
    assert [label["name"] for label in guaranteed] == ["red", "green", "blue"]
    assert guaranteed[0]["threshold"] == pytest.approx(0.2891, abs=1e-3)


def test_a_file_that_cannot_be_read_is_an_entry_and_the_rest_go_on(colours):
    whole = server.noise()
    answer = colours.predict(("cut.png", whole[: len(whole) // 2]), ("good.png", whole), ("no.txt", b"text"))
    assert answer.status_code == 200
    schema.Answer.model_validate(answer.json())
    cut, good, no = answer.json()["predictions"]
    assert (cut["image"], good["image"], no["image"]) == ("cut.png", "good.png", "no.txt")
    assert cut["error"].startswith("damaged")
    assert "no image" in no["error"]
    assert "error" not in good


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"min_score": 2}, "min_score"),
        ({"min_score": "nan"}, "min_score"),
        ({"max_labels": 0}, "max_labels"),
        ({"max_labels": "many"}, "max_labels"),
        ({"guarantee": "recal=0.9"}, "Did you mean 'recall'"),
        ({"guarantee": "recall=0.99"}, "up to 0.90"),
        ({"min_scor": 0.5}, "Did you mean 'min_score'"),
    ],
)
def test_a_wrong_parameter_is_named(colours, asked, said):
    answer = colours.predict(server.picture(), **asked)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_labels_health_and_metrics(colours):
    labels = colours.client.get("/labels").json()
    assert labels[0] == {"name": "red", "threshold": 0.5, "train_positives": 5, "ancestors": ["warm"],
                         "aliases": ["scarlet"]}  # fmt: skip
    assert [schema.Label.model_validate(label).name for label in labels] == list(server.COLOURS)
    assert colours.client.get("/health").json() == {"status": "ok", "model": "colours", "classes": 3, "waiting": 0}


def test_metrics_count_requests_images_errors_seconds_and_batches():
    with server.running() as own:
        own.predict(server.picture(), server.picture(), b"no image")
        own.predict(b"no image")
        own.client.get("/nothing/of/the/kind")
        answer = own.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    numbers = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert numbers['manylabel_requests_total{path="/predict",status="200"}'] == "1"
    assert numbers['manylabel_requests_total{path="/predict",status="415"}'] == "1"
    assert numbers['manylabel_requests_total{path="other",status="404"}'] == "1"
    assert numbers["manylabel_images_total"] == "2"
    assert numbers['manylabel_errors_total{kind="not_image"}'] == "2"
    assert numbers['manylabel_request_seconds_count{path="/predict"}'] == "2"
    assert float(numbers["manylabel_batch_images_sum"]) == 2
    assert numbers["manylabel_waiting_images"] == "0"
    shape = re.compile(r'(# (HELP|TYPE) manylabel_\w+ .+|manylabel_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.e+-]+)')
    assert all(shape.fullmatch(line) for line in answer.text.splitlines())


def test_explain_gives_a_clear_picture_of_the_photo_s_proportions(colours):
    half = Image.new("RGB", (900, 450), "black")
    half.paste("red", (0, 0, 450, 450))
    buffer = io.BytesIO()
    half.save(buffer, "PNG")
    answer = colours.client.post("/explain?label=red", files={"file": ("half.png", buffer.getvalue())})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    heat = Image.open(io.BytesIO(answer.content))
    assert (heat.mode, heat.size) == ("RGBA", (448, 224))
    alpha = np.asarray(heat)[:, :, 3]
    assert alpha[:, :200].mean() > 100 > 20 > alpha[:, 250:].mean()
    assert colours.client.post("/explain?label=scarlet", files={"file": server.picture()}).status_code == 200
    unknown = colours.client.post("/explain?label=rd", files={"file": server.picture()})
    assert unknown.status_code == 422
    assert "Did you mean 'red'" in unknown.json()["detail"]
    no_image = colours.client.post("/explain?label=red", files={"file": b"text"})
    assert no_image.status_code == 415
    two = colours.client.post("/explain?label=red", files=[("file", server.picture())] * 2)
    assert two.status_code == 413


def test_the_openapi_document_is_there_and_no_page_that_loads_from_elsewhere(colours):
    assert colours.client.get("/static/report.css/").status_code == 404, "no way elsewhere"
    document = colours.client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/predict", "/explain", "/feedback", "/labels", "/health", "/metrics", "/about",
    }  # fmt: skip
    assert [colours.client.get(path).status_code for path in ("/docs", "/redoc")] == [404, 404]


def test_every_answer_carries_the_headers_that_guard_a_browser(colours):
    for answer in (colours.client.get("/health"), colours.client.get("/nowhere"), colours.predict(b"x")):
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers


def test_the_page_is_served_and_nothing_beside_it(tmp_path, monkeypatch):
    pages = tmp_path / "pages"
    pages.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (pages / "index.html").write_text("<!doctype html>the page")
    (pages / "page.js").write_text("1")
    (pages / "link.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr("manylabel.web.app.PAGES", pages)
    assert set(page_files(pages)) == {"index.html", "page.js"}
    with server.running() as own:
        page = own.client.get("/")
        assert page.text == "<!doctype html>the page"
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-store"
        assert "javascript" in own.client.get("/static/page.js").headers["content-type"]
        for name in ("link.txt", "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "....//secret.txt", "",
                     "%00", "..%5csecret.txt", "/etc/passwd", "%2fetc%2fpasswd"):  # fmt: skip
            answer = own.client.get(httpx.URL(own.url, raw_path=b"/static/" + name.encode()))
            assert answer.status_code == 404, name
            assert "secret" not in answer.text


def test_without_pages_there_is_none(colours, monkeypatch):
    monkeypatch.setattr(colours.app.state, "pages", {})
    assert colours.client.get("/").status_code == 404


@pytest.mark.slow  # test_page_door goes through HTTP too
def test_a_trained_model_says_over_http_what_it_says_in_python(trained):
    folder, files = trained.folder, trained.files
    expected = [prediction.as_dict() for prediction in load(folder).predict(files)]
    with server.running(load(folder), name="run") as own:
        answer = own.predict(*((file.name, file.read_bytes()) for file in files)).json()["predictions"]
        alone = [own.predict((file.name, file.read_bytes())).json()["predictions"][0] for file in files]
    assert [one["image"] for one in answer] == [file.name for file in files]
    for told in (answer, alone):
        for one, other in zip(told, expected):
            assert [label["name"] for label in one["labels"]] == [label["name"] for label in other["labels"]]
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=2e-6)


def test_no_trace_of_a_fault_leaves_the_server(monkeypatch, capfd):
    with server.running() as own:

        def broken(images):
            raise RuntimeError("inner\nsecret")

        monkeypatch.setattr(own.model.network, "scores", broken)
        answer = own.predict(server.picture())
        again = own.client.get("/health")
    assert (answer.status_code, again.status_code) == (500, 200)
    assert answer.json() == {"detail": "the server failed; its log says why"}
    (line,) = [line for line in capfd.readouterr().err.splitlines() if " 500 " in line]
    assert "RuntimeError: inner secret at test_app.py" in line


def test_the_log_has_a_line_a_request_and_no_names(capfd):
    with server.running() as own:
        own.predict(("holiday.png", server.picture()), ("other.png", b"x"))
        own.client.get("/a%0ab?q=1")
    lines = [line for line in capfd.readouterr().err.splitlines() if line]
    assert len(lines) == 2
    assert re.fullmatch(r"\S+ 127.0.0.1 POST /predict 200 [\d.]+s \d+B 2 images", lines[0])
    assert " GET /a%0Ab 404 " in lines[1]
    assert "holiday" not in "".join(lines)


def test_the_answer_is_json_in_utf_8(colours):
    answer = colours.predict(("ü-\u732b.png", server.picture()))
    assert json.loads(answer.content.decode("utf-8"))["predictions"][0]["image"] == "ü-\u732b.png"
