"""Files of every format and of none: what is opened, what is refused, and what that costs."""

import os
import random
import struct
import tracemalloc
import warnings
import zlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from conftest import TOP
from data.pictures import encoded
from fashion_model.errors import InputError
from fashion_model.preprocessing import image_file
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.image_file import MAX_BYTES, MAX_PIXELS, MAX_PIXELS_OF

DATA = TOP / "tests" / "data"
RED, BLUE = (255, 0, 0), (0, 0, 255)


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_the_orientation_of_exif(value):
    block = exif_of(value)
    assert image_file.orientation(block) == value
    assert image_file.orientation(block.removeprefix(b"Exif\0\0")) == value


@pytest.mark.parametrize("block", [b"", b"II*\0", b"MM\0*\xff\xff\xff\xff", exif_of(9), bytes(99)])
def test_without_an_orientation_it_is_1(block):
    assert image_file.orientation(block) == 1


def test_a_picture_is_opened_with_its_pixels_still_encoded():
    content = encoded(Image.new("RGB", (300, 200), RED), "JPEG", exif=exif_of(3))
    picture = image_file.open_picture(content, longest=300)
    assert (picture.format, picture.size) == ("JPEG", (300, 200))
    assert image_file.orientation(picture.info["exif"]) == 3


def test_sizes():
    image_file.check_size(1, MAX_PIXELS)
    for size in ((0, 5), (5, 0), (1, MAX_PIXELS + 1)):
        with pytest.raises(InputError, match=r"is empty|too large: at most 50 megapixels"):
            image_file.check_size(*size)
    with pytest.raises(InputError, match="at most 16 megapixels"):
        image_file.check_size(4001, 4000, MAX_PIXELS_OF["WEBP"])


def test_a_file_is_read_to_just_past_the_limit(tmp_path):
    path = tmp_path / "long.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1000)
    assert len(image_file.read_file(path)) == MAX_BYTES + 1


@pytest.mark.parametrize("name", ["shirt.png", "shirt", "shirt.jfif", "shirt.txt", ".jpg", "a.b.c"])
def test_the_name_does_not_matter(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(encoded(Image.new("L", (8, 8), 3), "JPEG"))
    assert decode(path).size == (8, 8)


def test_bad_paths(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("a text with another name")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "to the pipe.png").symlink_to(tmp_path / "pipe.png")
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "shirt.png").touch()
    cases = [
        (tmp_path, "is a folder. Name a picture in it"),
        (tmp_path / "missing.png", "there is no file 'missing.png'. Check the path"),
        (tmp_path / "nowhere.png", "there is no file 'nowhere.png'"),
        (tmp_path / "shirt.png" / "below.png", "cannot read 'below.png' (Not a directory)"),
        (tmp_path / "empty.png", "empty (0 bytes)"),
        (tmp_path / "text.png", "no picture that can be read"),
        (tmp_path / "pipe.png", "'pipe.png' is no ordinary file"),
        (tmp_path / "to the pipe.png", "is no ordinary file"),
        ("/dev/zero", "'zero' is no ordinary file"),
        ("a" * 5000, "(File name too long)"),
        ("a\0b.png", "no valid path"),
        ("", "there is no file"),
    ]
    for path, says in cases:
        with pytest.raises(InputError) as caught:
            decode(path)
        assert says in str(caught.value), path
        assert str(tmp_path.parent) not in str(caught.value)


def tags(count: int, size: int) -> bytes:
    """A TIFF header and table, as EXIF has it: count tags that all claim the same bytes."""
    entries = [struct.pack("<HHII", tag, 7, size, 0) for tag in range(1000, 1000 + count)]
    return b"II*\0" + struct.pack("<IH", 8, count) + b"".join(entries) + bytes(4)


@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(b"II*\0\xff\xff\xff\xff", id="points nowhere"),
        pytest.param(b"II*\0\x08\0\0\0\xff\xff", id="cut"),
        pytest.param(b"no EXIF at all", id="text"),
        pytest.param(tags(1, 4).replace(b"\xe8\x03", b"\x12\x01"), id="orientation 0"),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_is_no_reason_to_refuse_a_picture(kind, exif):
    exif = b"Exif\0\0" + exif if kind == "JPEG" else exif
    assert decode(encoded(Image.new("RGB", (8, 4), RED), kind, exif=exif)).size == (8, 4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_tags_that_claim_the_same_bytes_cost_nothing(kind):
    """Pillow copies the bytes once for each tag."""
    exif = tags(4000, 10_000) + bytes(10_000)  # 58 KB that become 40 MB
    exif = b"Exif\0\0" + exif if kind == "JPEG" else exif
    content = encoded(Image.new("RGB", (8, 4), RED), kind, exif=exif)
    tracemalloc.start()
    decode(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_large_jpegs_are_decoded_at_reduced_scale(monkeypatch):
    asked = []
    from PIL.JpegImagePlugin import JpegImageFile

    draft = JpegImageFile.draft

    def spy(self, mode, size):
        answer = draft(self, mode, size)
        asked.append(self.size)
        return answer

    monkeypatch.setattr(JpegImageFile, "draft", spy)
    picture = Image.new("RGB", (4200, 3000), (90, 160, 30))
    content = encoded(picture, "JPEG", quality=95)
    decoded = decode(content)
    assert asked == [(1050, 750)]  # a quarter, the smallest that still has 1,024 pixels
    assert decoded.size == (525, 375)
    assert np.abs(np.asarray(decoded).astype(int) - (90, 160, 30)).max() <= 2
    decode(encoded(picture.resize((2000, 1000)), "JPEG"))
    assert len(asked) == 1


def test_tiff_of_sixteen_bits_and_of_two_tones():
    tones = np.array([[0, 771, 65_535]], np.uint16)
    assert np.asarray(decode(encoded(Image.fromarray(tones), "TIFF"))).tolist() == [[0, 3, 255]]
    lines = Image.new("1", (40, 8), 1)
    lines.putpixel((3, 4), 0)
    decoded = decode(encoded(lines, "TIFF", compression="group4"))
    assert (decoded.mode, decoded.getpixel((3, 4)), decoded.getpixel((4, 4))) == ("L", 0, 255)


def test_tiff_stands_upright():
    picture = Image.new("L", (64, 48))
    picture.paste(255, (0, 0, 32, 48))
    decoded = decode(encoded(picture, "TIFF", tiffinfo={274: 6}))  # to be turned clockwise
    assert decoded.size == (48, 64)
    assert (decoded.getpixel((24, 8)), decoded.getpixel((24, 56))) == (255, 0)


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_tags_that_claim_the_same_bytes_cost_nothing(order):
    """Pillow copies the bytes once for each tag: 500 of a megabyte took 950 MB."""
    needed = [(256, 3, 1, 8), (257, 3, 1, 4), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    needed += [(273, 4, 1, 10_000), (277, 3, 1, 1), (278, 3, 1, 4), (279, 4, 1, 32)]
    entries = b""
    for tag, kind, count, value in needed:
        body = struct.pack(order + ("HH" if kind == 3 else "I"), *([value, 0][: 5 - kind]))
        entries += struct.pack(order + "HHI", tag, kind, count) + body
    for tag in range(40_000, 40_500):
        entries += struct.pack(order + "HHII", tag, 7, 1_000_000, 10_000)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 509)
    content = (head + entries + bytes(4)).ljust(10_000, b"\0") + bytes(range(32)) + bytes(1_000_000)
    tracemalloc.start()
    decoded = decode(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.asarray(decoded).tolist() == np.arange(32).reshape(4, 8).tolist()
    assert peak < 10_000_000


def test_heic():
    """Made by pillow-heif: red below on the left, blue above on the right, else nearly white."""
    decoded = decode(DATA / "three_colors.heic")
    assert (decoded.mode, decoded.size) == ("RGB", (64, 48))
    places = {(8, 40): (200, 40, 60), (50, 6): (30, 60, 160), (8, 6): (240, 240, 230)}
    for place, color in places.items():
        assert np.abs(np.subtract(decoded.getpixel(place), color)).max() <= 4


def test_heic_that_is_cut():
    content = (DATA / "three_colors.heic").read_bytes()
    for length in (40, 300, len(content) - 20):
        with pytest.raises(InputError, match="damaged"):
            decode(content[:length])


PNG = encoded(Image.effect_noise((64, 64), 50))


JPEG = encoded(Image.effect_noise((64, 64), 50), "JPEG")


GIF = encoded(Image.effect_noise((64, 64), 50), "GIF")  # 13 bytes of header, 768 of palette


def chunk(kind: bytes, body: bytes) -> bytes:
    sums = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + sums


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size, with no pixels behind it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def webp_of(width: int, height: int) -> bytes:
    return encoded(Image.new("L", (width, height)), "WEBP", method=0, quality=0)


def jpeg_of_many_scans() -> bytes:
    content = encoded(Image.new("RGB", (2000, 1500)), "JPEG", progressive=True)
    last = content.rfind(b"\xff\xda")
    return content[:-2] + content[last:-2] * 400 + content[-2:]


BAD_BYTES = {
    "nothing": (b"", "empty (0 bytes)"),
    "text": (b"no picture at all, but text\n" * 9, "no picture that can be read"),
    "zeros": (bytes(1000), "no picture that can be read"),
    "HTML": (b"<!doctype html><html><body>hello</body></html>", "no picture that can be read"),
    "SVG": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG drawings"),
    "PDF": (b"%PDF-1.7\n" + bytes(99), "no picture that can be read"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture that can be read"),
    "PPM": (b"P3 1 1 255 1 2 3", "no picture that can be read"),
    "HEIC header only": (b"\0\0\0\x18ftypheic" + bytes(99), "damaged, incomplete"),
    "PNG signature only": (PNG[:8], "no picture that can be read"),
    "PNG header only": (PNG[:33], "its beginning is damaged"),
    "PNG cut": (PNG[:-300], "damaged, incomplete"),
    "PNG without pixels": (png_of(8, 8), "damaged, incomplete"),
    "PNG without width": (png_of(0, 8), "its beginning is damaged"),
    "PNG with wrong bytes": (PNG[:600] + bytes(100) + PNG[700:], "damaged, incomplete"),
    "JPEG cut": (JPEG[:-300], "damaged, incomplete"),
    "GIF cut": (GIF[:-300], "damaged, incomplete"),
    "WebP cut": (encoded(Image.effect_noise((64, 64), 50), "WEBP")[:-300], "damaged, incomplete"),
    "BMP cut": (encoded(Image.effect_noise((64, 64), 50), "BMP")[:-300], "damaged, incomplete"),
    "AVIF cut": (
        encoded(Image.effect_noise((64, 64), 50), "AVIF")[:-300],
        "its beginning is damaged",
    ),
    "51 megapixels": (png_of(51_000, 1000), "51000 x 1000 pixels is too large: at most 50 mega"),
    "100 megapixels, for which Pillow warns": (png_of(10_000, 10_000), "at most 50 megapixels"),
    "10 gigapixels, at which Pillow stops": (png_of(100_000, 100_000), "at most 50 megapixels"),
    "WebP of 17 megapixels": (webp_of(8500, 2000), "at most 16 megapixels"),
    "JPEG of 400 scans": (jpeg_of_many_scans(), "too many scans"),
    "TIFF cut": (encoded(Image.effect_noise((64, 64), 50), "TIFF")[:200], "damaged"),
    "TIFF of 17 megapixels": (
        encoded(Image.new("1", (8500, 2000)), "TIFF", compression="group4"),
        "at most 16 megapixels",
    ),
    "TIFF with a huge table of strips": (
        b"II*\0" + struct.pack("<IHHHII", 8, 1, 273, 4, 5_000_000, 0) + bytes(4),
        "too many parts",
    ),
    "BigTIFF": (b"II+\0\x08\0\0\0" + bytes(99), "TIFF files of this kind cannot be read"),
    "TIFF in two orders": (  # Pillow would read it, and copy the bytes of 300 tags
        tags(300, 1_000_000).replace(b"*\0", b"\0*", 1) + bytes(1_000_000),
        "TIFF files of this kind cannot be read",
    ),
    "PNG of a million chunks": (PNG[:33] + chunk(b"teXt", b"") * 1_000_000, "damaged, incomplete"),
    "GIF of a million blocks": (GIF[:781] + b"!\xfe\0" * 1_000_000, "damaged, incomplete"),
    "JPEG of a million segments": (
        b"\xff\xd8" + b"\xff\xfe\0\2" * 1_000_000,
        "too many segments",
    ),
}


@pytest.mark.parametrize(("content", "says"), BAD_BYTES.values(), ids=BAD_BYTES)
def test_bad_bytes(content, says):
    with pytest.raises(InputError) as caught:
        decode(content)
    assert says in str(caught.value)


def test_too_many_bytes():
    with pytest.raises(InputError, match=f"larger than {MAX_BYTES // 1_000_000} MB"):
        decode(PNG + bytes(MAX_BYTES))


def test_flipped_bits_give_a_picture_or_an_input_error(recwarn):
    """Damage anywhere in a file of any format; a fixed seed, so that a failure repeats."""
    chance = random.Random(0)
    noise = Image.effect_noise((40, 30), 60)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    files = [
        encoded(noise, "PNG", exif=exif),
        encoded(noise.convert("P"), "PNG", transparency=3),
        encoded(noise.convert("RGB"), "JPEG", exif=exif),
        encoded(noise.convert("CMYK"), "JPEG", progressive=True),
        encoded(noise.convert("RGBA"), "WEBP", exif=exif),
        encoded(noise, "GIF", save_all=True, append_images=[noise.rotate(90)]),
        encoded(noise, "BMP"),
        encoded(noise.convert("RGB"), "AVIF", speed=10),
    ]
    outcomes, texts = Counter(), set()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        for content in files:
            for _ in range(60):
                damaged = bytearray(content)
                for _ in range(chance.choice((1, 3, 20))):
                    position = int(len(damaged) * chance.random() ** 2)  # mostly in the header
                    damaged[position] ^= 1 << chance.randrange(8)
                if chance.random() < 0.3:
                    del damaged[chance.randrange(len(damaged)) :]
                try:
                    outcomes[decode(bytes(damaged)).mode] += 1
                except InputError as error:
                    outcomes["error"] += 1
                    texts.add(str(error))
    assert not recwarn.list
    assert all(text.endswith(".") for text in texts)
    assert outcomes["error"] > 100
    assert outcomes["L"] + outcomes["RGB"] > 50


def test_limits_are_those_that_the_errors_name():
    assert MAX_PIXELS == 50_000_000
    assert set(MAX_PIXELS_OF.values()) == {16_000_000, 25_000_000}
