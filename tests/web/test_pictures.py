"""Uploads as pixels: the same as from files, of few formats, one frame."""

import io
import struct
import threading
import time
import zlib

import numpy as np
import pytest
import server
from PIL import Image

from manylabel.data.images import DamagedImage
from manylabel.web import layout, pictures
from manylabel.web.counters import Counters
from manylabel.web.refusal import Refusal
from manylabel.web.service import Service
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


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiles(count, big=False):
    """A TIFF that says it has so many tiles of a pixel."""
    order, width = ("<HHQQ", 8) if big else ("<HHII", 4)
    entries = [struct.pack(order, tag, 4, 1, value) for tag, value in ((256, count), (257, 1))]
    entries.append(struct.pack(order, 324, 4, count, 200))
    start = b"II+\0\x08\0\0\0" + (16).to_bytes(8, "little") if big else b"II*\0" + (8).to_bytes(4, "little")
    return start + len(entries).to_bytes(8 if big else 2, "little") + b"".join(entries) + bytes(width)


PNG, JPEG, MANY = server.picture(), server.picture(kind="JPEG"), layout.MOST_PIECES + 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("chunks", PNG[:33] + MANY * chunk(b"abCd") + PNG[33:]),
        ("segments", JPEG[:2] + MANY * b"\xff\xfe\0\2" + JPEG[2:]),
        ("bytes that fill", JPEG[:2] + MANY * b"\xff" + JPEG[2:]),
        ("tiles", tiles(MANY)),
        ("tiles of a BigTIFF", tiles(MANY, big=True)),
        ("blanks", b"P6\n" + 5000 * b" " + b"1 1 255\nabc"),
        ("a comment", b"P6\n1 1#" + 5000 * b"x" + b"\n255\nabc"),
        ("comments in a word", b"P6\n1 1 25#\n#" + 5000 * b"x" + b"\n5\nabc"),
    ],
)
def test_a_file_of_very_many_pieces_is_refused_before_a_reader_walks_them(name, data, monkeypatch):
    """Readers walk headers in Python: 20 MiB of these take ten to forty seconds of a core."""
    monkeypatch.setattr(pictures.Image, "open", lambda *_, **__: pytest.fail("a reader was asked"))
    with pytest.raises(Refusal, match=r"pieces|header of a PPM"):
        pictures.check(data, Settings())


def test_what_has_many_pieces_for_good_reasons_is_read():
    long_comment = b"P6\n# " + 2000 * b"x" + b"\n1 1 # width and height\n255\nabc"
    for data in (long_comment, b"P4 1 1\n\x80", server.noise(400, "PNG"), server.noise(400, "JPEG"),
                 server.noise(64, "TIFF"), JPEG + 9 * b"\xff\xff" + PNG):  # fmt: skip
        assert pictures.check(data, Settings()) > 0


def test_a_jpeg_of_very_many_scans_is_refused():
    """2,000 scans in 125 kB held a worker for more than half a minute."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 90).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    assert pictures.check(data, Settings()) == 64 * 64 / 8
    last = data.rfind(b"\xff\xda")
    with pytest.raises(Refusal, match="100 scans"):
        pictures.check(data[:last] + 101 * data[last:-2] + b"\xff\xd9", Settings())


def test_a_picture_of_one_endless_row_or_column_is_refused():
    for size in ((70_000, 1), (1, 70_000)):
        with pytest.raises(Refusal, match="a side has at most 65,535"):
            pictures.check(server.picture(size=size), Settings())


def test_pixels_decoded_at_once_are_bounded_whatever_the_number_of_workers(monkeypatch):
    """And a large picture that waits is not passed by small ones for ever."""
    model = server.colour_model(workers=6)
    service = Service(model, Settings(max_pixels=1000), Counters())
    inside, most, lock = [0], [0], threading.Lock()

    def prepared(_, data):
        with lock:
            inside[0] += 400
            most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        with lock:
            inside[0] -= 400
        return np.zeros((16, 16, 3), np.uint8)

    monkeypatch.setattr(pictures, "prepared", prepared)
    threads = [threading.Thread(target=service.compute, args=([(PNG, 400)],)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [800], "two at once, of six"
    assert service.room.used == 0
