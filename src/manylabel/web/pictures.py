"""What an upload may be, told by its header before anything is decoded, and its pixels as the model wants them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from manylabel.data.dataset import IMAGE_ENDINGS
from manylabel.data.images import DamagedImage, decode, to_array
from manylabel.model import Model
from manylabel.web import layout
from manylabel.web.refusal import Refusal
from manylabel.web.settings import MIB, Settings

FORMATS = tuple(dict.fromkeys(kind for end, kind in Image.registered_extensions().items() if end in IMAGE_ENDINGS))
"""What Pillow may open: the formats of the image files that label files name, and no other of its many readers."""
MOST_PLAIN = MIB  # numbers written as text (PPM of kinds P1 to P3) are read in Python, a second for a MiB
LONGEST_SIDE = 65_535  # of a JPEG, at most; every row costs memory beside its pixels


def check(data: bytes, settings: Settings) -> int:
    """How many pixels it takes to decode; Refusal for what is no image (415), is damaged (422), has too many (413).

    Decodes nothing. A JPEG is decoded at the size that is wanted and takes an eighth.
    """
    if not data:
        raise Refusal(422, "damaged", "the file is empty (0 bytes)")
    if data[:2] in (b"P1", b"P2", b"P3") and len(data) > MOST_PLAIN:
        raise Refusal(413, "bytes", f"a PPM written as text may have {MOST_PLAIN:,} bytes; save it as PNG")
    layout.check(data)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            pieces, share = len(getattr(image, "tile", ())), 8 if image.format in ("JPEG", "MPO") else 1
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refusal(413, "pixels", f"more than {settings.max_pixels:,} pixels; shrink the image") from None
    except UnidentifiedImageError:
        raise _unknown(data) from None
    except Exception as problem:  # readers raise whatever damaged bytes lead them to
        raise Refusal(422, "damaged", f"damaged: {problem or type(problem).__name__}") from None
    if width * height > settings.max_pixels:
        raise Refusal(
            413, "pixels", f"{width} x {height} pixels are more than {settings.max_pixels:,}; shrink the image"
        )
    if max(width, height) > LONGEST_SIDE:
        raise Refusal(413, "pixels", f"{width} x {height} pixels: a side has at most {LONGEST_SIDE:,}; cut the image")
    layout.check_pieces(pieces)
    return -(-width * height // share)


def _unknown(data: bytes) -> Refusal:
    """Of bytes that no reader took: damaged where they begin as an image does, else no image."""
    if any(_begins(kind, data[:16]) for kind in FORMATS):
        return Refusal(422, "damaged", "damaged: its header cannot be read")
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
        return Refusal(415, "not_image", "HEIC is not read; convert the image to JPEG or PNG")
    return Refusal(415, "not_image", f"no image: {', '.join(sorted(FORMATS))} are read (it begins with {data[:8]!r})")


def _begins(kind: str, start: bytes) -> bool:
    accepts = Image.OPEN[kind][1]
    return accepts is not None and accepts(start) is True


def prepared(model: Model, data: bytes) -> NDArray[np.uint8]:
    """As `model.read`, but of the checked formats only; DamagedImage where the pixels cannot be read."""
    return to_array(pixels(data, model.network.at_least), model.network.image_size, resize=model.network.resize)


def pixels(data: bytes, at_least: int | None = None) -> Image.Image:
    """The first frame, upright RGB."""
    try:
        return decode(data, "", at_least=at_least, formats=FORMATS)
    except DamagedImage as problem:
        raise DamagedImage(f"damaged: {str(problem).removeprefix(': ')}") from None
