"""Every kind of image file, good and damaged, made here."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile

from manylabel.data import images
from manylabel.data.images import DamagedImage, read_image, thumbnail_jpeg, to_array


def scene(width=64, height=48, seed=0):
    """A smooth picture, so that JPEG keeps it nearly as it is."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def pixels(path):
    return np.asarray(read_image(path)).astype(int)


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "tif", "webp", "bmp"])
@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95])
def test_truncated_files_are_errors(tmp_path, ending, keep):
    whole, cut = tmp_path / f"whole.{ending}", tmp_path / f"cut.{ending}"
    Image.effect_noise((120, 90), 60).convert("RGB").save(whole)
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * keep)])
    assert read_image(whole).size == (120, 90)
    with pytest.raises(DamagedImage, match=f"cut.{ending}: "):
        read_image(cut)


def test_truncation_is_an_error_even_where_other_code_allows_it(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    scene().save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[:-200])
    with pytest.raises(DamagedImage, match="truncated"):
        read_image(tmp_path / "a.jpg")


def test_empty_missing_and_other_files(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("<html>not found</html>")
    for name, reason in (
        ("empty.jpg", "empty"),
        ("none.jpg", "No such file"),
        ("text.jpg", "not an image"),
        (".", "directory"),
    ):
        with pytest.raises(DamagedImage, match=reason):
            read_image(tmp_path / name)


def test_alpha_is_laid_over_white(tmp_path):
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[:, 0] = (255, 0, 0, 255)
    rgba[:, 1] = (255, 0, 0, 128)
    rgba[:, 2] = (9, 9, 9, 0)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert pixels(tmp_path / "a.png")[0].tolist() == [[255, 0, 0], [255, 127, 127], [255, 255, 255]]
    Image.fromarray(rgba).convert("LA").save(tmp_path / "la.png")
    assert pixels(tmp_path / "la.png")[0, 2].tolist() == [255, 255, 255]


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    image.save(tmp_path / "plain.png")
    assert pixels(tmp_path / "plain.png")[0].tolist() == [[10, 20, 30], [200, 100, 50]]
    image.save(tmp_path / "clear.png", transparency=1)
    image.save(tmp_path / "bytes.png", transparency=bytes([255, 0]))
    for name in ("clear.png", "bytes.png"):
        assert pixels(tmp_path / name)[0].tolist() == [[10, 20, 30], [255, 255, 255]]


@pytest.mark.parametrize(("most", "expected"), [(65535, 255), (4095, 255), (255, 255), (40000, 156)])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path, most, expected, ending):
    ramp = np.linspace(0, most, 256).astype(np.uint16)[None].repeat(4, axis=0)
    Image.fromarray(ramp).save(tmp_path / f"a.{ending}")
    row = pixels(tmp_path / f"a.{ending}")[0, :, 0]
    assert row[0] == 0
    assert row[-1] == expected
    assert np.abs(np.diff(row)).max() <= 1  # a ramp still
    assert row[128] == pytest.approx(expected / 2, abs=1)


def test_floats_and_bits(tmp_path):
    Image.fromarray(np.array([[0, 0.5, 1]], np.float32)).save(tmp_path / "f.tif")
    assert pixels(tmp_path / "f.tif")[0, :, 0].tolist() == [0, 128, 255]
    Image.fromarray(np.array([[0, np.nan]], np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(DamagedImage, match="finite"):
        read_image(tmp_path / "nan.tif")
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bits.png")
    assert pixels(tmp_path / "bits.png")[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path, orientation):
    upright = scene(64, 48)
    turns = {  # how a camera that is held so stores the picture
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turns[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert read_image(tmp_path / "a.jpg").size == (64, 48)
    assert np.abs(pixels(tmp_path / "a.jpg") - np.asarray(upright)).mean() < 3


def test_a_broken_exif_block_does_not_hide_the_picture(tmp_path):
    scene().save(tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x12\x01")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read_image(tmp_path / "a.jpg").size == (64, 48)


def test_cmyk_and_animation(tmp_path):
    scene().convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(pixels(tmp_path / "cmyk.jpg") - np.asarray(scene())).mean() < 4
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert pixels(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


def test_decompression_bombs_are_refused(tmp_path, monkeypatch):
    scene(64, 48).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # Pillow itself warns from here, refuses from twice that
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DamagedImage, match=r"64 x 48 pixels are more than the limit of 2,000"):
            read_image(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DamagedImage, match="MAX_IMAGE_PIXELS"):
        read_image(tmp_path / "a.png")


def test_reduced_decoding_is_smaller_and_hardly_different(tmp_path):
    scene(1600, 1200).save(tmp_path / "a.jpg")
    full, reduced = read_image(tmp_path / "a.jpg"), read_image(tmp_path / "a.jpg", at_least=96)
    assert (full.size, reduced.size) == ((1600, 1200), (400, 300))
    difference = to_array(full, 96).astype(float) - to_array(reduced, 96)
    assert np.abs(difference).mean() < 1
    assert read_image(tmp_path / "a.jpg", at_least=700).size == (1600, 1200)


def test_resizes():
    image = Image.new("RGB", (30, 10), "red")
    image.paste("blue", (10, 0, 20, 10))
    assert (to_array(image, 6, resize="crop")[:, 1:-1] == (0, 0, 255)).all()
    padded = to_array(image, 6, resize="pad")
    assert (padded[0] == images.GREY).all()
    assert padded[2, 0].tolist() == [255, 0, 0]
    squashed = to_array(image, 6)
    assert squashed[0, 0].tolist() == squashed[5, 5].tolist() == [255, 0, 0]
    checks = Image.fromarray(np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255).convert("RGB")
    assert np.abs(to_array(checks, 8).astype(int) - 127).max() < 12  # antialiased: no checks left
    assert to_array(Image.new("RGB", (20_000, 1)), 8, resize="crop").shape == (8, 8, 3)
    with pytest.raises(ValueError, match="Did you mean 'squash'"):
        to_array(image, 6, resize="sqash")


def test_thumbnail(tmp_path):
    scene(640, 320).save(tmp_path / "a.png")
    with Image.open(io.BytesIO(thumbnail_jpeg(tmp_path / "a.png", 100))) as small:
        assert (small.format, small.size) == ("JPEG", (100, 50))
