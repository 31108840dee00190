"""A path or an encoded picture's bytes -> a PIL picture, guarded before its pixels are decoded."""

import io
import math
import os
import stat
import threading
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from fashion_model.errors import InputError

MAX_BYTES = 30_000_000  # of an encoded picture
MAX_PIXELS = 50_000_000  # the largest of phone cameras; 200 MB as RGBA
# Their decoders take up to 15 bytes a pixel (measured, Pillow 12.3.0), where PNG's takes 4.
MAX_PIXELS_OF = {"WEBP": 16_000_000, "AVIF": 16_000_000}
# What people send and Pillow reads within bounds. Not TIFF: 500 tags that all claim the same
# megabyte took 950 MB and 3 s. Not plain PPM: 10 s for 4 megapixels. Not EPS: Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
SEND = "Send a PNG, JPEG, WebP, GIF, BMP or AVIF picture."

# Scans of a progressive JPEG times its pixels: each scan walks over all of them, and costs the
# sender 100 bytes. Cameras and editors write 10 to 15.
_MAX_SCANNED = 20 * MAX_PIXELS
_MAX_PARTS = 100_000  # reads that Pillow may need for a file's chunks, blocks or segments

_filters = threading.Lock()  # the warning filters belong to all threads


class _Parts(io.BytesIO):
    """A file in memory that ends a parser which is lost in a million empty parts."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MAX_PARTS:
            raise OSError(f"more than {_MAX_PARTS} parts")
        return super().read(size)


def read(path: str | os.PathLike[str]) -> bytes:
    """A regular file's bytes. Pipes and devices are refused, never waited for."""
    name = repr(Path(path).name[:80])  # without its folders: they may be the server's own
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"{name} is no ordinary file. Name a picture file.")
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {name}. Check the path.") from error
    except IsADirectoryError as error:
        raise InputError(f"{name} is a folder. Name a picture in it.") from error
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no valid path"
        raise InputError(f"cannot read {name} ({reason}). Check the path.") from error


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has no O_NONBLOCK


def open_picture(content: bytes, longest: int) -> Image.Image:
    """The picture, its pixels still encoded; a JPEG set to decode at up to 1/8 of its size.

    Its longest side stays at least `longest`, if it was. info["exif"] is the raw EXIF, unparsed:
    Pillow's parser takes gigabytes where many tags claim the same bytes.
    """
    if not content:
        raise InputError(f"the file is empty (0 bytes). {SEND}")
    if len(content) > MAX_BYTES:
        raise InputError(
            f"the file is larger than {MAX_BYTES // 1_000_000} MB. Save the picture smaller."
        )
    exif = b""
    if content.startswith(b"\xff\xd8"):
        content, exif = _without_metadata(content)
    elif content[4:8] == b"ftyp":  # AVIF: orientation is in its own properties
        content = content.replace(b"Exif", b"skip")
    try:
        with _filters, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(_Parts(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise InputError(_what_instead(content)) from error
    except Image.DecompressionBombError as error:
        raise InputError(_too_large("the picture", MAX_PIXELS)) from error
    except Exception as error:  # Pillow lets through whatever its parsers stumble over
        raise damaged(error) from error
    check_size(*picture.size, MAX_PIXELS_OF.get(picture.format or "", MAX_PIXELS))
    if picture.format == "JPEG":
        if content.count(b"\xff\xda") * picture.width * picture.height > _MAX_SCANNED:
            raise InputError("this JPEG has too many scans. Save it again, or as a PNG.")
        picture.info["exif"] = exif
        if max(picture.size) > 2 * longest:
            scale = longest / max(picture.size)
            width, height = (max(1, math.ceil(side * scale)) for side in picture.size)
            picture.draft(None, (width, height))
    return picture


def _without_metadata(jpeg: bytes) -> tuple[bytes, bytes]:
    """(the JPEG with only what decoding needs, its EXIF block)."""
    kept, exif, at = [jpeg[:2]], b"", 2
    for _ in range(_MAX_PARTS):
        at = jpeg.find(b"\xff", at)
        marker = jpeg[at + 1 : at + 2]
        if at < 0 or marker in (b"", b"\xda"):  # \xda: pixels from here on
            break
        if marker in b"\x00\x01\xff" or b"\xd0" <= marker <= b"\xd9":  # these have no length
            at += 1
            continue
        segment = jpeg[at : at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")]
        if segment[1:10] == b"\xe1" + segment[2:4] + b"Exif\0\0":
            exif = exif or segment[10:]
        if not (b"\xe1" <= marker <= b"\xef" and marker != b"\xee"):  # \xee: CMYK's sign
            kept.append(segment)
        at += max(2, len(segment))
    else:
        raise InputError("this JPEG has too many segments. Save it again, or as a PNG.")
    return b"".join([*kept, jpeg[at:] if at >= 0 else b""]), exif


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where the block is damaged or says nothing."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = "big" if exif[:2] == b"MM" else "little"

    def number(start: int, size: int) -> int:
        return int.from_bytes(exif[start : start + size], order)  # type: ignore[arg-type]

    table = number(4, 4)
    for entry in range(table + 2, table + 2 + 12 * number(table, 2), 12):
        if number(entry, 2) == 0x0112:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def check_size(width: int, height: int, limit: int = MAX_PIXELS) -> None:
    """Raise InputError if there are no pixels, or more than limit."""
    if width < 1 or height < 1:
        raise InputError(f"the picture is empty ({width} x {height} pixels). {SEND}")
    if width * height > limit:
        raise InputError(_too_large(f"a picture of {width} x {height} pixels", limit))


def damaged(error: Exception) -> InputError:
    """What to raise when Pillow gives up on a picture."""
    return InputError(
        f"the picture is damaged, incomplete or of a rare kind ({type(error).__name__}). "
        f"Save it again as a PNG or JPEG, and send that."
    )


def _too_large(what: str, limit: int) -> str:
    return f"{what} is too large: at most {limit // 1_000_000} megapixels. Save it smaller."


def _what_instead(content: bytes) -> str:
    names = {b"ftypheic": "HEIC photos", b"ftypheix": "HEIC photos", b"ftypmif1": "HEIC photos"}
    name = names.get(content[4:12])
    if content[:4] in (b"II*\0", b"MM\0*"):
        name = "TIFF files"
    if b"<svg" in content[:1_000].lower():
        name = "SVG drawings"
    if name is not None:
        return f"{name} cannot be read. {SEND}"
    return f"this is no picture that can be read, or its beginning is damaged. {SEND}"
