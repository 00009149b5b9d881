"""Image towers of open_clip (Ilharco et al., 2021; CLIP: Radford et al., ICML 2021), patches in the joint space.

A patch vector is taken through the same last projection as the image vector, which is what lets it be compared with
class names (Zhou et al., "Extract free dense labels from CLIP", ECCV 2022).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from manylabel.encoders import Encoder
from manylabel.encoders.grids import from_tokens, weights_of, width_of
from manylabel.encoders.timm import TimmFeatures
from manylabel.encoders.torchvision_repair import import_mended
from manylabel.labels import ManylabelError, did_you_mean
from manylabel.parts.batch import Features

NAMES = {
    "open_clip:NAME/PRETRAINED": "image tower of a CLIP model, for instance open_clip:ViT-B-32/laion2b_s34b_b79k; "
    "PRETRAINED may be a local file (extra: open_clip)"
}


class ClipTransformer(nn.Module):
    """A CLIP vision transformer: projected patch tokens and projected class token."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.tower = tower
        tower.output_tokens = True

    def forward(self, images: Tensor) -> Features:
        pooled, tokens = self.tower(images)  # (B, D), (B, P, width)
        if self.tower.final_ln_after_pool:
            tokens = self.tower.ln_post(tokens)
        return from_tokens(tokens if self.tower.proj is None else tokens @ self.tower.proj, pooled)


class ClipResNet(nn.Module):
    """A CLIP ResNet: its attention pool, and the pool's value and output projections on each patch."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, images: Tensor) -> Features:
        t = self.tower
        x = t.layer4(t.layer3(t.layer2(t.layer1(t.stem(images)))))  # (B, width, h, w)
        patches = t.attnpool.c_proj(t.attnpool.v_proj(x.flatten(2).transpose(1, 2)))  # (B, P, D)
        return from_tokens(patches, t.attnpool(x), (x.shape[2], x.shape[3]))


def load(name: str, *, image_size: int | None, pretrained: bool) -> Encoder:
    """`open_clip:NAME/PRETRAINED`; `open_clip:local-dir:FOLDER` and `open_clip:hf-hub:REPO` as open_clip reads them."""
    model = create(name, image_size=image_size, pretrained=pretrained)
    cfg = model.visual.preprocess_cfg
    size = cfg["size"][0] if isinstance(cfg["size"], (tuple, list)) else cfg["size"]
    network = tower_features(model.visual, name)
    identity = name.partition("/")[0]
    return Encoder(
        network,
        name,
        width=width_of(network, size),
        image_size=size,
        statistics=(tuple(cfg["mean"]), tuple(cfg["std"])),
        identity=identity,
    )


def tower_features(tower: Any, name: str) -> nn.Module:
    """The network that makes `Features` with this kind of tower."""
    kind = type(tower).__name__
    if kind == "VisionTransformer" and tower.attn_pool is None:
        return ClipTransformer(tower)
    if kind == "ModifiedResNet":
        return ClipResNet(tower)
    if kind == "TimmModel":
        return TimmFeatures(tower.trunk)
    raise ManylabelError(f"the image tower of {name} ({kind} with attention pooling) gives no grid of patches")


def create(name: str, *, image_size: int | None = None, pretrained: bool = True) -> Any:
    """The open_clip model of `[open_clip:]NAME/PRETRAINED`, in evaluation mode."""
    open_clip = import_mended("open_clip", "open_clip")
    what = name.removeprefix("open_clip:")
    hub = what.startswith(("hf-hub:", "local-dir:"))
    model_name, _, tag = (what, "", "") if hub else what.partition("/")
    if not hub:
        check_name(open_clip, model_name, tag, pretrained=pretrained)
    with weights_of(name):
        model = open_clip.create_model(
            model_name,
            tag if pretrained and tag else None,
            load_weights=pretrained,
            force_image_size=image_size,
        )
    return model.eval()


def check_name(open_clip: Any, model_name: str, tag: str, *, pretrained: bool) -> None:
    """An error with the nearest valid word for a model or weights that open_clip does not have."""
    if model_name not in open_clip.list_models():
        raise ManylabelError(
            f"open_clip has no model {model_name!r}.{did_you_mean(model_name, open_clip.list_models())}"
        )
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    if pretrained and tag not in tags and not Path(tag).is_file():
        raise ManylabelError(
            f"open_clip has no weights {tag!r} for {model_name}, and there is no such file.{did_you_mean(tag, tags)}"
        )
