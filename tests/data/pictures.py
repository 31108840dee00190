"""Pictures that several tests look at, drawn by rule."""

import io

import numpy as np
from PIL import Image, ImageDraw


def rectangle(box, size=(280, 280), ink="black", paper="white", width=0) -> Image.Image:
    """A rectangle from (left, top) to just before (right, bottom), filled if width is 0."""
    picture = Image.new("RGB", size, paper)
    corners = (box[0], box[1], box[2] - 1, box[3] - 1)
    fill = ink if width == 0 else None
    ImageDraw.Draw(picture).rectangle(corners, fill, ink, max(1, width))
    return picture


def shirt(size: int = 280, ink="black", paper="white", mode: str = "RGB") -> Image.Image:
    """A T-shirt in outline, as people draw it."""
    points = [(90, 60), (40, 100), (65, 135), (90, 115), (90, 230), (190, 230), (190, 115)]
    points += [(215, 135), (240, 100), (190, 60), (165, 75), (115, 75), (90, 60)]
    picture = Image.new(mode, (280, 280), paper)
    ImageDraw.Draw(picture).line(points, fill=ink, width=8, joint="curve")
    return picture.resize((size, size), Image.Resampling.BOX) if size != 280 else picture


def photo() -> Image.Image:
    """A dark shirt on a patterned floor, wider than high."""
    rng = np.random.default_rng(0)
    floor = Image.fromarray(rng.integers(150, 230, (20, 30, 3), dtype=np.uint8))
    picture = floor.resize((600, 400), Image.Resampling.BICUBIC)
    points = [(250, 80), (180, 140), (215, 190), (250, 165), (250, 330), (380, 330), (380, 165)]
    points += [(415, 190), (450, 140), (380, 80), (345, 95), (285, 95)]
    ImageDraw.Draw(picture).polygon(points, fill=(30, 40, 90))
    return picture


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
