"""Pictures of all kinds, made by rule: what the oracle's answers are about."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def tee(size, ink, paper, width, sleeve=0.2, dx=0.0, dy=0.0) -> Image.Image:
    """A T-shirt or pullover: an outline of this pen, or filled where width is 0."""
    points = [
        *(
            (0.35, 0.15),
            (0.65, 0.15),
            (0.72 + sleeve, 0.25 + sleeve),
            (0.64 + sleeve, 0.4 + sleeve),
        ),
        *((0.68, 0.42), (0.68, 0.88), (0.32, 0.88), (0.32, 0.42)),
        *((0.36 - sleeve, 0.4 + sleeve), (0.28 - sleeve, 0.25 + sleeve), (0.35, 0.15)),
    ]
    corners = [((x * 0.8 + 0.1 + dx) * size, (y * 0.8 + 0.1 + dy) * size) for x, y in points]
    picture = Image.new("RGB", (size, size), paper)
    draw = ImageDraw.Draw(picture)
    if width:
        draw.line(corners, fill=ink, width=width, joint="curve")
    else:
        draw.polygon(corners, fill=ink)
    return picture


def photo(seed: int) -> Image.Image:
    """A garment of cloth on a floor, both with a grain."""
    rng = np.random.default_rng(seed)
    paper, ink = (tuple(int(v) for v in rng.integers(40, 230, 3)) for _ in range(2))
    picture = tee(
        240 + 10 * seed, ink, paper, 0, rng.uniform(0.02, 0.2), *rng.uniform(-0.05, 0.05, 2)
    )
    grain = rng.normal(0, 9, (*picture.size[::-1], 3))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def pictures() -> dict[str, bytes]:
    """Encoded pictures by name."""
    made = {}
    with Image.open(HERE / "fashion_mnist_sheet.png") as file:
        sheet = file.convert("L")
    for i in range(40):
        x, y = 28 * (i % 10), 28 * (i // 10)
        small = sheet.crop((x, y, x + 28, y + 28))
        made[f"dataset {i}"] = encoded(small if i % 2 else small.resize((280, 280), 0))
    for i, (ink, paper) in enumerate([("black", "white"), ("white", "black"), ("navy", "khaki")]):
        for width in (3, 9, 16):
            made[f"drawing {i} {width}"] = encoded(tee(280, ink, paper, width, 0.05 * i))
    made["drawing filled"] = encoded(tee(280, "black", "white", 0))
    made["drawing grey"] = encoded(tee(400, "black", "white", 12).convert("L"))
    for seed in range(12):
        made[f"photo {seed}"] = encoded(photo(seed), "JPEG", quality=90)
    one = photo(3)
    made["odd palette"] = encoded(one.convert("P", palette=Image.Palette.ADAPTIVE))
    made["odd alpha"] = encoded(
        Image.merge("RGBA", (*one.split(), one.convert("L").point(lambda _: 255)))
    )
    made["odd one bit"] = encoded(tee(280, "black", "white", 9).convert("1"))
    wide = np.asarray(one.convert("L")).astype(np.uint16) * 257
    made["odd 16 bit"] = encoded(Image.fromarray(wide))
    made["odd webp"] = encoded(one, "WEBP", quality=90)
    made["odd gif"] = encoded(one, "GIF")
    made["odd bmp"] = encoded(one, "BMP")
    turned = Image.Exif()
    turned[0x0112] = 6
    made["odd exif"] = encoded(one.rotate(90, expand=True), "JPEG", exif=turned, quality=95)
    made["odd wide"] = encoded(one.resize((900, 90)), "JPEG")
    made["odd dark"] = encoded(one.point(lambda v: v // 20))
    made["odd large"] = encoded(one.resize((1900, 1900)), "JPEG")
    made["odd tiny"] = encoded(one.resize((17, 23)))
    return made
