"""A path or an encoded picture's bytes -> a PIL picture, guarded before its pixels are decoded."""

import io
import math
import os
import stat
import threading
import warnings
from pathlib import Path
from typing import Literal

from PIL import Image, UnidentifiedImageError

from fashion_model.errors import InputError

MAX_BYTES = 30_000_000  # of an encoded picture
MAX_PIXELS = 50_000_000  # the largest of phone cameras; 200 MB as RGBA
# Their decoders take up to 15 bytes a pixel (measured, Pillow 12.3.0), where PNG's takes 4.
MAX_PIXELS_OF = {"WEBP": 16_000_000, "AVIF": 16_000_000, "TIFF": 16_000_000, "HEIF": 25_000_000}
# What Pillow reads within bounds. Not plain PPM: 10 s for 4 megapixels. Not EPS: Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF")
SEND = "Send a PNG, JPEG, WebP, GIF, BMP, AVIF, TIFF or HEIC picture."

# Scans of a progressive JPEG times its pixels: each scan walks over all of them, and costs the
# sender 100 bytes. Cameras and editors write 10 to 15.
_MAX_SCANNED = 20 * MAX_PIXELS
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# TIFF tags that decoding needs: size, depth, compression, colors, strips and tiles, orientation.
_TIFF_TAGS = {
    *(256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320),
    *(322, 323, 324, 325, 338, 339, 347, 530, 531, 532),
}
_TIFF_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)  # bytes, of each type of value
_OTHER_TIFFS = (b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")  # BigTIFF, and what Pillow takes for TIFF
_MAX_TAG_BYTES = 1_000_000  # that all of them may take: the places of 50,000 strips take 400,000
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


def read_file(path: str | os.PathLike[str]) -> bytes:
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
        raise InputError(f"the file is empty (0 bytes). {SEND}", "empty")
    if len(content) > MAX_BYTES:
        most = MAX_BYTES // 1_000_000
        text = f"the picture is larger than {most} MB: send a smaller one."
        raise InputError(text, "large", most=most)
    exif = b""
    if content.startswith(b"\xff\xd8"):
        content, exif = _without_metadata(content)
    elif content[:4] in (b"II*\0", b"MM\0*"):
        content = _with_needed_tags(content)
    elif content[:4] in _OTHER_TIFFS:
        raise _what_instead(content)
    elif content[4:8] == b"ftyp":
        if content[8:12] in _HEIC_BRANDS and b"avif" not in content[:64]:
            return _open_heic(content)
        content = content.replace(b"Exif", b"skip")  # AVIF has its orientation elsewhere
    picture = _opened(content)
    check_size(*picture.size, MAX_PIXELS_OF.get(picture.format or "", MAX_PIXELS))
    if picture.format == "JPEG":
        if content.count(b"\xff\xda") * picture.width * picture.height > _MAX_SCANNED:
            raise _too_many("JPEG", "scans")
        picture.info["exif"] = exif
        if max(picture.size) > 2 * longest:
            scale = longest / max(picture.size)
            width, height = (max(1, math.ceil(side * scale)) for side in picture.size)
            picture.draft(None, (width, height))
    return picture


def _opened(content: bytes) -> Image.Image:
    """Pillow's picture, or the InputError that says why there is none."""
    try:
        with _filters, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(_Parts(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _what_instead(content) from error
    except Image.DecompressionBombError as error:
        most = MAX_PIXELS // 1_000_000
        text = f"the picture is too large: at most {most} megapixels. Save it smaller."
        raise InputError(text, "megapixels", most=most) from error
    except Exception as error:  # Pillow lets through whatever its parsers stumble over
        raise damaged(error) from error


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
        raise _too_many("JPEG", "segments")
    return b"".join([*kept, jpeg[at:] if at >= 0 else b""]), exif


def _with_needed_tags(tiff: bytes) -> bytes:
    """The TIFF, its table cut down to what decoding needs of its first picture.

    Pillow copies what each tag claims: 500 tags that claim the same megabyte took 950 MB and 3 s.
    """
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"

    def number(start: int, size: int) -> int:
        return int.from_bytes(tiff[start : start + size], order)

    table = number(4, 4)
    entries: dict[int, bytes] = {}
    claimed = 0
    for at in range(table + 2, table + 2 + 12 * number(table, 2), 12):
        tag, kind = number(at, 2), number(at + 2, 2)
        if tag in _TIFF_TAGS and tag not in entries:
            entries[tag] = tiff[at : at + 12]
            claimed += number(at + 4, 4) * (_TIFF_SIZES[kind] if kind < len(_TIFF_SIZES) else 8)
    if claimed > _MAX_TAG_BYTES:
        raise _too_many("TIFF", "parts")
    # The new table goes to the end: shorter than the old one, it would leave its rest in between.
    at = len(tiff) + len(tiff) % 2
    new = len(entries).to_bytes(2, order) + b"".join(entries[tag] for tag in sorted(entries))
    head = tiff[:4] + at.to_bytes(4, order)
    return head + tiff[8:].ljust(at - 8, b"\0") + new + bytes(4)


def _open_heic(content: bytes) -> Image.Image:
    """The first picture of a HEIC file, upright already, its pixels decoded."""
    more = dict.fromkeys(("THUMBNAILS", "DEPTH_IMAGES", "AUX_IMAGES"), False)
    try:
        import pi_heif  # 19 ms and 5 MB, which only those who send such photos pay

        vars(pi_heif.options).update(DECODE_THREADS=1, **more)
        heif = pi_heif.open_heif(content)
        width, height = heif.size
        check_size(width, height, MAX_PIXELS_OF["HEIF"])
        picture: Image.Image = heif.to_pillow()
    except InputError:
        raise
    except Exception as error:  # libheif lets through whatever its parsers stumble over
        raise damaged(error) from error
    picture.info.clear()  # libheif has turned it: the EXIF orientation must not do so again
    return picture


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where the block is damaged or says nothing."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = "big" if exif[:2] == b"MM" else "little"

    def number(start: int, size: int) -> int:
        return int.from_bytes(exif[start : start + size], order)

    table = number(4, 4)
    for entry in range(table + 2, table + 2 + 12 * number(table, 2), 12):
        if number(entry, 2) == 0x0112:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def check_size(width: int, height: int, limit: int = MAX_PIXELS) -> None:
    """Raise InputError if there are no pixels, or more than limit."""
    if width < 1 or height < 1:
        text = f"the picture is empty ({width} x {height} pixels). {SEND}"
        raise InputError(text, "no pixels", width=width, height=height)
    if width * height > limit:
        most = limit // 1_000_000
        text = (
            f"a picture of {width} x {height} pixels is too large: at most {most} megapixels. "
            f"Save it smaller."
        )
        raise InputError(text, "pixels", width=width, height=height, most=most)


def damaged(error: Exception) -> InputError:
    """What to raise when Pillow gives up on a picture."""
    why = type(error).__name__
    text = (
        f"the picture is damaged, incomplete or of a rare kind ({why}). "
        f"Save it again as a PNG or JPEG, and send that."
    )
    return InputError(text, "damaged", why=why)


def _too_many(name: str, parts: str) -> InputError:
    text = f"this {name} has too many {parts}. Save it again, or as a PNG."
    return InputError(text, "parts", format=name, parts=parts)


def _what_instead(content: bytes) -> InputError:
    name = None
    if content[:4] in (b"II*\0", b"MM\0*", *_OTHER_TIFFS):
        name = "TIFF files of this kind"
    if b"<svg" in content[:1_000].lower():
        name = "SVG drawings"
    if name is not None:
        return InputError(f"{name} cannot be read. {SEND}", "format", kind=name)
    text = f"this is no picture that can be read, or its beginning is damaged. {SEND}"
    return InputError(text, "no picture")
