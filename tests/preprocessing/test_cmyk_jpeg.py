"""JPEGs with four channels look as the picture that they were made from."""

import io

import numpy as np
import pytest
from PIL import Image, ImageChops

from fashion_model.preprocessing.decode import decode

NAMES = bytes((67, 77, 89, 75))  # C, M, Y and K, as libjpeg numbers them
NUMBERS = bytes((1, 2, 3, 4))  # as Adobe and Java do


@pytest.fixture(scope="module")
def picture():
    """Soft colors, white and a dark corner: 96 x 64."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    soft = small.resize((96, 64), Image.Resampling.BICUBIC)
    soft.paste("white", (0, 0, 96, 24))
    soft.paste((12, 10, 14), (70, 40, 96, 64))
    return soft


def inks(picture: Image.Image) -> Image.Image:
    """CMYK with as much black as possible, so that black has a picture of its own."""
    rgb = np.asarray(picture, np.float32)
    black = 255 - rgb.max(2, keepdims=True)
    cmy = 255 - 255 * rgb / np.maximum(1, 255 - black)
    return Image.fromarray(np.concatenate([cmy, black], 2).round().astype(np.uint8), "CMYK")


def ycc(picture: Image.Image) -> list[Image.Image]:
    return list(picture.convert("YCbCr").split())


def inverted(*channels: Image.Image) -> list[Image.Image]:
    return [ImageChops.invert(channel) for channel in channels]


def jpeg(stored, *, adobe: int | None, names: bytes = NAMES, halved: bool = False) -> bytes:
    """A JPEG of four channels, stored just so. adobe: what the marker tells; None: no marker.

    halved: the chromas have half of the first channel's pixels each way.
    """
    file = io.BytesIO()
    # Pillow inverts what it writes
    Image.merge("CMYK", inverted(*stored)).save(
        file, "JPEG", quality=97, subsampling=2 if halved else 0
    )
    content = file.getvalue()
    at = content.index(b"\xff\xee")
    assert content[at : at + 16] == b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
    marker = b"" if adobe is None else content[at : at + 15] + bytes([adobe])
    content = content[:at] + marker + content[at + 16 :]
    frame, scan = content.index(b"\xff\xc0") + 10, content.index(b"\xff\xda") + 5
    changed = bytearray(content)
    for i in range(4):
        changed[frame + 3 * i] = changed[scan + 2 * i] = names[i]
    return bytes(changed)


def check(content: bytes, picture: Image.Image, tolerance: float) -> None:
    with Image.open(io.BytesIO(content)) as encoded:
        assert encoded.mode == "CMYK"
    decoded = decode(content)
    assert decoded.mode == "RGB"
    difference = np.abs(np.asarray(decoded, np.float32) - np.asarray(picture, np.float32))
    assert difference.mean() < tolerance


@pytest.mark.parametrize("adobe", [0, None])
@pytest.mark.parametrize("invert", [True, False])
def test_inks(picture, adobe, invert):
    channels = inks(picture).split()
    stored = inverted(*channels) if invert else channels
    if adobe is not None and not invert:
        # Not to be told from a dark picture, unless that were black all over.
        channels = picture.convert("CMYK").split()  # without black ink
        stored = channels
    check(jpeg(stored, adobe=adobe), picture, 3)


def test_a_marker_is_believed_of_a_dark_picture():
    dark = Image.effect_noise((96, 64), 20).point(lambda tone: tone // 4).convert("RGB")
    content = jpeg(inverted(*inks(dark).split()), adobe=0)
    assert np.asarray(decode(content)).mean() == pytest.approx(np.asarray(dark).mean(), abs=3)


@pytest.mark.parametrize("names", [NAMES, NUMBERS])
def test_luma_and_chroma_with_the_marker(picture, names):
    *colors, black = inks(picture).split()
    stored = [*ycc(Image.merge("RGB", colors)), ImageChops.invert(black)]
    check(jpeg(stored, adobe=2, names=names), picture, 3)


def test_luma_and_chroma_without_it(picture):
    *colors, black = inks(picture).split()
    stored = [*ycc(Image.merge("RGB", colors)), ImageChops.invert(black)]
    check(jpeg(stored, adobe=None, names=NUMBERS, halved=True), picture, 8)


def test_luma_and_chroma_of_what_is_not_inverted(picture):
    *colors, black = inks(picture).split()
    stored = [*ycc(Image.merge("RGB", inverted(*colors))), black]
    check(jpeg(stored, adobe=None, names=NUMBERS, halved=True), picture, 8)


def test_opacity_that_is_full_everywhere(picture):
    """As Java's ImageIO wrote pictures with an alpha channel: pink in most viewers."""
    stored = [*ycc(picture), Image.new("L", picture.size, 255)]
    check(jpeg(stored, adobe=None, names=NUMBERS, halved=True), picture, 8)


def test_opacity_cuts_out():
    """A dark square on nothing gets white paper."""
    dark = Image.new("RGB", (96, 96), (60, 20, 40))
    shape = Image.new("L", (96, 96))
    shape.paste(255, (32, 32, 64, 64))
    stored = [*ycc(dark), shape]
    decoded = decode(jpeg(stored, adobe=None, names=NUMBERS, halved=True))
    assert decoded.getpixel((8, 8)) == (255, 255, 255)
    assert np.abs(np.array(decoded.getpixel((48, 48))) - (60, 20, 40)).max() <= 6


def test_large_ones_are_read_in_strips(picture):
    large = picture.resize((2400, 2200), Image.Resampling.BICUBIC)
    content = jpeg(inks(large).split(), adobe=None)
    small = picture.resize((800, 734), Image.Resampling.BICUBIC)
    decoded = decode(content, longest=800).resize(small.size)
    assert np.abs(np.asarray(decoded, np.float32) - np.asarray(small)).mean() < 4
