"""Whatever a caller hands over -> an upright PIL picture, "L" where it is gray, else "RGB"."""

import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageChops, ImageOps, ImageStat

from fashion_model.errors import InputError
from fashion_model.preprocessing.cmyk_jpeg import Inks, read_inks
from fashion_model.preprocessing.image_file import (
    check_size,
    damaged,
    open_picture,
    orientation,
    read_file,
)

ImageLike = Image.Image | str | os.PathLike[str] | bytes | bytearray | npt.NDArray[Any]

LONGEST = 1_024  # pixels: longest side of what comes out

_STRIP_PIXELS = 4_000_000  # converted at a time, which bounds the memory
_CORNERS = 0.05  # share of transparent area up to which it is no shape: rounded corners


def decode(source: ImageLike, longest: int = LONGEST) -> Image.Image:
    """The picture upright, opaque, without its metadata, at most `longest` pixels long.

    source: a PIL image of any mode, a path, an encoded picture's bytes, or an array (H, W),
    (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16, bool, or floats in [0, 1].
    Of an animation the first frame. Transparency becomes a paper that contrasts with what is
    visible. Larger pictures are reduced by a whole factor (area mean), none is enlarged.
    Raises InputError, whose text says what to do.
    """
    if isinstance(source, Image.Image):
        picture = source
        check_size(*picture.size)
    elif isinstance(source, np.ndarray):
        picture = _from_array(source)
    elif isinstance(source, bytes | bytearray | memoryview):
        picture = open_picture(bytes(source), longest)
    elif isinstance(source, str | os.PathLike):
        picture = open_picture(read_file(source), longest)
    else:
        raise InputError(
            f"a {type(source).__name__} is no picture. Pass a PIL image, a path, bytes or an array."
        )
    try:
        picture.load()
        upright = orientation(picture.info.get("exif", b""))  # Pillow's PNGs know it only now
        picture = _shrink(picture, longest)
    except InputError:
        raise
    except Exception as error:  # Pillow lets through whatever its decoders stumble over
        raise damaged(error) from error
    picture.getexif()[ExifTags.Base.Orientation] = upright
    picture = ImageOps.exif_transpose(picture)
    return _without_color(_on_paper(picture) if picture.mode == "RGBA" else picture)


def _from_array(array: npt.NDArray[Any]) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise InputError(
            f"an array of shape {array.shape} is no picture. Pass (H, W), (H, W, 1), (H, W, 3) or "
            f"(H, W, 4), one picture at a time."
        )
    check_size(array.shape[1], array.shape[0])
    return Image.fromarray(_to_bytes(array))


def _to_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Brightness in the dtype's own range -> 0 to 255, rounded."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return _rounded(array, 255)
    if array.dtype.newbyteorder("=") == np.uint16:
        return _rounded(array, 1 / 257)  # 65535 = 257 * 255
    if array.dtype.kind == "f":
        low, high = array.min(), array.max()  # NaN anywhere makes both NaN
        if not (low >= -1e-4 and high <= 1 + 1e-4):  # interpolation overshoots a little
            raise InputError(
                f"an array of floats holds brightness from 0 to 1, this one {low:.4g} to "
                f"{high:.4g}. Scale it, or pass uint8."
            )
        return _rounded(array.clip(0, 1), 255)
    raise InputError(f"an array of {array.dtype} is no picture. Pass uint8, or floats from 0 to 1.")


def _rounded(values: npt.NDArray[Any], scale: float) -> npt.NDArray[np.uint8]:
    return np.rint(values * np.float32(scale)).astype(np.uint8)


def _shrink(picture: Image.Image, longest: int) -> Image.Image:
    """L, RGB or RGBA at most `longest` long, strip by strip: each pixel the mean of a square."""
    width, height = picture.size
    factor = math.ceil(max(width, height) / longest)
    if factor > 1 and _magnified(picture):
        factor = width // 28
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    scale, inks = _scale(picture), read_inks(picture)
    mode = _plain(picture.crop((0, 0, 1, 1)), scale, inks).mode
    shrunk = Image.new(mode, (math.ceil(width / factor), math.ceil(height / factor)))
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        shrunk.paste(_plain(strip, scale, inks).reduce(factor), (0, top // factor))
    return shrunk


def _magnified(picture: Image.Image) -> bool:
    """Whether picture shows 28x28 pixels, each enlarged to a square of one tone."""
    width, height = picture.size
    if width != height or width % 28:
        return False
    times = width // 28
    for top in range(0, height, times):
        strip = np.asarray(picture.crop((0, top, width, top + times)))
        if (strip != np.repeat(strip[:1, ::times], times, axis=1)).any():
            return False
    return True


def _scale(picture: Image.Image) -> float | None:
    """What brings a picture of single wide numbers to 0 to 255; None for pictures of bytes."""
    if picture.mode.startswith("I;16"):
        return 1 / 257
    if picture.mode not in ("I", "F"):
        return None
    low, high = np.asarray(picture.getextrema(), dtype=np.float64)
    scales = {1: 255.0} if picture.mode == "F" else {}
    for white, scale in (scales | {255: 1.0, 65_535: 1 / 257}).items():
        if 0 <= low <= high <= white:
            return scale
    raise InputError(
        f"the picture's brightness goes from {low:.4g} to {high:.4g}. Save it with 8 bits a pixel.",
        "brightness",
        low=f"{low:.4g}",
        high=f"{high:.4g}",
    )


def _plain(picture: Image.Image, scale: float | None, inks: Inks | None) -> Image.Image:
    """Any mode -> L, RGB or RGBA."""
    if inks is not None:
        return inks.to_rgb(picture)
    if scale is not None:
        values = np.asarray(picture)
        if not np.isfinite(values).all():
            raise InputError(
                "the picture holds numbers that are not finite. Save it with 8 bits a pixel.",
                "not finite",
            )
        return Image.fromarray(_rounded(values, scale))
    if picture.mode == "La":  # Pillow converts it to nothing else
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def _on_paper(picture: Image.Image) -> Image.Image:
    """RGBA -> RGB: on black where the visible is light, else on white."""
    cover = ImageStat.Stat(picture.getchannel("A")).mean[0] / 255
    if cover == 0:
        text = "the picture is fully transparent. Send one with something to see in it."
        raise InputError(text, "transparent")
    on_black = _composite(picture, "black")
    visible = ImageStat.Stat(on_black.convert("L")).mean[0] / cover  # mean brightness
    light = visible >= 128
    if cover >= 1 - _CORNERS:
        light = not light  # no shape to bring out: paper like the picture
    return on_black if light else _composite(picture, "white")


def _composite(picture: Image.Image, paper: str) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", picture.size, paper), picture).convert("RGB")


def _without_color(picture: Image.Image) -> Image.Image:
    """RGB whose channels are the same everywhere becomes L."""
    if picture.mode != "RGB":
        return picture
    red, green, blue = picture.split()
    if ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox():
        return picture
    return red
