"""Where in an image a model sees a label: heat maps, one a label. No torch where the model needs none.

The kinds:

* `own`: the method's own evidence. CPRFL's attention of a class's prompt on the patches, and its anchor's shares;
  ML-Decoder's attention of its query; of `linear`, `ridge` and `kernel_ridge` each patch's share of the logit.
* `gradient`: the patches times the gradient of the logit by them (Grad-CAM); for every method trained here.
* `occlusion`: the fall of the logit where a grey square covers the image; for every model, .onnx files included.
* `auto`: `own` where the method has it, else `gradient` where there is torch, else `occlusion`.

All are of the logit, never of the probability, whose slope is nearly 0 where the model is sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from manylabel.classes import Classes
from manylabel.explaining.drawing import overlay
from manylabel.explaining.occlusion import falls
from manylabel.labels import ManylabelError, did_you_mean
from manylabel.model import Model, Photo, opened

__all__ = ["KINDS", "heat_maps", "overlay"]

KINDS = ("auto", "own", "gradient", "occlusion")
FINE = 64
Maps = NDArray[np.float32]


def heat_maps(model: Model, image: Photo, names: Sequence[str], *, kind: str = "auto", contrast: bool = False) -> Maps:
    """(K, h, w) float32 in [0, 1]: for each name where in the image the model sees it, over the whole image.

    A map is the evidence above 0 divided by its largest value, so that maps of different labels do not compare: the
    probability says how sure the model is. A map without any evidence above 0 stays 0 everywhere.

    Arguments:
        model: from `manylabel.load`.
        image: a path, bytes, an opened image or pixels, as for `predict`.
        names: K classes, or aliases of some; decided present or not.
        kind: "own", "gradient", "occlusion" or "auto", see above.
        contrast: subtract from each map the mean of the maps of the other labels decided present in this image, which
            leaves what speaks for this label and not for them; what falls below 0 is 0. Labels above and below this
            one in a hierarchy do not count as others; without any other the map is as it was.

    h and w are those of the encoder's grid, 8 for occlusion, and finer where the encoder sees but a part of the image.

    Raises ManylabelError for an unknown name (with the nearest) or kind, and where the method cannot do the kind;
    DamagedImage for an image that cannot be read.

    >>> from types import SimpleNamespace
    >>> net = SimpleNamespace(image_size=8, resize="squash", at_least=None, scores=lambda x: x.mean((1, 2, 3))[:, None])
    >>> model = Model(net, Classes(("bright",), np.zeros(1), np.ones(1), np.zeros(1)))
    >>> image = np.full((8, 8, 3), 128, np.uint8)
    >>> image[:2, 6:] = 255
    >>> maps = heat_maps(model, image, ["bright"])
    >>> maps.shape, maps[0, 0, 6:].tolist(), maps[0, 7].max().item()
    ((1, 8, 8), [1.0, 1.0], 0.0)
    """
    return heat_maps_and_kind(model, image, names, kind=kind, contrast=contrast)[0]


def heat_maps_and_kind(
    model: Model, image: Photo, names: Sequence[str], *, kind: str = "auto", contrast: bool = False
) -> tuple[Maps, str]:
    """As `heat_maps`, and which kind they are where "auto" left it open."""
    check_kind(kind)
    wanted = [position(model.classes, name) for name in names]
    prepared = model.read(image)
    decided = np.flatnonzero(model.classes.decide(model.scores([prepared]))[0]).tolist() if contrast else []
    others = [rivals(model.classes, decided, column) for column in wanted]
    columns = sorted({*wanted, *(c for some in others for c in some)})
    raw, kind = evidence(model, prepared, columns, kind)
    maps = dict(zip(columns, normalised(raw)))
    found = [maps[c] - np.mean([maps[o] for o in some], axis=0) if some else maps[c] for c, some in zip(wanted, others)]
    stacked = normalised(np.stack(found)) if found else np.zeros((0, 1, 1))
    if model.network.resize != "squash":
        stacked = unprepared(stacked, opened(image).size, model.network.resize)
    return stacked.astype(np.float32), kind


def check_kind(kind: str) -> None:
    """Raise ManylabelError for a kind there is not."""
    if kind not in KINDS:
        raise ManylabelError(f"there is no kind {kind!r} of heat map.{did_you_mean(kind, KINDS)}")


def position(classes: Classes, name: str) -> int:
    """The column of a class by its name or an alias; ManylabelError names the nearest."""
    own = classes.aliases.get(name, name)
    if own not in classes.names:
        raise ManylabelError(f"the model has no label {name!r}.{did_you_mean(name, classes.names)}")
    return classes.names.index(own)


def rivals(classes: Classes, decided: Sequence[int], column: int) -> list[int]:
    """Those of the columns `decided` that are neither the class `column` nor above or below it."""
    name = classes.names[column]
    kin = {name, *classes.ancestors[name], *(n for n in classes.names if name in classes.ancestors[n])}
    return [c for c in decided if classes.names[c] not in kin]


def evidence(
    model: Model, prepared: NDArray[np.uint8], columns: list[int], kind: str
) -> tuple[NDArray[np.float64], str]:
    """(K, h, w) of the classes `columns`, on any scale, below 0 speaks against; and the kind, which is not "auto"."""
    network = cast(Any, model.network)
    if hasattr(network, "head") and kind != "occlusion":
        from manylabel.explaining import evidence as asked

        features = asked.features_of(network, prepared)
        kind = asked.chosen(network, features) if kind == "auto" else kind
        if kind == "own":
            return asked.own(network, features)[columns], kind
        if kind == "gradient":
            return asked.gradient(network, features, columns), kind
    elif kind not in ("auto", "occlusion"):  # a file for ONNX Runtime, which only scores
        raise ManylabelError(f"only a run or model folder has the kind {kind}: take the kind occlusion")
    return falls(network.scores, prepared)[columns], "occlusion"


def normalised(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """(K, h, w) clipped at 0 and divided by the largest value of each; a map that is all 0 stays 0.

    >>> normalised(np.array([[[-1.0, 2.0, 4.0]], [[-1.0, 0.0, -2.0]]])).tolist()
    [[[0.0, 0.5, 1.0]], [[0.0, 0.0, 0.0]]]
    """
    above = np.maximum(maps, 0.0, dtype=np.float64)
    most = above.max(axis=(1, 2), keepdims=True)
    return above / np.where(most > 0, most, 1.0)


def unprepared(maps: NDArray[np.float64], size: tuple[int, int], resize: str) -> NDArray[np.float64]:
    """Maps (K, h, w) of the model's square as maps of the whole image of `size` (width, height).

    A squashed square is the whole image. Where a central square was cut out ("crop"), what lies beside it is 0; where
    grey was added ("pad"), it goes. The map is made finer, `FINE` cells along the square.

    >>> unprepared(np.array([[[0.5, 1.0]]]), (200, 100), "crop").shape  # the square is the middle half of the image
    (1, 64, 128)
    """
    side = min(size) if resize == "crop" else max(size)
    rows, columns = (_cells(whole, side, cells) for whole, cells in zip(size[::-1], maps.shape[1:]))
    edged = np.pad(maps, ((0, 0), (1, 1), (1, 1)))  # what lies outside the square is 0
    return edged[:, rows[:, None], columns]


def _cells(whole: int, side: int, cells: int) -> NDArray[np.int64]:
    """For places along `whole` pixels the cell (from 1) of a centred square of `side`; 0 or cells + 1 outside."""
    count = max(1, round(FINE * whole / side))
    places = (np.arange(count) + 0.5) / count * whole - (whole - side) / 2  # in pixels from the square's edge
    return np.floor(places / side * cells).astype(np.int64).clip(-1, cells) + 1
