"""timm, open_clip, transformers and exported files, each on a tiny model with random weights."""

import json
import sys

import numpy as np
import pytest
import torch

from exported import Exported, write_onnx
from manylabel import encoders
from manylabel.encoders import open_clip as open_clip_file
from manylabel.encoders.cache import encode
from manylabel.encoders.inference import for_inference
from manylabel.encoders.torchvision_repair import import_mended
from manylabel.labels import ManylabelError
from pictures import draw

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64), dtype=np.uint8))


def scaled(images, mean, std):
    mean, std = (torch.as_tensor(v).view(3, 1, 1) for v in (mean, std))
    return (images.float() / 255 - mean) / std


@pytest.fixture(scope="module")
def timm():
    return import_mended("timm", "timm")


@pytest.mark.parametrize(("model", "size"), [("test_vit", (4, 4)), ("test_resnet", (2, 2)), ("test_byobnet", (2, 2))])
def test_timm(timm, model, size):
    torch.manual_seed(0)
    encoder = encoders.load(f"timm:{model}", image_size=64, pretrained=False)
    with torch.no_grad():
        features = encoder(IMAGES)
        raw = encoder.network.model.forward_features(scaled(IMAGES, encoder.mean, encoder.std))
        fast = for_inference(encoder)(IMAGES)
    assert (features.size, features.pooled.shape) == (size, (2, encoder.width))
    last = raw[:, -1] if raw.ndim == 3 else raw[:, :, -1, -1]
    torch.testing.assert_close(features.grid[:, -1], last, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(fast.grid, features.grid, atol=1e-3, rtol=1e-3)
    assert features.grid.shape == (2, size[0] * size[1], encoder.width)


def test_timm_takes_size_and_statistics_from_the_model(timm):
    encoder = encoders.load("timm:resnet10t", pretrained=False)
    data = timm.data.resolve_model_data_config(encoder.network.model)
    assert encoder.image_size == data["input_size"][1]
    np.testing.assert_allclose(encoder.mean.flatten(), data["mean"])
    np.testing.assert_allclose(encoder.std.flatten(), data["std"])


def test_timm_checkpoint_file(timm, tmp_path):
    model = timm.create_model("test_resnet")
    torch.save(model.state_dict(), tmp_path / "own.pth")
    encoder = encoders.load(f"timm:test_resnet/{tmp_path / 'own.pth'}")
    weights = encoder.network.model.state_dict()
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in weights.items())
    short = {k: v for k, v in model.state_dict().items() if "layer1" not in k}
    torch.save(short | {"extra": torch.zeros(1)}, tmp_path / "short.pth")
    with pytest.raises(ManylabelError, match=r"does not fit: it lacks .* besides .*extra"):
        encoders.load(f"timm:test_resnet/{tmp_path / 'short.pth'}")
    with pytest.raises(ManylabelError, match="there is no checkpoint"):
        encoders.load("timm:test_resnet/none.pth")


def test_timm_errors_say_what_to_do(timm, monkeypatch):
    with pytest.raises(ManylabelError, match="Did you mean 'resnet50'"):
        encoders.load("timm:resnet5O")
    with pytest.raises(ManylabelError, match=r"test_vit.* could not be loaded: .*local file"):
        encoders.load("timm:test_vit")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ManylabelError, match=r"pip install manylabel\[timm\]"):
        encoders.load("timm:test_vit")


TINY_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 64, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
TINY_RESNET = TINY_CLIP | {"vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}}


@pytest.fixture(scope="module")
def open_clip(tmp_path_factory):
    module = import_mended("open_clip", "open_clip")
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny-vit.json").write_text(json.dumps(TINY_CLIP))
    (folder / "tiny-resnet.json").write_text(json.dumps(TINY_RESNET))
    module.add_model_config(folder)
    return module


def test_open_clip_transformer_patches_are_in_the_joint_space(open_clip):
    encoder = encoders.load("open_clip:tiny-vit", pretrained=False)
    tower = encoder.network.tower
    with torch.no_grad():
        features = encoder(IMAGES)
        x = tower.transformer(tower._embeds(scaled(IMAGES, encoder.mean, encoder.std)))
        joint = tower.ln_post(x) @ tower.proj  # class token first
    assert (features.size, encoder.width, encoder.image_size) == ((4, 4), 16, 64)
    torch.testing.assert_close(features.pooled, joint[:, 0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(features.grid, joint[:, 1:], atol=1e-5, rtol=1e-4)
    assert abs(float(encoder.mean[0]) - 0.4815) < 1e-3  # CLIP's own statistics


def test_open_clip_resnet_patches_are_in_the_joint_space(open_clip):
    encoder = encoders.load("open_clip:tiny-resnet", pretrained=False)
    model = encoder.network.tower
    with torch.no_grad():
        features = encoder(IMAGES)
        pooled = model(scaled(IMAGES, encoder.mean, encoder.std))
    assert (features.size, features.grid.shape) == ((2, 2), (2, 4, 16))
    torch.testing.assert_close(features.pooled, pooled, atol=1e-5, rtol=1e-4)


def test_open_clip_local_file_and_errors(open_clip, tmp_path):
    model = open_clip_file.create("tiny-vit", pretrained=False)
    torch.save(model.state_dict(), tmp_path / "own.pt")
    encoder = encoders.load(f"open_clip:tiny-vit/{tmp_path / 'own.pt'}")
    torch.testing.assert_close(encoder.network.tower.proj, model.visual.proj)
    with pytest.raises(ManylabelError, match="Did you mean 'ViT-B-32'"):
        encoders.load("open_clip:VitB-32/openai")
    with pytest.raises(ManylabelError, match="Did you mean 'laion2b_s34b_b79k'"):
        encoders.load("open_clip:ViT-B-32/laion2b_s34b_b79")


@pytest.fixture(scope="module")
def hf_folder(tmp_path_factory):
    import_mended("transformers", "hf")
    from transformers import ViTConfig, ViTModel

    folder = tmp_path_factory.mktemp("hf")
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16
    )
    ViTModel(config).save_pretrained(folder)
    processor = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "size": {"height": 64, "width": 64}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def test_hf_folder(hf_folder):
    from transformers import ViTModel

    encoder = encoders.load(f"hf:{hf_folder}")
    with torch.no_grad():
        features = encoder(IMAGES)
        out = ViTModel.from_pretrained(hf_folder).eval()(scaled(IMAGES, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)))
        larger = encoders.load(f"hf:{hf_folder}", image_size=96)(torch.zeros(1, 3, 96, 96))
    assert (features.size, encoder.width, larger.size) == ((4, 4), 16, (6, 6))
    torch.testing.assert_close(features.grid, out.last_hidden_state[:, 1:], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(features.pooled, out.pooler_output, atol=1e-5, rtol=1e-4)


def test_hf_never_serves_weights_the_checkpoint_lacks(hf_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(hf_folder / "model.safetensors")
    for lost in ("pooler", "layernorm_before"):
        folder = tmp_path / lost
        folder.mkdir()
        for name in ("config.json", "preprocessor_config.json"):
            (folder / name).write_text((hf_folder / name).read_text())
        save_file({k: v for k, v in weights.items() if lost not in k}, folder / "model.safetensors", {"format": "pt"})
    with torch.no_grad():
        features = encoders.load(f"hf:{tmp_path / 'pooler'}")(IMAGES)
    torch.testing.assert_close(features.pooled, features.grid.mean(1))
    with pytest.raises(ManylabelError, match="lack 2 parameters"):
        encoders.load(f"hf:{tmp_path / 'layernorm_before'}")
    with pytest.raises(ManylabelError, match="could not be loaded"):
        encoders.load("hf:nobody/nothing-here")


@pytest.fixture(params=["pt2", "pt2-any-batch", "onnx"])
def exported(request, tmp_path):
    model, example = Exported().eval(), (torch.zeros(2, 3, 64, 64),)
    if request.param == "onnx":
        pytest.importorskip("onnx")
        write_onnx(model, tmp_path / "model.onnx")
        return tmp_path / "model.onnx", model
    batch = {"images": {0: torch.export.Dim("batch")}} if request.param == "pt2-any-batch" else None
    torch.export.save(torch.export.export(model, example, dynamic_shapes=batch), tmp_path / "model.pt2")
    return tmp_path / "model.pt2", model


def test_exported_files(exported, tmp_path):
    path, model = exported
    (tmp_path / f"{path.name}.json").write_text(json.dumps({"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}))
    encoder = encoders.load(f"file:{path}")
    images = torch.cat([IMAGES, IMAGES[:1] // 2])  # three, where one file takes exactly two
    with torch.no_grad():
        features = encoder(images)
        grid, pooled = model(scaled(images, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)))
    assert (encoder.image_size, encoder.width, features.size) == (64, 8, (4, 4))
    torch.testing.assert_close(features.grid, grid.flatten(2).transpose(1, 2), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(features.pooled, pooled, atol=1e-5, rtol=1e-4)
    cached = encode(draw(tmp_path, 3), encoder, folder=tmp_path / "cache", progress=False)
    assert cached.grid([0, 2]).shape == (2, 16, 8)
    moved = path.rename(path.with_name(f"moved{path.suffix}"))
    (tmp_path / f"{path.name}.json").rename(tmp_path / f"{moved.name}.json")
    assert encoders.load(f"file:{moved}").key == encoder.key
    with pytest.raises(ManylabelError, match="64 px only, 32 were asked for"):
        encoders.load(f"file:{moved}", image_size=32)
    with pytest.raises(ManylabelError, match="leave precision at float32"):
        for_inference(encoder, "bfloat16")


def test_file_errors(tmp_path):
    with pytest.raises(ManylabelError, match=r"must end in \.pt2"):
        encoders.load("file:model.pth")
    with pytest.raises(ManylabelError, match="there is no file"):
        encoders.load("file:model.pt2")
    (tmp_path / "bad.pt2").write_bytes(b"no program")
    with pytest.raises(ManylabelError, match="could not be loaded"):
        encoders.load(f"file:{tmp_path / 'bad.pt2'}")
