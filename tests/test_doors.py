"""One photograph, the same numbers through every door: Python, terminal, HTTP, ONNX Runtime, scikit-learn."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

import manylabel
import toys
from drawn import photographs
from manylabel import MultiLabelClassifier, methods
from manylabel.cli import app
from manylabel.export import onnx_file
from manylabel.web.app import make_app
from manylabel.web.settings import Settings

NEAR = 1e-4


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    photographs(folder, 9)
    return sorted((folder / "images").iterdir())


def by_terminal(model, files):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("manylabel.model.load", lambda path: model)
        done = CliRunner().invoke(app, ["predict", "model", *map(str, files), "--json"])
    assert done.exit_code == 0, done.exception
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_http(model, files):
    with TestClient(make_app(model, Settings(name="m")), base_url="http://localhost") as client:
        given = [("files", (file.name, file.read_bytes())) for file in files]
        answer = client.post("/predict", files=given)
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def by_estimator(model, files):
    found = MultiLabelClassifier._of_model(model)
    probabilities, names = found.predict_proba(files), found.predict_labels(files)
    return [{"labels": [{"name": n} for n in labels], "probabilities": dict(zip(found.classes_, p.tolist()))}
            for p, labels in zip(probabilities, names)]  # fmt: skip


QUICK = ("auto", "linear")  # auto sums all others; each alone takes seconds to export


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in methods.names()]
)
def test_every_door_says_the_same(name, files, tmp_path):
    """Every method; `export` claims all of them."""
    model = toys.model(name, flip=name == "cprfl")
    scores = np.sort(np.stack(list(model.scored(files))), axis=0)
    model.classes.thresholds[:] = scores[4:6].mean(axis=0)  # half of the images hold each class
    expected = [prediction.as_dict() for prediction in model.predict(files, batch_size=4)]
    file = manylabel.load(onnx_file.write(model, tmp_path / "m.onnx"))
    answers = {
        "terminal": by_terminal(model, files), "http": by_http(model, files), "estimator": by_estimator(model, files),
        "onnx": [p.as_dict() for p in file.predict(files)], "onnx by terminal": by_terminal(file, files[:1]),
        "onnx by http": by_http(file, files), "onnx by estimator": by_estimator(file, files),
        "alone": [model.predict([one])[0].as_dict() for one in files[:2]],
    }  # fmt: skip
    for door, found in answers.items():
        for one, other in zip(expected, found):
            assert other["probabilities"] == pytest.approx(one["probabilities"], abs=NEAR), door
            assert {label["name"] for label in other["labels"]} == {label["name"] for label in one["labels"]}, door
    assert any(one["labels"] for one in expected)
