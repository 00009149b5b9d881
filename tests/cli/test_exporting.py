"""`export` on a terminal: verified on photographs, as torch.export, in 8 bits with the mAP it costs."""

import re

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import manylabel
import toys
from drawn import photographs
from manylabel.cli import app, exporting
from manylabel.export import check, int8, onnx_file, program
from manylabel.labels import ManylabelError
from test_run import run as train

runner = CliRunner()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photos"), 24)


def files(photos):
    return sorted((photos.parent / "images").iterdir())


@pytest.fixture(scope="module")
def toy():
    return toys.model("ridge")


@pytest.fixture(scope="module")
def exported(toy, tmp_path_factory):
    return onnx_file.write(toy, tmp_path_factory.mktemp("onnx") / "m.onnx")


def test_verify_sees_what_differs(toy, exported, photos):
    found = check.compare(toy, exporting.runner(exported), files(photos))
    assert found.same
    assert found.images == 24
    assert "all decisions the same" in str(found)
    answers = exporting.runner(exported)
    for place, change, seen in (
        (0, 0.01, {"logits"}), (1, 0.01, {"probabilities"}), (2, True, {"decisions"}),
    ):  # fmt: skip

        def wrong(images, place=place, change=change):
            given = [np.array(a) for a in answers(images)]
            given[place][0, 1] = ~given[place][0, 1] if change is True else given[place][0, 1] + change
            return given

        other = check.compare(toy, wrong, files(photos))
        assert {n for n in ("logits", "probabilities", "decisions") if getattr(other, n) > 1e-3} == seen
        assert other.same == (seen == {"logits"})
    with pytest.raises(ManylabelError, match="not one of the photographs"):
        check.compare(toy, answers, ["none.jpg"])


def test_a_torch_program_says_the_same(toy, photos, tmp_path):
    path = program.write(toy, tmp_path / "m.pt2")
    assert check.compare(toy, exporting.runner(path), files(photos)).same
    extra = {"labels.json": ""}
    torch.export.load(path, extra_files=extra)
    assert '"class 4"' in str(extra)
    assert [f.name for f in tmp_path.iterdir()] == ["m.pt2"]
    with pytest.raises(ManylabelError, match=r"ends in \.pt2"):
        program.write(toy, tmp_path / "m.pt")


def test_eight_bits_are_near_and_not_the_same(exported, photos, tmp_path, monkeypatch):
    toy = manylabel.load(exported)
    monkeypatch.setattr(int8, "last_convolutions", lambda graph: [])  # the toy has no more than one
    small = int8.write(toy, exported, tmp_path / "m8.onnx", [*files(photos), "none.jpg"])
    one, other = (manylabel.load(f) for f in (exported, small))
    a, b = (np.array([[p.probabilities[n] for n in m.names] for p in m.predict(files(photos))]) for m in (one, other))
    assert 0 < np.abs(a - b).max() < 0.1
    assert other.classes.to_dict() == one.classes.to_dict()
    import onnx

    assert any(node.op_type == "DequantizeLinear" for node in onnx.load(small).graph.node)
    with pytest.raises(ManylabelError, match="not one of the photographs"):
        int8.write(toy, exported, tmp_path / "x.onnx", ["none.jpg"])


def test_only_convolutions_that_others_follow_are_rounded():
    from onnx.helper import make_graph, make_node

    nodes = [
        make_node("Conv", ["x", "w"], ["a"], name="first"), make_node("Relu", ["a"], ["b"]),
        make_node("Conv", ["b", "w"], ["c"], name="second"), make_node("Conv", ["a", "w"], ["d"], name="other"),
        make_node("Add", ["c", "d"], ["e"]),
    ]  # fmt: skip
    assert int8.last_convolutions(make_graph(nodes, "g", [], [])) == ["other", "second"]


@pytest.mark.slow
def test_the_command_from_run_to_eight_bits(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("MANYLABEL_CACHE", str(tmp_path / "cache"))
    folder = train(photos, tmp_path / "x", "linear")
    done = runner.invoke(app, ["export", str(folder), str(tmp_path / "m.onnx"), "--verify", "--int8"])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "verified on 12 photographs x 3 classes" in done.output  # of val and test
    cost = re.search(r"mAP ([\d.]+) -> ([\d.]+) \(([+-][\d.]+)\) on 6 images of test", done.output)
    assert float(cost[3]) == pytest.approx(float(cost[2]) - float(cost[1]), abs=0.15)
    assert {f.name for f in tmp_path.glob("*.onnx")} == {"m.onnx", "m-int8.onnx"}
    done = runner.invoke(app, ["export", str(folder), str(tmp_path / "m.pt2"), "--verify", "--images", str(photos)])
    assert "verified on 24 photographs" in done.output


def test_mistakes_are_told(photos, tmp_path, monkeypatch, toy):
    monkeypatch.setattr("manylabel.model.load", lambda path: toy)
    photos = photographs(tmp_path.with_name("held"), 3)  # of the first two parts, both of which are train
    photos.write_text(photos.read_text().replace("train", "test"))
    for args, said in (
        (["m.onx"], r"Did you mean '\.onnx'"), (["m.pt2", "--int8"], r"for \.onnx files"),
        (["m.onnx", "--verify"], "give --images"), (["m.onnx", "--int8"], "give --data"),
        (["m.onnx", "--verify", "--images", "none"], "no file or folder"),
        (["m.onnx", "--images", "x.jpg"], "--images belongs to --verify"),
        (["m.onnx", "--data", "x.csv"], "--data belongs to --int8"),
        (["m.onnx", "--int8", "--data", str(photos)], "has no train"),
    ):  # fmt: skip
        done = runner.invoke(app, ["export", str(tmp_path), str(tmp_path / args[0]), *args[1:]])
        with pytest.raises(ManylabelError, match=said):
            raise done.exception
    assert not list(tmp_path.iterdir())


def test_a_file_that_differs_ends_with_exit_code_1(photos, tmp_path, monkeypatch, toy):
    def wrong(images):
        zeros = np.zeros((len(images), toys.CLASSES))
        return [zeros, zeros, zeros > 0]

    monkeypatch.setattr("manylabel.model.load", lambda path: toy)
    monkeypatch.setattr(exporting, "written", lambda model, out: out.write_bytes(b"x"))
    monkeypatch.setattr(exporting, "runner", lambda out: wrong)
    done = runner.invoke(app, ["export", str(tmp_path), str(tmp_path / "m.onnx"), "--verify", "--images", str(photos)])
    assert done.exit_code == 1
    assert "do not use it" in done.stderr
    (tmp_path / "bad.jpg").write_bytes(b"")
    given = ("--images", str(tmp_path / "bad.jpg"), "--images", str(photos))
    done = runner.invoke(app, ["export", str(tmp_path), str(tmp_path / "m.onnx"), "--verify", *given])
    assert "verified on 24 photographs" in done.stdout
    assert "1 more photographs could not be read" in done.stderr


def test_what_a_run_is_verified_on_and_judged_by(photos, toy, monkeypatch):
    held = manylabel.read(photos)
    monkeypatch.setattr(exporting, "labelled", lambda run, data: held)
    taken = exporting.sample(photos, None)
    assert sorted(map(str, taken)) == sorted(
        str(p) for p, part in zip(held.paths, held.split) if part != "train"
    )  # all 12, each once
    expected = np.array([[p.probabilities[n] for n in toy.names] for p in toy.predict(held.paths)])
    seen = {}
    monkeypatch.setattr(
        "manylabel.metrics.evaluate", lambda scores, labels, names: seen.update(s=scores) or {"map": 0.5}
    )
    monkeypatch.setattr("manylabel.scoring.align", lambda labels, names: (None, None))
    assert exporting.mean_ap(toy, held) == 0.5
    np.testing.assert_allclose(seen["s"], expected, atol=1e-6)
