"""Model folders: given away and read back the same, without pickle or installed weights, of older versions too."""

import json
import pickle
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import manylabel
from drawn import photographs
from exported import Exported, write_onnx
from manylabel import folderformat, sharing
from manylabel.encoders import efficientnet_lite
from manylabel.labels import ManylabelError
from manylabel.model import Model
from test_run import run


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photos"), 24)


@pytest.fixture(scope="module", autouse=True)
def one_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYLABEL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    return run(photos, tmp_path_factory.mktemp("runs") / "x", "linear")


@pytest.fixture(scope="module")
def shared(trained, tmp_path_factory):
    return manylabel.load(trained).save_pretrained(tmp_path_factory.mktemp("shared") / "model")


def images(photos):
    return sorted((photos.parent / "images").iterdir())


def test_a_model_folder_holds_safetensors_and_json_and_gives_the_same(trained, shared, photos):
    assert {f.name for f in shared.iterdir()} == {
        "config.json", "labels.json", "metrics.json", "model.safetensors", "encoder.safetensors",
        "preprocessor_config.json", "README.md",
    }  # fmt: skip
    one, other = manylabel.load(trained), Model.from_pretrained(shared)
    assert one.predict(images(photos)) == other.predict(images(photos))
    assert "notes" not in json.loads((shared / "metrics.json").read_text())
    assert str(trained.parent) not in "".join(f.read_text() for f in shared.iterdir() if f.suffix != ".safetensors")


def test_it_needs_no_installed_weights_and_no_pickle(shared, photos, monkeypatch):
    expected = manylabel.load(shared).predict(images(photos)[:2])
    monkeypatch.setattr(efficientnet_lite, "published_weights", lambda digit: 1 / 0)
    monkeypatch.setattr(torch, "load", lambda *a, **k: 1 / 0)
    assert manylabel.load(shared).predict(images(photos)[:2]) == expected


def test_a_finetuned_model_and_one_that_was_shared_before_are_shared_the_same_way(photos, tmp_path):
    tuned = run(photos, tmp_path / "t", "cprfl", encoder={"image_size": 32, "finetune": True}, train={"epochs": 1})
    first = manylabel.load(tuned).save_pretrained(tmp_path / "first")
    second = manylabel.load(first).save_pretrained(tmp_path / "second")
    assert not (first / "encoder.safetensors").exists()
    assert manylabel.load(second).predict(images(photos)[:3]) == manylabel.load(tuned).predict(images(photos)[:3])
    assert (first / "README.md").read_text() == (second / "README.md").read_text()


def test_other_weights_in_the_folder_are_noticed(shared, tmp_path):
    folder = shutil.copytree(shared, tmp_path / "x")
    weights = load_file(folder / "encoder.safetensors")
    weights["network.head.0.weight"][0] += 1
    from manylabel.parts.checkpoint import write_tensors

    write_tensors(folder / "encoder.safetensors", weights)
    with pytest.raises(ManylabelError, match="other weights or preprocessing"):
        manylabel.load(folder)


@pytest.mark.parametrize("name", ["config.json", "labels.json", "model.safetensors", "encoder.safetensors"])
def test_a_missing_or_cut_file_is_named(shared, tmp_path, name, monkeypatch):
    folder = shutil.copytree(shared, tmp_path / "x")
    (folder / name).write_bytes((shared / name).read_bytes()[:-40])
    with pytest.raises(ManylabelError, match=name):
        manylabel.load(folder)
    (folder / name).unlink()
    if name != "encoder.safetensors":  # then the installed weights are taken, if they are the same
        with pytest.raises(ManylabelError, match=name):
            manylabel.load(folder)


def test_the_first_format_is_still_read_and_a_newer_one_refused(trained, photos, tmp_path):
    """Version 1 as manylabel 0.1.0 wrote it before models could be shared."""
    old = shutil.copytree(trained, tmp_path / "old")
    config, labels = (json.loads((old / f).read_text()) for f in ("config.json", "labels.json"))
    config["format"] = 1
    del config["encoder"]["flip"], labels["aliases"], labels["guarantee"]
    labels["hierarchy"] = None
    (old / "config.json").write_text(json.dumps(config))
    (old / "labels.json").write_text(json.dumps(labels))
    assert manylabel.load(old).predict(images(photos)[:3]) == manylabel.load(trained).predict(images(photos)[:3])
    (old / "config.json").write_text(json.dumps(config | {"format": folderformat.FORMAT + 1, "manylabel": "9.9"}))
    with pytest.raises(ManylabelError, match=r"written by manylabel 9\.9.*newer"):
        manylabel.load(old)
    for wrong in ({"format": "2"}, {"format": None}):
        (old / "config.json").write_text(json.dumps(config | wrong))
        with pytest.raises(ManylabelError, match="no model of manylabel"):
            manylabel.load(old)
    (old / "config.json").write_text("[]")
    with pytest.raises(ManylabelError, match="expected an object"):
        manylabel.load(old)


def test_the_card_says_what_was_measured(trained, shared):
    card, numbers = (shared / "README.md").read_text(), json.loads((trained / "metrics.json").read_text())
    assert f"| mAP | {numbers['map']:.3f} |" in card
    assert f"On {numbers['images']} test images" in card
    front = card.split("---\n")[1]
    facts = {line.partition(": ")[0]: json.loads(line.partition(": ")[2]) for line in front.splitlines()}
    named = {m["type"]: m["value"] for m in facts["model-index"][0]["results"][0]["metrics"]}
    assert named["map"] == round(numbers["map"], 4)
    assert facts["pipeline_tag"] == "image-classification"
    worst = min((row for row in numbers["per_class"] if row["ap"] is not None), key=lambda row: row["ap"])
    assert f"| {worst['name']} | {worst['ap']:.3f} |" in card
    assert all(name in card for name in ("red", "green", "blue"))


def test_a_run_keeps_guarantees_hierarchy_and_aliases(trained, photos, tmp_path):
    assert manylabel.load(trained).classes.guarantee["recall"]["images"] > 0
    folder = photographs(tmp_path / "p", 24).parent
    data = manylabel.read(folder / "labels.csv")
    from dataclasses import replace

    from manylabel.data import formats

    kept = replace(data.beside, parents=(("red", "warm"),), aliases={"crimson": "red"})
    formats.write(replace(data, beside=kept), folder / "labels.jsonl", "jsonl")
    model = manylabel.load(run(folder / "labels.jsonl", tmp_path / "r", "linear"))
    assert model.classes.pairs == (("red", "warm"),)
    assert model.classes.aliases == {"crimson": "red"}
    named = next(p for p in model.predict(images(photos)) if "red" in p.labels)
    assert named.ancestors["red"] == ("warm",)


def test_what_cannot_be_shared_says_why(shared, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    model = manylabel.load(shared)
    with pytest.raises(ManylabelError, match="holds other files"):
        model.save_pretrained(tmp_path)
    onnx = Model(object(), model.classes)
    with pytest.raises(ManylabelError, match="shared as that file"):
        onnx.save_pretrained(tmp_path / "x")
    model.network.encoder.name = "file:model.pt2"
    with pytest.raises(ManylabelError, match="pickled code"):
        model.save_pretrained(tmp_path / "y")


class Bomb:
    """Pickled code: unpickling it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def on_onnx(photos, tmp_path_factory):
    """A run on the features of an ONNX file that was named by a relative path."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("onnx")
    write_onnx(Exported().eval(), folder / "mine.onnx")
    (folder / "mine.onnx.json").write_text(json.dumps({"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run(photos, folder / "run", "linear", encoder={"name": "file:mine.onnx"}, train={"epochs": 1})


def test_an_encoder_out_of_an_onnx_file_travels_in_the_folder(on_onnx, photos, tmp_path):
    model = manylabel.load(on_onnx)  # from another working directory than it was trained in
    folder = shutil.move(model.save_pretrained(tmp_path / "made"), tmp_path / "moved")
    assert "/" not in json.loads((folder / "config.json").read_text())["encoder"]["name"]
    hidden = (on_onnx.parent / "mine.onnx").rename(tmp_path / "elsewhere.onnx")
    try:
        assert manylabel.load(folder).predict(images(photos)[:3]) == model.predict(images(photos)[:3])
        with pytest.raises(ManylabelError, match=r"there is no file .*mine\.onnx"):
            manylabel.load(on_onnx)
    finally:
        hidden.rename(on_onnx.parent / "mine.onnx")


@pytest.mark.parametrize("path", ["evil.pt2", "../evil.pt2", "{folder}/evil.pt2", "link.pt2", "{folder}/../m/evil.pt2"])
def test_no_code_is_unpickled_out_of_a_folder(shared, tmp_path, monkeypatch, path):
    folder = shutil.copytree(shared, tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    for file in (folder / "evil.pt2", tmp_path / "evil.pt2", folder / "model.pkl", folder / "pytorch_model.bin"):
        file.write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    (folder / "link.pt2").symlink_to(tmp_path / "evil.pt2")
    config = json.loads((folder / "config.json").read_text())
    config["encoder"]["name"] = "file:" + path.format(folder=folder)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ManylabelError, match="may hold pickled code and is not read out of model folders"):
        manylabel.load(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("part", ["model.safetensors", "encoder.safetensors"])
def test_a_pickle_in_place_of_the_weights_is_refused(shared, tmp_path, part):
    folder = shutil.copytree(shared, tmp_path / "m")
    (folder / part).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with pytest.raises(ManylabelError, match=f"{part} does not hold the weights"):
        manylabel.load(folder)
    torch.save({"x": Bomb(tmp_path / "exploded")}, folder / part)
    with pytest.raises(ManylabelError, match=f"{part} does not hold the weights"):
        manylabel.load(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("section", "name"), [("method", "../../os"), ("method", "os"), ("encoder", "os"), ("encoder", "..file:x")]
)
def test_names_of_methods_and_encoders_import_nothing_else(shared, tmp_path, section, name):
    folder = shutil.copytree(shared, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config[section]["name"] = name
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ManylabelError, match=f"there is no {section}"):
        manylabel.load(folder)


def test_without_torch_a_folder_says_what_it_needs(shared, monkeypatch):
    monkeypatch.delitem(sys.modules, "manylabel.network")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ManylabelError, match=r"model needs torch, which is not installed here; `manylabel export` makes"
    ):
        manylabel.load(shared)


def local_hub(root):
    """The calls of huggingface_hub that are used, on a local directory."""

    class HfApi:
        def __init__(self, token=None):
            self.token = token

        def create_repo(self, repo_id, *, private, exist_ok):
            (root / repo_id).mkdir(parents=True, exist_ok=exist_ok)
            (root / repo_id / "private").write_text(str(private))
            return f"https://hub/{repo_id}"

        def upload_folder(self, *, repo_id, folder_path, commit_message):
            shutil.copytree(folder_path, root / repo_id, dirs_exist_ok=True)

    def snapshot_download(repo_id, *, revision, token, allow_patterns):
        if not (root / repo_id).exists():
            raise OSError(f"404: {repo_id}")
        import fnmatch

        def others(folder, names):
            return [n for n in names if not any(fnmatch.fnmatch(n, p) for p in allow_patterns)]

        return str(shutil.copytree(root / repo_id, root / f"cache-{revision}" / repo_id, ignore=others))

    return types.SimpleNamespace(HfApi=HfApi, snapshot_download=snapshot_download)


def test_the_hub_there_and_back(shared, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "_hub", lambda: local_hub(tmp_path))
    model = manylabel.load(shared)
    assert model.push_to_hub("me/discs", private=True) == "https://hub/me/discs"
    (tmp_path / "me/discs/evil.pkl").write_bytes(b"\x80")
    again = Model.from_pretrained("me/discs", revision="main")
    assert again.predict(images(photos)[:2]) == model.predict(images(photos)[:2])
    assert not list((tmp_path / "cache-main").rglob("*.pkl"))
    with pytest.raises(ManylabelError, match="cannot be had from the Hugging Face hub: 404"):
        Model.from_pretrained("me/nothing")
    with pytest.raises(ManylabelError, match="OWNER/NAME"):
        model.push_to_hub("discs")


def test_the_real_hub_library_takes_the_calls(shared, monkeypatch):
    """Names and keywords of the calls, against the library itself."""
    import inspect

    hub = pytest.importorskip("huggingface_hub")
    create, upload = (inspect.signature(getattr(hub.HfApi, n)) for n in ("create_repo", "upload_folder"))
    create.bind(None, "me/x", private=True, exist_ok=True)
    upload.bind(None, repo_id="me/x", folder_path="f", commit_message="m")
    inspect.signature(hub.snapshot_download).bind("me/x", revision=None, token=None, allow_patterns=["*"])
    with pytest.raises(ManylabelError, match="cannot be had"):
        Model.from_pretrained("nobody/nothing-at-all")  # offline: a clear word, no traceback


def test_preprocessing_is_said_as_transformers_reads_it(shared):
    told = json.loads((shared / "preprocessor_config.json").read_text())
    assert told["size"] == {"height": 64, "width": 64}
    np.testing.assert_allclose(told["image_mean"] + told["image_std"], 0.5)
