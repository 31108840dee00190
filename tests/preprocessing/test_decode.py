"""Every kind of picture a caller may hand over, each with an answer worked out by hand."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data.pictures import encoded
from fashion_model.errors import InputError
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.image_file import MAX_PIXELS

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255,) * 3, (0,) * 3


def pixels(picture: Image.Image) -> list:
    """Row by row."""
    return np.asarray(picture).tolist()


def row(mode: str, *values) -> Image.Image:
    picture = Image.new(mode, (len(values), 1))
    for x, value in enumerate(values):
        picture.putpixel((x, 0), value)
    return picture


def palette(*colours, indexes=(0, 1)) -> Image.Image:
    picture = row("P", *indexes)
    picture.putpalette([channel for colour in colours for channel in colour])
    return picture


# Modes. What goes in, what must come out: mode and first row.

MODES = {
    "1": (row("1", 0, 1), "L", [0, 255]),
    "L": (row("L", 0, 7, 255), "L", [0, 7, 255]),
    "LA opaque": (row("LA", (9, 255), (8, 255)), "L", [9, 8]),
    "La": (row("LA", (9, 255), (8, 255)).convert("La"), "L", [9, 8]),
    "P grey": (palette((7, 7, 7), (200, 200, 200)), "L", [7, 200]),
    "P colour": (palette(RED, BLUE), "RGB", [list(RED), list(BLUE)]),
    "RGB colour": (row("RGB", RED, (1, 2, 3)), "RGB", [list(RED), [1, 2, 3]]),
    "RGB grey": (row("RGB", (5, 5, 5), (6, 6, 6)), "L", [5, 6]),
    "RGBA opaque": (row("RGBA", (*RED, 255), (1, 2, 3, 255)), "RGB", [list(RED), [1, 2, 3]]),
    "RGBX": (row("RGBX", (1, 2, 3, 0)), "RGB", [[1, 2, 3]]),
    "CMYK": (row("CMYK", (0, 255, 255, 0), (0, 0, 0, 255)), "RGB", [list(RED), list(BLACK)]),
    "HSV": (row("HSV", (0, 255, 255)), "RGB", [list(RED)]),
    "YCbCr grey": (row("YCbCr", (77, 128, 128)), "L", [77]),
    "I;16": (row("I;16", 0, 257 * 3, 65_535), "L", [0, 3, 255]),
    "I;16 rounds": (row("I;16", 128, 129, 385, 386), "L", [0, 1, 1, 2]),
    "I of 8 bits": (row("I", 0, 3, 255), "L", [0, 3, 255]),
    "I of 16 bits": (row("I", 0, 257 * 3, 65_535), "L", [0, 3, 255]),
    "F from 0 to 1": (row("F", 0.0, 0.2, 1.0), "L", [0, 51, 255]),
    "F from 0 to 255": (row("F", 0.0, 3.4, 255.0), "L", [0, 3, 255]),
    "F from 0 to 65535": (row("F", 0.0, 771.0, 65_535.0), "L", [0, 3, 255]),
}


@pytest.mark.parametrize(("picture", "mode", "expected"), MODES.values(), ids=MODES)
def test_pil_pictures_of_every_mode(picture, mode, expected):
    before = (picture.mode, picture.size, picture.tobytes())
    decoded = decode(picture)
    assert (decoded.mode, pixels(decoded)) == (mode, [expected])
    assert (picture.mode, picture.size, picture.tobytes()) == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "PNG") for name in ("1", "L", "LA opaque", "P grey", "P colour", "RGB colour")),
        *((name, "PNG") for name in ("RGBA opaque", "I;16")),
        *((name, "BMP") for name in ("1", "L", "P colour", "RGB colour")),
        *((name, "GIF") for name in ("1", "L", "P colour")),
    ],
)
def test_files_of_every_mode(name, kind):
    picture, mode, expected = MODES[name]
    decoded = decode(encoded(picture, kind))
    assert (decoded.mode, pixels(decoded)) == (mode, [expected])


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        *(("JPEG", mode, {"quality": 95}) for mode in ("L", "RGB", "CMYK")),
        *(("JPEG", mode, {"quality": 95, "progressive": True}) for mode in ("L", "RGB", "CMYK")),
        *(("WEBP", mode, {"quality": 95}) for mode in ("L", "RGB")),
        *(("WEBP", mode, {"lossless": True}) for mode in ("L", "RGB")),
        *(("AVIF", mode, {"quality": 95}) for mode in ("L", "RGB")),
    ],
)
def test_lossy_files_come_close(kind, mode, options):
    picture = Image.new("RGB", (32, 16), (40, 120, 200)).convert(mode)
    decoded = np.asarray(decode(encoded(picture, kind, **options)).convert("RGB"))
    assert decoded.shape == (16, 32, 3)
    assert np.abs(decoded.astype(int) - np.asarray(picture.convert("RGB"))).max() <= 3


ARRAYS = {
    "uint8": (np.array([[0, 9, 255]], np.uint8), [0, 9, 255]),
    "uint8 one channel": (np.array([[[0], [9]]], np.uint8), [0, 9]),
    "uint8 colour": (np.array([[RED, (1, 2, 3)]], np.uint8), [list(RED), [1, 2, 3]]),
    "uint8 colour and alpha": (np.array([[(*RED, 255)]], np.uint8), [list(RED)]),
    "uint8 backwards": (np.array([[0, 9, 255]], np.uint8)[:, ::-1], [255, 9, 0]),
    "uint8 by columns": (np.asfortranarray(np.array([[0, 9], [1, 1]], np.uint8))[:1], [0, 9]),
    "uint16": (np.array([[0, 771, 65_535]], np.uint16), [0, 3, 255]),
    "uint16 big-endian": (np.array([[0, 771, 65_535]], ">u2"), [0, 3, 255]),
    "bool": (np.array([[False, True]]), [0, 255]),
    "float16": (np.array([[0, 0.5, 1]], np.float16), [0, 128, 255]),
    "float32": (np.array([[0, 0.2, 1]], np.float32), [0, 51, 255]),
    "float64 colour": (np.array([[(1, 0, 0.2)]]), [[255, 0, 51]]),
    "float with rounding errors": (np.array([[-1e-7, 1 + 1e-6]]), [0, 255]),
}


@pytest.mark.parametrize(("array", "expected"), ARRAYS.values(), ids=ARRAYS)
def test_arrays(array, expected):
    assert pixels(decode(array)) == [expected]


def test_real_pictures_of_28_pixels_and_their_multiples_keep_each_pixel(sheet):
    for picture, _ in sheet:
        for scale in (1, 2, 10, 36):
            large = picture.resize((28 * scale, 28 * scale), Image.Resampling.NEAREST)
            decoded = decode(encoded(large))
            assert decoded.mode == "L"
            assert decoded.tobytes() == large.tobytes()


# Orientation: an F is lying in the file as each value says, and must stand upright.

UPRIGHT = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]], np.uint8) * 255
STORED = {  # EXIF value -> how the camera stored it (the inverse of what a viewer does)
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.T,
    6: np.rot90(UPRIGHT),  # shown turned clockwise, so stored turned anticlockwise
    7: UPRIGHT[::-1, ::-1].T,
    8: np.rot90(UPRIGHT, -1),
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "object"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation(orientation, kind):
    large = np.kron(STORED[orientation], np.ones((16, 16), np.uint8))
    picture = Image.fromarray(np.ascontiguousarray(large))
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(picture, "PNG" if kind == "object" else kind, exif=exif)
    decoded = decode(Image.open(io.BytesIO(content)) if kind == "object" else content)
    assert decoded.size == (48, 64)
    assert np.array_equal(np.asarray(decoded)[8::16, 8::16] > 127, UPRIGHT > 0)
    assert decoded.getexif().get(0x0112) is None


def test_a_turned_photo_is_reduced_and_upright():
    picture = Image.new("RGB", (4000, 3000), RED)
    picture.paste(BLUE, (0, 0, 2000, 3000))
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = decode(encoded(picture, "JPEG", exif=exif))
    assert decoded.size == (750, 1000)
    assert decoded.getpixel((375, 100))[2] > 240  # left in the file, so on top
    assert decoded.getpixel((375, 900))[0] > 240


# Transparency.


def drawing(ink, paper=(0, 0, 0, 0)) -> Image.Image:
    """A stroke across a layer of 20x20."""
    layer = Image.new("RGBA", (20, 20), paper)
    ImageDraw.Draw(layer).rectangle((5, 8, 14, 11), fill=ink)
    return layer


@pytest.mark.parametrize(
    ("ink", "drawn", "paper"),
    [
        pytest.param((0, 0, 0, 255), 0, 255, id="black ink on white"),
        pytest.param((255, 255, 255, 255), 255, 0, id="white ink on black"),
        pytest.param((100, 100, 100, 255), 100, 255, id="dark grey ink on white"),
        pytest.param((200, 200, 200, 255), 200, 0, id="light grey ink on black"),
        pytest.param((0, 0, 0, 51), 204, 255, id="faint black ink is dark"),
        pytest.param((255, 255, 255, 51), 51, 0, id="faint white ink is light"),
    ],
)
@pytest.mark.parametrize("form", ["object", "PNG", "WEBP", "LA"])
def test_layers_get_a_paper_that_contrasts(ink, drawn, paper, form):
    layer = drawing(ink)
    if form == "LA":
        layer = layer.convert("LA")
    elif form != "object":
        layer = encoded(layer, form, **({"lossless": True} if form == "WEBP" else {}))
    decoded = decode(layer)
    assert decoded.mode == "L"
    assert (decoded.getpixel((9, 9)), decoded.getpixel((0, 0))) == (drawn, paper)


def test_colour_under_full_transparency_does_not_count():
    decoded = decode(drawing((0, 0, 0, 255), paper=(255, 0, 0, 0)))
    assert (decoded.mode, decoded.getpixel((0, 0))) == ("L", 255)


def test_palette_with_transparency():
    see_through = palette(RED, (9, 9, 9), indexes=(0, 1, 1))
    one = encoded(see_through, transparency=0)
    each = encoded(see_through, transparency=bytes([0, 255]))
    gif = encoded(see_through, "GIF", transparency=0)
    for content in (one, each, gif):
        assert pixels(decode(content)) == [[255, 9, 9]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_one_transparent_colour(mode):
    black, white = (BLACK, WHITE) if mode == "RGB" else (0, 255)
    picture = row(mode, black, white, white)
    content = encoded(picture, transparency=black)
    assert pixels(decode(content)) == [[0, 255, 255]]  # the white is visible, so paper is black


def test_rounded_corners_are_no_shape():
    screenshot = Image.new("RGBA", (100, 100), (250, 250, 250, 255))
    ImageDraw.Draw(screenshot).rectangle((0, 0, 3, 3), fill=(0, 0, 0, 0))
    assert decode(screenshot).getpixel((0, 0)) == 255
    dark = Image.new("RGBA", (100, 100), (10, 10, 10, 255))
    ImageDraw.Draw(dark).rectangle((0, 0, 3, 3), fill=(0, 0, 0, 0))
    assert decode(dark).getpixel((0, 0)) == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_fully_transparent(mode):
    with pytest.raises(InputError, match="fully transparent"):
        decode(Image.new("RGBA", (9, 9), (0, 0, 0, 0)).convert(mode))


# Sizes.


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2), (1024, 1), (1023, 1024)])
def test_small_ones_keep_their_size(size):
    assert decode(Image.new("L", size, 3)).size == size
    assert decode(encoded(Image.new("L", size, 3))).size == size


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1025, 512), (513, 256)),
        ((2048, 100), (1024, 50)),
        ((3000, 2), (1000, 1)),
        ((1, 20_000), (1, 1000)),
        ((20_000, 1), (1000, 1)),
        ((5000, 4001), (1000, 801)),
    ],
)
def test_large_ones_are_reduced_by_a_whole_factor(size, expected):
    assert decode(Image.new("L", size)).size == expected


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "CMYK", "P", "1", "I;16", "F"])
def test_reduction_is_the_mean_of_squares_also_across_strips(mode):
    """Against Pillow's own reduce on the whole picture, which is too large for one strip."""
    noise = Image.effect_noise((3000, 3001), 80)
    if mode == "1":
        noise = noise.point(lambda value: 255 * (value > 127))
    picture = noise.convert(mode) if mode not in ("I;16", "CMYK") else noise
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(noise, np.uint16) * 257)
    elif mode == "CMYK":
        picture = noise.convert("RGB").convert("CMYK")
    decoded = decode(picture, longest=1501)
    assert (decoded.mode, decoded.size) == ("L", (1500, 1501))
    assert decoded.tobytes() == noise.reduce(2).tobytes()


# More than one picture in a file.


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options
    )
    assert decode(content).getpixel((4, 4)) == RED


def test_multi_picture_photos_of_phones():
    frames = [Image.new("RGB", (64, 48), colour) for colour in (RED, BLUE)]
    content = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert decode(content).getpixel((4, 4))[0] > 250


# The same picture in other files: what comes out is the plain picture's.


@pytest.fixture(scope="module")
def plain():
    """Soft colors, one flat part: 96 x 64."""
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8))
    soft = small.resize((96, 64), Image.Resampling.BICUBIC)
    soft.paste((240, 240, 230), (0, 0, 96, 20))
    return soft


OTHER_FILES = {
    "GIF": ("GIF", {}, 12),
    "GIF of three frames": ("GIF", {"frames": 3}, 12),
    "WebP": ("WEBP", {"quality": 90}, 6),
    "WebP without loss": ("WEBP", {"lossless": True}, 0),
    "WebP of three frames": ("WEBP", {"lossless": True, "frames": 3}, 0),
    "PNG with a palette": ("PNG", {"mode": "P"}, 16),
    "PNG of three frames": ("PNG", {"frames": 3}, 0),
    "AVIF": ("AVIF", {"quality": 90}, 6),
    "TIFF": ("TIFF", {}, 0),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}, 0),
    "TIFF, deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
    "TIFF, JPEG": ("TIFF", {"compression": "jpeg", "quality": 95}, 6),
    "TIFF of inks": ("TIFF", {"mode": "CMYK"}, 1),
    "TIFF with alpha": ("TIFF", {"mode": "RGBA"}, 0),
    "TIFF of two pages": ("TIFF", {"frames": 2}, 0),
    "progressive JPEG": ("JPEG", {"progressive": True, "quality": 95}, 6),
    "JPEG of inks": ("JPEG", {"mode": "CMYK", "quality": 95}, 6),
}


@pytest.mark.parametrize(("kind", "options", "tolerance"), OTHER_FILES.values(), ids=OTHER_FILES)
def test_other_files_show_the_same(plain, kind, options, tolerance):
    options = dict(options)
    picture = plain.convert(options.pop("mode", "RGB"), palette=Image.Palette.ADAPTIVE)
    others = [Image.new(picture.mode, picture.size)] * (options.pop("frames", 1) - 1)
    if others:
        options |= {"save_all": True, "append_images": others}
    decoded = decode(encoded(picture, kind, **options))
    assert (decoded.mode, decoded.size) == ("RGB", plain.size)
    difference = np.abs(np.asarray(decoded, np.float32) - np.asarray(plain))
    assert difference.mean() <= tolerance


# Ways to hand it over.


def test_paths_bytes_and_objects_give_the_same(tmp_path, sheet, monkeypatch):
    picture = sheet[0][0]
    path = tmp_path / "a shirt ü.png"
    path.write_bytes(encoded(picture))
    monkeypatch.chdir(tmp_path)
    for source in (path, str(path), path.name, path.read_bytes(), bytearray(path.read_bytes())):
        assert decode(source).tobytes() == picture.tobytes()
    with Image.open(path) as still_closed:
        assert decode(still_closed).tobytes() == picture.tobytes()
    assert decode(np.asarray(picture)).tobytes() == picture.tobytes()


# What cannot be read, and what the error says.


BAD_OBJECTS = {
    "None": (None, "a NoneType is no picture"),
    "a number": (3, "a int is no picture"),
    "a list": ([[1, 2]], "a list is no picture"),
    "a flat array": (np.zeros(784, np.uint8), "shape (784,)"),
    "a scalar array": (np.uint8(3)[None].reshape(()), "shape ()"),
    "a batch": (np.zeros((2, 28, 28, 1), np.uint8), "one picture at a time"),
    "channels first": (np.zeros((3, 28, 28), np.uint8), "shape (3, 28, 28)"),
    "two channels": (np.zeros((28, 28, 2), np.uint8), "Pass (H, W)"),
    "no pixels": (np.zeros((0, 28), np.uint8), "empty (28 x 0 pixels)"),
    "too many pixels": (np.broadcast_to(np.uint8(0), (1, MAX_PIXELS + 1)), "50 megapixels"),
    "NaN": (np.array([[0.5, np.nan]]), "nan to nan"),
    "infinity": (np.array([[0.5, np.inf]]), "0.5 to inf"),
    "floats to 255": (np.array([[0.0, 255.0]]), "0 to 255. Scale it, or pass uint8"),
    "floats below 0": (np.array([[-0.5, 0.5]], np.float32), "-0.5 to 0.5"),
    "int64": (np.array([[0, 255]]), "int64"),
    "complex": (np.array([[1j]]), "complex128"),
    "text": (np.array([["a"]]), "<U1"),
    "objects": (np.array([[None]]), "object"),
    "picture without pixels": (Image.new("RGB", (0, 5)), "empty (0 x 5 pixels)"),
    "picture with too many": (Image.new("1", (MAX_PIXELS + 1, 1)), "50 megapixels"),
    "picture of NaN": (Image.fromarray(np.array([[0, np.nan]], np.float32)), "not finite"),
    "picture below 0": (row("I", -5, 5), "goes from -5 to 5"),
}


@pytest.mark.parametrize(("source", "says"), BAD_OBJECTS.values(), ids=BAD_OBJECTS)
def test_bad_objects(source, says):
    with pytest.raises(InputError) as caught:
        decode(source)
    assert says in str(caught.value)
