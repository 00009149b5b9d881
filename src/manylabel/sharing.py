"""Model folders to give away: safetensors and json only, with a model card; to and from the Hugging Face hub."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manylabel import card
from manylabel.folderformat import FORMAT
from manylabel.labels import ManylabelError
from manylabel.parts.checkpoint import write_tensors
from manylabel.parts.files import write_json, write_text

if TYPE_CHECKING:
    from manylabel.model import Model

REPOSITORY = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
NEVER = ("notes", "intervals_by_resampling")  # of metrics.json: notes may name files of whoever trained


def save(model: Model, folder: Path) -> Path:
    """Write a model folder, which loads on any machine without the weights of its encoder being installed.

    Raises ManylabelError for a folder that holds other things, for a model out of an .onnx file, and for an encoder
    that was read from a torch.export file: that may hold pickled code, which has no place in a shared folder.
    """
    from manylabel.network import Network

    network = model.network
    if not isinstance(network, Network):
        raise ManylabelError("a model that was read from an .onnx file is shared as that file")
    if folder.exists() and any(folder.iterdir()) and not (folder / "config.json").exists():
        raise ManylabelError(f"{folder} holds other files; choose another folder, or an empty one")
    folder.mkdir(parents=True, exist_ok=True)
    config = _config(model, folder)
    write_tensors(folder / "model.safetensors", dict(network.method.state_dict()))
    write_json(folder / "config.json", config)
    write_json(folder / "labels.json", model.classes.to_dict())
    write_json(folder / "preprocessor_config.json", preprocessing(network.encoder))
    metrics = {k: v for k, v in model.about.get("metrics", {}).items() if k not in NEVER}
    if metrics:
        write_json(folder / "metrics.json", metrics)
    write_text(folder / "README.md", card.write(model.classes, config, metrics))
    return folder


def _config(model: Model, folder: Path) -> dict[str, Any]:
    """config.json, and beside it the weights of an encoder that was not trained with the method."""
    network: Any = model.network
    kept = {k: v for k, v in model.about.items() if k != "metrics"} | {"format": FORMAT}
    if not network.frozen:
        return kept
    name = network.encoder.name
    if not name.startswith("file:"):
        write_tensors(folder / "encoder.safetensors", dict(network.encoder.state_dict()))
        return kept
    file = Path(name.removeprefix("file:"))
    if file.suffix != ".onnx":
        raise ManylabelError(f"{file} may hold pickled code and is not shared; export the encoder to ONNX instead")
    for part in (file, file.with_name(file.name + ".json")):
        if part.exists():
            shutil.copyfile(part, folder / part.name.replace(file.name, "encoder.onnx"))
    return kept | {"encoder": kept["encoder"] | {"name": "file:encoder.onnx"}}


def preprocessing(encoder: Any) -> dict[str, Any]:
    """preprocessor_config.json in the layout of transformers: what is done to a photograph before the network."""
    size = {"height": encoder.image_size, "width": encoder.image_size}
    return {
        "image_processor_type": "ViTImageProcessor", "do_convert_rgb": True, "do_resize": True, "size": size,
        "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": encoder.mean.flatten().tolist(), "image_std": encoder.std.flatten().tolist(),
    }  # fmt: skip


def local(name: str | Path, *, revision: str | None, token: str | None) -> Path:
    """The folder or file itself, or the downloaded folder of a repository OWNER/NAME."""
    if Path(name).exists() or not REPOSITORY.fullmatch(str(name)):
        return Path(name)
    hub = _hub()
    try:
        wanted = ["*.safetensors", "*.json", "*.onnx", "README.md"]  # nothing else is ever looked at
        return Path(hub.snapshot_download(str(name), revision=revision, token=token, allow_patterns=wanted))
    except Exception as problem:  # many kinds: no network, no such repository, no right to it
        raise ManylabelError(
            f"there is no folder {name}, and it cannot be had from the Hugging Face hub: {problem}"
        ) from problem


def push(model: Model, repository: str, *, private: bool, token: str | None, message: str) -> str:
    """Make the repository where it is not there, and upload the model folder; returns its address."""
    import tempfile

    if not REPOSITORY.fullmatch(repository):
        raise ManylabelError(f"expected OWNER/NAME as the repository, got {repository!r}")
    api = _hub().HfApi(token=token)
    with tempfile.TemporaryDirectory() as folder:
        made = save(model, Path(folder))
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=str(made), commit_message=message)
    return str(address)


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise ManylabelError("this needs huggingface_hub: pip install 'manylabel[hf]'") from None
    return huggingface_hub
