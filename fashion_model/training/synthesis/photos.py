"""Made-up photos: a garment that lies somewhere, hangs on white, or is worn by a drawn person."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fashion_model.networks import CLASSES
from fashion_model.preprocessing.photo import SIDE
from fashion_model.training.synthesis.garments import (
    COAT,
    DRESS,
    SKIN,
    TROUSER,
    UPPER,
    Array,
    Cutout,
    Garments,
    Rng,
    as_bytes,
    camera_effects,
    color,
    ground,
    paper,
    place,
    shadow,
)

WORN = {0: 0.25, 2: 0.15, 4: 0.15, 6: 0.2, 3: 0.12, 1: 0.13}  # how often each class is worn
SCENE_SIZES = (0.2, 0.8)  # of a garment in a scene: its longest edge, in shares of the picture's
CLUTTER_SIZES = (0.15, 0.7)  # of what else is in it, likewise


def snapshot(rng: Rng, garments: Garments) -> tuple[Array, Array, int]:
    """A picture uint8 (96, 96, 3), the garment's mask uint8 (96, 96), and its class.

    Photos are squeezed into a square as the segmenter reads them, so proportions vary.
    """
    if rng.random() < 0.5:
        label = int(rng.integers(10))
        canvas = paper(rng, SIDE) if rng.random() < 0.4 else ground(rng, SIDE)
        mask = _lay(rng, canvas, garments.choose(rng, label, 0.5), rng.uniform(0.45, 0.98))
    else:
        label = int(rng.choice(list(WORN), p=list(WORN.values())))
        canvas = paper(rng, SIDE) if rng.random() < 0.75 else ground(rng, SIDE)
        other = garments.choose(rng, 0 if label == TROUSER else TROUSER)
        mask = worn(rng, canvas, garments.choose(rng, label), label, other)
    picture = camera_effects(rng, canvas) if rng.random() < 0.7 else np.clip(canvas, 0, 1)
    image = Image.fromarray(as_bytes(picture))
    if rng.random() < 0.35:  # a thumbnail
        side = int(rng.integers(48, 80))
        image = image.resize((side, side), Image.Resampling.BILINEAR)
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(image), as_bytes(mask), label


def scene(
    rng: Rng, background: Array, cutout: Cutout, clutter: Sequence[Cutout] = ()
) -> tuple[Array, Array]:
    """background, uint8 (H, W, 3), with cutout somewhere on it, most often small, and before
    clutter, which the edge may cut: uint8 (96, 96, 3), and cutout's mask uint8 (96, 96)."""
    small = Image.fromarray(background).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    canvas = np.asarray(small, np.float32) / 255
    for thing in clutter:
        x, y = rng.uniform(0, SIDE, 2)
        width, height = SIDE * rng.uniform(*CLUTTER_SIZES) * np.exp(rng.normal(0, 0.3, 2)) / 2
        place(canvas, thing, (x - width, y - height, x + width, y + height), rng.normal(0, 10))
    size = np.exp(rng.uniform(*np.log(SCENE_SIZES)))
    mask = _lay(rng, canvas, cutout, size, off_center=1.0)
    return as_bytes(canvas), as_bytes(mask)


def _lay(
    rng: Rng,
    canvas: Array,
    cutout: Cutout,
    size: float,
    off_center: float = 0.3,
) -> Array:
    """Lay cutout on canvas, float32 (S, S, 3), changed in place; its mask.

    size: of its longest edge, in shares of S. off_center: the probability that it lies anywhere.
    """
    side = canvas.shape[0]
    height, width = cutout.mask.shape
    scale = size * side / max(height, width)
    squeeze = np.exp(rng.normal(0, 0.12))
    width, height = min(width * scale * squeeze, side), min(height * scale / squeeze, side)
    if rng.random() < off_center:
        x, y = rng.uniform(0, side - width), rng.uniform(0, side - height)
    else:
        x, y = (side - width) / 2 + rng.normal(0, 2), (side - height) / 2 + rng.normal(0, 2)
    degrees = rng.normal(0, 6) if rng.random() < 0.7 else rng.uniform(-30, 30)
    layer = np.zeros_like(canvas)
    mask = place(layer, cutout, (x, y, x + width, y + height), degrees)
    if rng.random() < 0.7:
        shadow(rng, canvas, mask)
    canvas *= 1 - mask[..., None]
    canvas += layer
    return mask


def product(rng: Rng, garments: Garments) -> Image.Image:
    """A garment on white, upright and whole, 60x80 to 120x160 pixels, as shops show it."""
    size = 120
    canvas = np.ones((size, size, 3), np.float32) * rng.choice([1.0, 0.97, 0.93])
    cutout = garments.choose(rng, int(rng.integers(len(CLASSES))), 0)
    height, width = cutout.mask.shape
    scale = min(80 / width, 110 / height) * rng.uniform(0.75, 0.98)
    x, y = width * scale / 2, height * scale / 2
    place(canvas, cutout, (size / 2 - x, size / 2 - y, size / 2 + x, size / 2 + y))
    picture = Image.fromarray(as_bytes(canvas)).crop((15, 0, 105, 120))
    edge = int(rng.integers(60, 121))
    return picture.resize((edge, edge * 4 // 3), Image.Resampling.LANCZOS)


def worn(rng: Rng, canvas: Array, garment: Cutout, label: int, other: Cutout) -> Array:
    """Paint a person wearing garment (of class label) into canvas; the garment's visible mask.

    other is what covers the other half of the body: a trouser below a top, a top above a trouser.
    canvas, float32 (S, S, 3), is changed in place.
    """
    size = canvas.shape[0]
    skin = SKIN[rng.integers(len(SKIN))] / 255 * rng.uniform(0.85, 1.1)
    middle = size * rng.uniform(0.44, 0.56)
    if label == TROUSER:
        return _worn_trousers(rng, canvas, skin, middle, (garment, other))
    long = label == DRESS or (label == COAT and rng.random() < 0.3)
    top = size * rng.uniform(0.04, 0.3)
    bottom = size * (rng.uniform(0.6, 0.9) if long else rng.uniform(0.62, 0.99))
    width = (bottom - top) * (rng.uniform(0.35, 0.6) if long else rng.uniform(0.68, 1.0))
    _head(rng, canvas, skin, middle, top, size)
    reach = width * (0.8 if label in UPPER else 0.7)
    _limbs(rng, canvas, skin, middle, reach, (top, bottom, size))
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


def _worn_trousers(
    rng: Rng, canvas: Array, skin: Array, middle: float, garments: tuple[Cutout, Cutout]
) -> Array:
    """Paint a person in trousers and a top, whose middle is there; the trousers' visible mask."""
    size = canvas.shape[0]
    top, bottom = size * rng.uniform(0.02, 0.3), size * rng.uniform(0.85, 0.99)
    width = (bottom - top) * rng.uniform(0.38, 0.62)
    shoulder = top - size * rng.uniform(0.25, 0.5)
    _limbs(rng, canvas, skin, middle, width * 1.15, (shoulder, top + size * 0.15, bottom))
    box = (middle - width / 2, top, middle + width / 2, bottom)
    mask = place(canvas, garments[0], box)
    reach = width * rng.uniform(0.6, 0.85)
    hem = top + size * rng.uniform(0.02, 0.14)
    mask *= 1 - place(canvas, garments[1], (middle - reach, shoulder, middle + reach, hem))
    return mask


def _paint(canvas: Array, drawing: Image.Image, tone: Array) -> None:
    alpha = np.asarray(drawing.filter(ImageFilter.GaussianBlur(0.7)), np.float32)[..., None] / 255
    size = canvas.shape[0]
    y, x = np.mgrid[:size, :size] / size - 0.5
    canvas *= 1 - alpha
    canvas += alpha * np.clip(tone * (1 + 0.25 * (x - y)[..., None]), 0, 1)


def _blob(rng: Rng, size: int, x: float, y: float, radius: float) -> Array:
    drawing = Image.new("L", (size, size))
    length = radius * rng.uniform(1, 4)
    ImageDraw.Draw(drawing).ellipse((x - radius, y - radius, x + radius, y + length), fill=255)
    return np.asarray(drawing.filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255


def _head(rng: Rng, canvas: Array, skin: Array, x: float, neck: float, size: int) -> None:
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
    _paint(canvas, hair, np.clip(color(rng, 0.8) * 0.5 * np.array([1, 0.8, 0.6]), 0, 1))
    face = Image.new("L", (size, size))
    pen = ImageDraw.Draw(face)
    pen.ellipse((x - wide, chin - tall, x + wide, chin), fill=255)
    pen.rectangle((x - wide * 0.6, chin - tall * 0.3, x + wide * 0.6, neck + tall * 0.6), fill=255)
    _paint(canvas, face, skin)


def _limbs(
    rng: Rng,
    canvas: Array,
    skin: Array,
    x: float,
    width: float,
    heights: tuple[float, float, float],
) -> None:
    """Arms and legs around x; heights are those of shoulders, hips and feet."""
    shoulder, hip, foot = heights
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
