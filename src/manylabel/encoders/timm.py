"""Any image model of timm (Wightman, github.com/huggingface/pytorch-image-models), with its own mean, std and size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from manylabel.encoders import Encoder
from manylabel.encoders.grids import from_map, from_tokens, weights_of, width_of
from manylabel.encoders.torchvision_repair import import_mended
from manylabel.labels import ManylabelError, did_you_mean
from manylabel.parts.batch import Features

NAMES = {
    "timm:NAME": "any timm model, for instance timm:resnet50; timm:NAME/FILE loads a local checkpoint (extra: timm)"
}


class TimmFeatures(nn.Module):
    """The last map or tokens of a timm model; pooled by the model's own head where that keeps the width."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Features:
        x = self.model.forward_features(images)
        pooled = self.model.forward_head(x, pre_logits=True)
        if x.ndim == 3:
            return from_tokens(x[:, getattr(self.model, "num_prefix_tokens", 0) :], pooled)
        if getattr(self.model, "output_fmt", "NCHW") == "NHWC":
            x = x.permute(0, 3, 1, 2)
        return from_map(x, pooled)


def load(name: str, *, image_size: int | None, pretrained: bool) -> Encoder:
    """`timm:NAME` with the weights timm lists for it, or `timm:NAME/FILE` with those of a local checkpoint."""
    timm = import_mended("timm", "timm")
    what = name.partition(":")[2]
    hub = what.startswith(("hf-hub:", "hf_hub:", "local-dir:"))
    model_name, _, file = (what, "", "") if hub else what.partition("/")
    if not hub and not timm.is_model(model_name):
        raise ManylabelError(f"timm has no model {model_name!r}.{did_you_mean(model_name, timm.list_models())}")
    if file and not Path(file).is_file():
        raise ManylabelError(f"there is no checkpoint {file}; after timm:{model_name}/ comes the path of a local file")
    with weights_of(name):
        model = timm.create_model(model_name, pretrained=pretrained and not file, num_classes=0)
        if file:
            load_checkpoint(timm, model, file)
    data = timm.data.resolve_model_data_config(model)
    if image_size and hasattr(model, "set_input_size"):  # models with position embeddings; others take any size
        model.set_input_size(img_size=(image_size, image_size))
    size = image_size or data["input_size"][-1]
    network = TimmFeatures(model)
    statistics = (data["mean"], data["std"])
    identity = f"timm:{model_name}"
    return Encoder(
        network, name, width=width_of(network, size), image_size=size, statistics=statistics, identity=identity
    )


def load_checkpoint(timm: Any, model: Any, file: str) -> None:
    """Fill the model from a file; a classifier in the file is left out, nothing else may be missing or too much."""
    weights = timm.models.load_state_dict(file, weights_only=True)
    own = set(model.state_dict())
    heads = model.default_cfg["classifier"]
    classifier = tuple(f"{c}." for c in ([heads] if isinstance(heads, str) else heads))
    extra = [k for k in weights if k not in own and not k.startswith(classifier)]
    missing = sorted(own - set(weights))
    if missing or extra:
        raise ManylabelError(f"{file} does not fit: it lacks {missing[:3]} and has besides {extra[:3]}")
    model.load_state_dict({k: v for k, v in weights.items() if k in own})
