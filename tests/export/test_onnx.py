"""An ONNX file says what the model says: every method, any number of images, without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import manylabel
import toys
from drawn import photographs
from manylabel.export import graph, onnx_file
from manylabel.labels import ManylabelError

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    photographs(folder, 9)
    return sorted((folder / "images").iterdir())


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    model = toys.model("linear")
    return model, onnx_file.write(model, tmp_path_factory.mktemp("onnx") / "model.onnx")


def test_the_graph_itself_calibrates_decides_and_closes_the_hierarchy(linear, files):
    model, path = linear
    session = onnxruntime.InferenceSession(str(path))
    images = np.stack([model.read(file) for file in files])
    logits, probabilities, decisions = session.run(None, {"images": images})
    np.testing.assert_allclose(logits, model.scores(list(images)), atol=1e-5)
    np.testing.assert_allclose(probabilities, model.classes.probabilities(logits), atol=1e-6)
    assert (decisions == model.classes.decide(logits)).all()
    assert (decisions[:, 0] >= decisions[:, 4]).all()  # class 0 lies above class 4
    assert (decisions[:, 0] != (logits[:, 0] >= model.classes.thresholds[0])).any()  # which changes something here


def test_photographs_of_any_size_may_be_given_to_the_graph(linear):
    model, path = linear
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)).resize(
        (210, 150), Image.Resampling.BICUBIC
    )
    session = onnxruntime.InferenceSession(str(path))
    whole = session.run(["probabilities"], {"images": np.asarray(photo)[None]})[0]
    squashed = session.run(["probabilities"], {"images": model.read(photo)[None]})[0]
    np.testing.assert_allclose(whole, squashed, atol=2e-3)
    small = session.run(
        ["probabilities"], {"images": np.asarray(photo.resize((32, 32), Image.Resampling.NEAREST))[None]}
    )[0]
    assert np.abs(small - squashed).max() > 2e-3  # another resampling does give other numbers


def test_it_predicts_where_torch_is_not_installed(linear, files):
    model, path = linear
    code = (
        "import sys\n"
        "for name in ('torch', 'safetensors', 'lightning_fabric', 'onnx', 'onnxscript'): sys.modules[name] = None\n"
        "sys.argv = ['manylabel', 'predict', *sys.argv[1:]]\n"
        "from manylabel.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(files[0]), "--json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    expected, told = model.predict(files[:1])[0], json.loads(done.stdout)
    assert told["probabilities"] == pytest.approx(dict(expected.probabilities), abs=2e-5)
    assert [label["name"] for label in told["labels"]] == list(expected.labels)


def test_names_and_numbers_are_inside(linear):
    model, path = linear
    described = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    assert json.loads(described["manylabel.labels"]) == model.classes.to_dict()
    assert json.loads(described["manylabel.config"])["method"]["name"] == "linear"


def test_a_threshold_nothing_reaches_is_never_reached(files, tmp_path):
    model = toys.model("ridge")
    model.classes.thresholds[1] = np.inf
    answers = manylabel.load(onnx_file.write(model, tmp_path / "m.onnx")).network.answers(model.read(files[0])[None])
    assert not answers[2][:, 1].any()


def test_mistakes_are_told(linear, tmp_path):
    model, path = linear
    with pytest.raises(ManylabelError, match=r"ends in .onnx"):
        onnx_file.write(model, tmp_path / "model.pt")
    with pytest.raises(ManylabelError, match=r"is an \.onnx file already"):
        onnx_file.write(manylabel.load(path), tmp_path / "again.onnx")
    with pytest.raises(ManylabelError, match="no file"):
        manylabel.load(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(ManylabelError, match="cannot be read as ONNX"):
        manylabel.load(tmp_path / "bad.onnx")
    import onnx

    foreign = onnx.load(path)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(ManylabelError, match=r"not written by `manylabel export`"):
        manylabel.load(tmp_path / "foreign.onnx")


def test_the_torch_module_takes_any_number_of_images(linear):
    answer = graph.Answer(linear[0]).eval()
    for count in (1, 3):
        assert [x.shape for x in answer(graph.example(linear[0], count))] == [torch.Size([count, toys.CLASSES])] * 3
