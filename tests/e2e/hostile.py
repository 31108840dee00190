"""Bad inputs, made by rule with a fixed seed: files, arrays, payloads, addresses."""

import base64
import functools
import io
import json
import random
import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

SEEN: dict[str, Counter[str]] = defaultdict(Counter)  # kind of input -> what the user saw
META = {"_type": "gradio.FileData"}
OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {},
    "JPEG": {"quality": 80},
    "WEBP": {"quality": 60, "method": 0},
    "GIF": {},
    "BMP": {},
    "AVIF": {"speed": 10},
}


class Bad(NamedTuple):
    kind: str
    content: bytes
    fails: bool = True  # False: it may as well be answered


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **{**OPTIONS.get(kind, {}), **options})
    return file.getvalue()


def data_url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def png(width: int, height: int, pixels: bytes = b"", depth: int = 8, colour: int = 0) -> bytes:
    """A PNG that claims a size, with these packed pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", pixels or zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + body


def garment() -> Image.Image:
    """A tee with texture, so that each format has bytes to damage."""
    picture = Image.effect_noise((96, 96), 25).point(lambda tone: min(255, tone + 120))
    outline = [(30, 14), (66, 14), (90, 40), (78, 52), (68, 44), (68, 84), (28, 84), (28, 44)]
    ImageDraw.Draw(picture).polygon([*outline, (18, 52), (6, 40)], fill=20)
    return picture.convert("RGB")


def cut() -> Iterator[Bad]:
    for name in OPTIONS:
        whole = encoded(garment(), name)
        for share in (0.002, 0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9):
            yield Bad(f"{name}, cut short", whole[: max(1, int(len(whole) * share))])


def flipped(chance: random.Random) -> Iterator[Bad]:
    for name in OPTIONS:
        whole = encoded(garment(), name)
        for _ in range(24):
            damaged = bytearray(whole)
            for _ in range(chance.choice((1, 2, 8, 40))):
                place = int(len(damaged) * chance.random() ** 2)
                damaged[place] ^= 1 << chance.randrange(8)
            yield Bad(f"{name}, bits flipped", bytes(damaged), fails=False)
        for _ in range(6):
            start = chance.randrange(len(whole) // 2)
            holed = whole[:start] + bytes(chance.randrange(1, 400)) + whole[start + 60 :]
            yield Bad(f"{name}, bytes zeroed", holed, fails=False)


def bombs() -> Iterator[Bad]:
    sizes = [(10_000, 10_000), (13_000, 13_000), (40_000, 2_000), (60_000, 60_000), (2**31 - 1, 1)]
    sizes += [(1, 2**31 - 1), (50_001, 1_000), (7_100, 7_100)]
    for width, height in sizes:
        yield Bad("PNG that claims too many pixels", png(width, height))
        head = struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54, 40, width, -height, 1, 24, *[0] * 6)
        yield Bad("BMP that claims too many pixels", b"BM" + head[:52] + bytes(100))
    for width, height in [(10_000, 10_000), (65_535, 65_535), (65_535, 800)]:
        gif = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6)
        frame = b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\0\x02\x02\x44\x01\0;"
        yield Bad("GIF that claims too many pixels", gif + frame)
        start = b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", height, width)
        parts = b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01"
        tail = parts + b"\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0"
        yield Bad("JPEG that claims too many pixels", start + tail + bytes(100))
    line = zlib.compressobj(9)
    rows = b"".join(line.compress(bytes(1251)) for _ in range(10_000)) + line.flush()
    yield Bad("PNG of 100 megapixels in 15 KB", png(10_000, 10_000, rows, depth=1))
    endless = zlib.compress(bytes(50_000_000), 9)
    yield Bad("PNG with 50 MB behind 64 pixels", png(8, 8, endless), fails=False)
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(60_000_000), 9))
    whole = encoded(garment())
    yield Bad("PNG with 60 MB of packed text", whole[:33] + text + whole[33:], fails=False)
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(60_000_000), 9))
    yield Bad("PNG with a colour profile of 60 MB", whole[:33] + profile + whole[33:], fails=False)
    yield Bad("PNG of a million parts", whole[:33] + chunk(b"teXt", b"") * 1_000_000)
    yield Bad("JPEG of a million parts", b"\xff\xd8" + b"\xff\xfe\0\2" * 1_000_000)
    slow = encoded(Image.new("RGB", (2000, 1500)), "JPEG", progressive=True)
    scan = slow.rfind(b"\xff\xda")
    yield Bad("JPEG of 400 scans", slow[:-2] + slow[scan:-2] * 400 + slow[-2:])


def shapes() -> Iterator[Bad]:
    for size in [(1, 1), (1, 2), (2, 1), (3, 3), (1, 20_000), (20_000, 1), (2, 9_999), (28, 1)]:
        for mode in ("L", "RGB", "RGBA"):
            picture = Image.effect_noise(size, 80).convert(mode)
            yield Bad("picture of one pixel, or a line", encoded(picture), fails=False)
    for width, height in [(0, 0), (0, 5), (5, 0)]:
        yield Bad("picture without pixels", png(width, height))


def blank() -> Iterator[Bad]:
    for name in OPTIONS:
        for colour in ("white", "black", (128, 128, 128), (200, 30, 30)):
            yield Bad(
                "picture with nothing in it", encoded(Image.new("RGB", (64, 80), colour), name)
            )
    for colour in [(255, 255, 255, 0), (0, 0, 0, 0), (9, 200, 77, 0)]:
        for name in ("PNG", "WEBP"):
            clear = Image.new("RGBA", (64, 64), colour)
            yield Bad("fully transparent picture", encoded(clear, name, lossless=True))


def rare() -> Iterator[Bad]:
    """Unusual, but pictures: each must come to an answer or an error of ours."""
    whole = garment()
    frames = [whole.rotate(9 * i) for i in range(12)]
    for name in ("GIF", "WEBP", "PNG"):
        moving = encoded(frames[0], name, save_all=True, append_images=frames[1:])
        yield Bad("animation", moving, fails=False)
        yield Bad("animation, cut short", moving[: len(moving) // 3], fails=False)
    for mode in ("CMYK", "L", "1", "P", "LA", "I;16", "YCbCr"):
        kinds = {"CMYK": ["JPEG"], "YCbCr": ["JPEG"], "I;16": ["PNG"]}.get(mode, ["PNG"])
        picture = whole.convert("L") if mode == "I;16" else whole
        for name in kinds:
            yield Bad("rare kind of pixels", encoded(picture.convert(mode), name), fails=False)
    palette = whole.quantize(16)
    for value in (0, 7, bytes(range(0, 256, 16))):
        yield Bad("palette with transparency", encoded(palette, transparency=value), fails=False)
    deep = encoded(whole.convert("L").convert("I;16").point(lambda tone: tone * 257))
    yield Bad("16 bits a pixel", deep, fails=False)
    for orientation in (0, 9, 77, 65_535):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield Bad("JPEG with a broken EXIF", encoded(whole, "JPEG", exif=exif), fails=False)
    for junk in [
        b"II*\0" + bytes(9),
        b"MM\0*\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff" + bytes(99),
    ]:
        content = encoded(whole, "JPEG", exif=b"Exif\0\0" + junk)
        yield Bad("JPEG with a broken EXIF", content, fails=False)


def posing() -> Iterator[Bad]:
    """Other files that somebody named .png."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script>{}</svg>'
    entity = '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    for content in ("", "<text>&x;</text>", '<image href="file:///etc/passwd"/>', "<g/>" * 5000):
        for head in ("", '<?xml version="1.0"?>', entity):
            yield Bad("SVG", (head + svg.format(content)).encode())
    for page in [
        "<!doctype html><title>x</title>",
        "<html><img src=x onerror=alert(1)>",
        "<a" * 9000,
    ]:
        yield Bad("HTML", page.encode())
    tiff, ico = encoded(garment(), "TIFF"), encoded(garment(), "ICO")
    yield from (Bad("TIFF", tiff, False), Bad("TIFF", b"MM\0*" + bytes(400)), Bad("icon", ico))
    for brand in (b"heic", b"heix", b"mif1"):
        yield Bad("HEIC photo", b"\0\0\0\x18ftyp" + brand + bytes(500))
    others = {
        "PDF": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n" + bytes(200),
        "ZIP": b"PK\x03\x04" + bytes(300),
        "pickle": b"\x80\x04cposix\nsystem\nX\x02\0\0\0id\x85R.",
        "program": b"\x7fELF\x02\x01\x01" + bytes(300),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(r) file run\n",
        "ImageMagick script": b"push graphic-context\nimage over 0,0 0,0 'url(x)'\n",
        "film": b"\0\0\0\x20ftypisom" + bytes(300),
        "sound": b"RIFF\x24\0\0\0WAVEfmt " + bytes(200),
        "safetensors": struct.pack("<Q", 2) + b"{}" + bytes(64),
        "PPM": b"P3 64 64 255 " + b"1 2 3 " * 4096,
        "text": "Ein Hemd, blau, Größe M.\n".encode() * 40,
        "JSON": json.dumps({"image": "shirt.png"}).encode(),
    }
    for name, content in others.items():
        yield Bad(name, content)
    for content in [
        b"",
        b"\0",
        b"\n",
        b"\x89PNG",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"\xff\xd8\xff",
    ]:
        yield Bad("empty file, or only a signature", content)
    for head in [
        b"RIFF\0\0\0\0WEBP",
        b"BM",
        b"\0\0\0\x1cftypavif",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    ]:
        yield Bad("empty file, or only a signature", head)


def noise(chance: random.Random) -> Iterator[Bad]:
    heads = (
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"BM",
        b"RIFF\xff\0\0\0WEBPVP8 ",
    )
    for size in (1, 7, 64, 500, 4_000, 60_000):
        for head in heads:
            for _ in range(2):
                yield Bad("random bytes", head + chance.randbytes(size), fails=bool(head == b""))


@functools.cache
def files() -> list[Bad]:
    """All bad files, about 480, the same ones each time."""
    chance = random.Random(6)
    made = [*cut(), *flipped(chance), *bombs(), *shapes(), *blank(), *rare(), *posing()]
    return [*made, *noise(chance)]


def arrays() -> list[tuple[str, object]]:
    """What a Python caller may pass by mistake: (kind, the value)."""
    odd: list[tuple[str, object]] = []
    for kind in (np.float16, np.float32, np.float64):
        for bad in (np.nan, np.inf, -np.inf, 1e4, -3.0):
            spoiled = np.full((28, 28), 0.5, kind)
            spoiled[3, 5] = bad
            odd.append(("array of floats with NaN, infinity or beyond 0 to 1", spoiled))
    for shape in [
        (),
        (0,),
        (784,),
        (0, 0),
        (28, 0),
        (1, 1, 28, 28),
        (28, 28, 2),
        (3, 28, 28),
        (2,) * 9,
    ]:
        odd.append(("array of a wrong shape", np.zeros(shape, np.uint8)))
    for dtype in [
        "int8",
        "int16",
        "int32",
        "int64",
        "uint32",
        "uint64",
        "complex64",
        "S1",
        "U3",
        "O",
        "M8[s]",
    ]:
        odd.append(("array of a wrong type", np.zeros((28, 28), dtype)))
    for shape in [(1, 50_000_001), (100_000, 100_000), (10_000, 10_000, 3), (2**40, 1)]:
        odd.append(("array of too many pixels", np.broadcast_to(np.uint8(7), shape)))
    for value in [
        None,
        7,
        1.5,
        True,
        [],
        {},
        (),
        object(),
        [[1, 2]],
        {"composite": None},
        set(),
        len,
    ]:
        odd.append(("no picture at all", value))
    return odd


def payloads(address: str) -> list[tuple[str, object]]:
    """What callers send to an endpoint's `image` over HTTP: (kind, the JSON value)."""
    good = data_url(encoded(garment()))
    sent: list[tuple[str, object]] = []
    for value in [
        None,
        0,
        -1,
        1e308,
        True,
        "",
        " ",
        "shirt.png",
        [],
        [[]],
        {},
        {"a": {}},
        "x" * 99,
    ]:
        sent.append(("no picture in the payload", value))
    for url in [
        "data:",
        "data:,",
        "data:image/png",
        "data:image/png;base64",
        "data:image/png;base64,",
    ]:
        sent.append(("broken data URL", url))
    for url in [
        "data:image/png,abc",
        "data:image/png;base64,%%%",
        "data:;base64,!",
        "DATA:;base64,AA==",
    ]:
        sent.append(("broken data URL", url))
    for url in (good[:-9] + "ü", good[:60] + " \n" + good[60:], good.replace("base64", "base32")):
        sent.append(("broken data URL", url))
    canvas = {"background": None, "layers": [], "composite": None}
    for value in [
        canvas,
        {**canvas, "layers": None},
        {**canvas, "layers": [None] * 9},
        {"composite": 3},
    ]:
        sent.append(("malformed sketchpad payload", value))
    for value in [
        {**canvas, "composite": good},
        {"background": [good]},
        {**canvas, "composite": {}},
    ]:
        sent.append(("malformed sketchpad payload", value))
    for path in [
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "../../../../etc/passwd",
        "app.py",
    ]:
        for form in [
            {"path": path},
            {"path": path, "meta": META},
            {"path": path, "meta": {}},
            path,
        ]:
            sent.append(("path of a file on the server", form))
        sent.append(("path of a file on the server", {"path": path, "meta": META, "url": None}))
    for path in [
        "%2e%2e/%2e%2e/etc/passwd",
        "....//....//etc/passwd",
        "/tmp/../etc/passwd",
        "\0",
        "~/.ssh",
        "C:\\Windows\\win.ini",
        "\\\\host\\share",
        "a" * 5000,
        "/proc/self/fd/0",
        ".",
        "/",
        "",
    ]:
        sent.append(("path of a file on the server", {"path": path, "meta": META}))
    for url in [
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "FILE:///etc/passwd",
        "ftp://a/b",
    ]:
        for form in [
            {"path": url, "meta": META},
            {"url": url},
            {"path": url, "url": url, "meta": META},
        ]:
            sent.append(("file:// address", form))
    inside = [f"{address}/favicon.ico", "http://localhost/", "http://127.1/", "http://[::1]/x.png"]
    inside += ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/a.png", "http://0/"]
    inside += ["http://192.168.0.1/", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "http://"]
    inside += ["http://user:word@127.0.0.1/", "https://127.0.0.1:22/", "http://0x7f000001/"]
    inside += ["http://100.100.100.200/latest/", "http://192.0.0.192/", "http://224.0.0.1/"]
    inside += ["http://[2002:7f00:1::]/", "http://[fec0::1]/", "http://[64:ff9b::7f00:1]/"]
    for url in inside:
        sent.append(("address inside the network", {"path": url, "meta": META}))
        sent.append(("address inside the network", {"path": url, "url": url, "meta": META}))
    for wrong in (5, None, [], {"a": 1}, True):
        sent.append(("file whose fields have wrong types", {"path": wrong, "meta": META}))
        sent.append(
            ("file whose fields have wrong types", {"path": "x", "url": wrong, "meta": META})
        )
        sent.append(("file whose fields have wrong types", {"path": "x", "meta": wrong}))
    return sent


def bodies() -> list[tuple[str, str, bytes]]:
    """Whole requests: (kind, path below /gradio_api/, body)."""
    good = data_url(encoded(garment()))
    made: list[tuple[str, str, object]] = []
    for data in [
        [],
        [good, "auto", "mlp", "x", 5, 6, 7],
        None,
        "x",
        3,
        {"a": 1},
    ]:
        for name in ("predict", "explain"):
            made.append(("wrong number of values", f"call/{name}", {"data": data}))
    for data in [
        [good, [], "mlp"],
        [good, "auto", 7],
        [good, {}, {}],
        [good, "x", "mlp"],
    ]:
        made.append(("option of a wrong type", "call/predict", {"data": data}))
    for data in ([good, "auto", "mlp", 5], [good, "auto", "mlp", "Hat"], [good, "auto", "mlp", []]):
        made.append(("option of a wrong type", "call/explain", {"data": data}))
    for data in ([good] * 65, {}, "x", [], None, [None], [[]]):
        made.append(("not 1 to 64 pictures", "call/predict_many", {"data": [data, "auto", "mlp"]}))
    for name in ("nothing", "read_picture", "..%2f..%2fetc", "__class__", "a" * 3000):
        made.append(("endpoint that does not exist", f"call/{name}", {"data": []}))
        made.append(("endpoint that does not exist", f"call/v2/{name}", {}))
    for number in (99_999, -5, "x", None, [], 10**30):
        body = {"data": [], "fn_index": number, "session_hash": "bad"}
        made.append(("listener that does not exist", "queue/join", body))
    for number in (99_999, -1, "x", None, []):
        body = {
            "data": {},
            "component_id": number,
            "fn_name": "read_picture",
            "session_hash": "bad",
        }
        made.append(("component that does not exist", "component_server", body))
    for path in ("process_recording", "stream/x", "vibe-edit", "run-history/connect", "deep_link"):
        made.append(("part of Gradio that is closed", path, {}))
    raw = [(kind, path, json.dumps(body).encode()) for kind, path, body in made]
    for body in (b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"data": [NaN]}', b"[" * 100_000):
        raw.append(("body that is no JSON", "call/predict", body))
    deep = b'{"data": [' + b"[" * 4_000 + b"]" * 4_000 + b"]}"
    raw.append(("body of brackets in brackets", "call/predict", deep))
    many = b'{"data": [' + b"[]," * 4_000_000 + b"[]]}"
    raw.append(("body of four million values", "call/predict", many))
    huge = b'{"data": ["data:image/png;base64,' + b"A" * 29_000_000 + b'", "auto", "mlp"]}'
    raw.append(("body of 29 MB", "call/predict", huge))
    raw.append(("drawing of 3 MB", "component_server", b'{"data": "' + b"A" * 3_000_000 + b'"}'))
    return raw
