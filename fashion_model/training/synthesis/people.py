"""A drawn person who wears the garment: what shop photos show and Fashion-MNIST leaves out."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fashion_model.training.synthesis.garments import (
    DRESS,
    SKIN,
    TROUSER,
    UPPER,
    Array,
    Cutout,
    colour,
    place,
)


def worn(
    rng: np.random.Generator,
    canvas: Array,
    garment: Cutout,
    label: int,
    other: Cutout,
) -> Array:
    """Paint a person wearing garment (of class label) into canvas; the garment's visible mask.

    other is what covers the other half of the body: a trouser below a top, a top above a trouser.
    canvas, float32 (S, S, 3), is changed in place.
    """
    size = canvas.shape[0]
    skin = SKIN[rng.integers(len(SKIN))] / 255 * rng.uniform(0.85, 1.1)
    middle = size * rng.uniform(0.44, 0.56)
    if label == TROUSER:
        top, bottom = size * rng.uniform(0.02, 0.3), size * rng.uniform(0.85, 0.99)
        width = (bottom - top) * rng.uniform(0.38, 0.62)
        shoulder = top - size * rng.uniform(0.25, 0.5)
        _limbs(rng, canvas, skin, middle, shoulder, width * 1.15, top + size * 0.15, bottom)
        mask: Array = place(canvas, garment, (middle - width / 2, top, middle + width / 2, bottom))
        reach = width * rng.uniform(0.6, 0.85)
        hem = top + size * rng.uniform(0.02, 0.14)
        over = place(canvas, other, (middle - reach, shoulder, middle + reach, hem))
        mask *= 1 - over
        return mask
    long = label == DRESS or (label == 4 and rng.random() < 0.3)
    top = size * rng.uniform(0.04, 0.3)
    bottom = size * (rng.uniform(0.6, 0.9) if long else rng.uniform(0.62, 0.99))
    width = (bottom - top) * (rng.uniform(0.35, 0.6) if long else rng.uniform(0.68, 1.0))
    _head(rng, canvas, skin, middle, top, size)
    _limbs(rng, canvas, skin, middle, top, width * (0.8 if label in UPPER else 0.7), bottom, size)
    if label in UPPER or rng.random() < 0.1:
        legs = width * rng.uniform(0.5, 0.75)
        start = bottom - size * rng.uniform(0.05, 0.15)
        end = start + size * rng.uniform(0.6, 1.0)
        place(canvas, other, (middle - legs / 2, start, middle + legs / 2, end))
    mask = place(canvas, garment, (middle - width / 2, top, middle + width / 2, bottom))
    if rng.random() < 0.25:  # long hair, a scarf or a bag's strap hides a part
        hidden = _blob(rng, size, middle + rng.normal(0, width / 5), top, width * 0.12)
        canvas *= 1 - hidden[..., None]
        canvas += hidden[..., None] * (skin * rng.uniform(0.2, 0.5))
        mask = mask * (1 - hidden)
    return mask


def _paint(canvas: Array, drawing: Image.Image, tone: Array) -> None:
    alpha = np.asarray(drawing.filter(ImageFilter.GaussianBlur(0.7)), np.float32)[..., None] / 255
    size = canvas.shape[0]
    y, x = np.mgrid[:size, :size] / size - 0.5
    canvas *= 1 - alpha
    canvas += alpha * np.clip(tone * (1 + 0.25 * (x - y)[..., None]), 0, 1)


def _blob(rng: np.random.Generator, size: int, x: float, y: float, radius: float) -> Array:
    drawing = Image.new("L", (size, size))
    length = radius * rng.uniform(1, 4)
    ImageDraw.Draw(drawing).ellipse((x - radius, y - radius, x + radius, y + length), fill=255)
    return np.asarray(drawing.filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255


def _head(
    rng: np.random.Generator, canvas: Array, skin: Array, x: float, neck: float, size: int
) -> None:
    tall = size * rng.uniform(0.14, 0.22)
    wide = tall * rng.uniform(0.35, 0.42)
    chin = neck - tall * rng.uniform(-0.05, 0.3)
    hair = Image.new("L", (size, size))
    pen = ImageDraw.Draw(hair)
    length = rng.choice([0.0, 0.3, 1.2])
    pen.ellipse((x - wide * 1.25, chin - tall * 1.15, x + wide * 1.25, chin - tall * 0.3), fill=255)
    if length:
        pen.rectangle(
            (x - wide * 1.25, chin - tall * 0.8, x + wide * 1.25, chin + tall * (length - 0.3)),
            fill=255,
        )
    _paint(canvas, hair, np.clip(colour(rng, 0.8) * 0.5 * np.array([1, 0.8, 0.6]), 0, 1))
    face = Image.new("L", (size, size))
    pen = ImageDraw.Draw(face)
    pen.ellipse((x - wide, chin - tall, x + wide, chin), fill=255)
    pen.rectangle((x - wide * 0.6, chin - tall * 0.3, x + wide * 0.6, neck + tall * 0.6), fill=255)
    _paint(canvas, face, skin)


def _limbs(
    rng: np.random.Generator,
    canvas: Array,
    skin: Array,
    x: float,
    shoulder: float,
    width: float,
    hip: float,
    foot: float,
) -> None:
    drawing = Image.new("L", canvas.shape[:2])
    pen = ImageDraw.Draw(drawing)
    thick = max(2, round(width * rng.uniform(0.1, 0.17)))
    for side in (-1, 1):
        start = (x + side * width * 0.45, shoulder + width * 0.15)
        elbow = (x + side * width * rng.uniform(0.48, 0.8), (shoulder + hip) / 2)
        hand = (x + side * width * rng.uniform(0.3, 0.65), hip * rng.uniform(0.85, 1.05))
        pen.line([start, elbow, hand], fill=255, width=thick, joint="curve")
        knee = (x + side * width * 0.2, (hip + foot) / 2 + hip * 0.1)
        ankle = (x + side * width * rng.uniform(0.1, 0.25), foot * 1.02)
        pen.line([(x + side * width * 0.2, hip - 4), knee, ankle], fill=255, width=thick + 2)
    _paint(canvas, drawing, skin)
