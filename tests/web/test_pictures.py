"""Uploads as pixels: the same as from files, of few formats, one frame."""

import io

import numpy as np
import pytest
import server
from PIL import Image

from manylabel.data.images import DamagedImage
from manylabel.web import pictures
from manylabel.web.refusal import Refusal
from manylabel.web.settings import Settings


def test_the_formats_are_those_of_image_files():
    assert set(pictures.FORMATS) == {"JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "PPM"}


@pytest.mark.parametrize("kind", [*pictures.FORMATS, "MPO"])
def test_every_format_is_prepared_as_the_model_reads_it(kind):
    data = server.noise(48, kind)
    model = server.colour_model()
    pictures.check(data, Settings())
    np.testing.assert_array_equal(pictures.prepared(model, data), model.read(data))
    with pytest.raises(Refusal, match="pixels are more than"):
        pictures.check(data, Settings(max_pixels=48 * 48 - 1))


def test_other_formats_are_not_decoded_either():
    """What a header says is not taken for what another reader may make of the bytes."""
    with pytest.raises(DamagedImage):
        pictures.pixels(server.noise(32, "ICO"))


def test_of_an_animation_the_first_frame_is_read():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "green")]
    for kind in ("GIF", "WEBP", "TIFF", "PNG", "AVIF"):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
        mean = np.asarray(pictures.pixels(buffer.getvalue())).mean(axis=(0, 1))
        assert mean == pytest.approx((255, 0, 0), abs=4), kind


def test_a_header_is_looked_at_without_decoding(monkeypatch):
    from PIL import ImageFile

    def decoded(*_):
        raise AssertionError("an image was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    for kind in ("PNG", "JPEG", "TIFF"):
        pictures.check(server.noise(32, kind), Settings())


def test_numbers_written_as_text_are_short(monkeypatch):
    data = b"P3 2 2 255\n" + b"1 " * 12
    pictures.check(data, Settings())
    monkeypatch.setattr(pictures, "MOST_PLAIN", 20)
    with pytest.raises(Refusal, match="written as text"):
        pictures.check(data, Settings())
