"""Image models of the Hugging Face hub, or of a folder in its layout, through transformers."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor, nn

from manylabel.encoders import Encoder
from manylabel.encoders.grids import from_map, from_tokens, weights_of, width_of
from manylabel.encoders.torchvision_repair import import_mended
from manylabel.labels import ManylabelError
from manylabel.parts.batch import Features

NAMES = {"hf:REPO": "an image model of the Hugging Face hub or a local folder, for instance hf:facebook/dinov2-small"}


class HfFeatures(nn.Module):
    """Patch tokens (class and register tokens cut off) or the last map; pooled by the model's own pooler.

    A pooler whose weights the checkpoint lacks would be random, so then the grid's mean stands in.
    """

    def __init__(self, model: Any, image_size: int, *, own_pooler: bool) -> None:
        super().__init__()
        self.model, self.own_pooler = model, own_pooler
        resized = image_size != getattr(model.config, "image_size", image_size)
        can = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters
        self.options = {"interpolate_pos_encoding": True} if resized and can else {}

    def forward(self, images: Tensor) -> Features:
        out = self.model(images, **self.options)
        x = out.last_hidden_state
        pooled = getattr(out, "pooler_output", None) if self.own_pooler else None
        pooled = None if pooled is None else pooled.flatten(1)
        if x.ndim == 4:
            return from_map(x, pooled)
        patch = self.model.config.patch_size
        patches = (images.shape[2] // patch) * (images.shape[3] // patch)
        return from_tokens(x[:, x.shape[1] - patches :] if x.shape[1] > patches else x, pooled)


def load(name: str, *, image_size: int | None, pretrained: bool) -> Encoder:
    """`hf:REPO` or `hf:FOLDER`; mean, std and size are those of its preprocessor_config.json."""
    transformers = import_mended("transformers", "hf")
    repo = name.partition(":")[2]
    with weights_of(name):
        from transformers.image_processing_base import ImageProcessingMixin

        wanted, _ = ImageProcessingMixin.get_image_processor_dict(repo)
        if pretrained:
            model, info = transformers.AutoModel.from_pretrained(repo, output_loading_info=True)
            missing = sorted(info["missing_keys"])
        else:
            model = transformers.AutoModel.from_config(transformers.AutoConfig.from_pretrained(repo))
            missing = []
    model = getattr(model, "vision_model", model)
    lacking = [k for k in missing if "pooler" not in k]
    if lacking:
        raise ManylabelError(f"the weights of {name} lack {len(lacking)} parameters, among them {lacking[:3]}")
    size = image_size or own_size(wanted)
    network = HfFeatures(model, size, own_pooler=not missing)
    statistics = (tuple(wanted["image_mean"]), tuple(wanted["image_std"]))
    return Encoder(network, name, width=width_of(network, size), image_size=size, statistics=statistics)


def own_size(processor: dict[str, Any]) -> int:
    """The side of the square that a preprocessor_config.json ends with.

    >>> own_size({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}})
    224
    """
    size = processor.get("crop_size") or processor["size"]
    return size if isinstance(size, int) else size.get("height") or size["shortest_edge"]
