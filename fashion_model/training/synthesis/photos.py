"""Whole made-up photos: a garment that lies somewhere, stands on white, or is worn."""

import numpy as np
from PIL import Image

from fashion_model.training.synthesis.garments import (
    TROUSER,
    Array,
    Cutout,
    Wardrobe,
    ground,
    paper,
    place,
    shadow,
    spoil,
)
from fashion_model.training.synthesis.people import worn

SIDE = 96
WORN = {0: 0.25, 2: 0.15, 4: 0.15, 6: 0.2, 3: 0.12, 1: 0.13}  # how often each class is worn


def snapshot(rng: np.random.Generator, wardrobe: Wardrobe) -> tuple[Array, Array, int]:
    """A picture uint8 (96, 96, 3), the garment's mask uint8 (96, 96), and its class.

    Photos are squeezed into a square as the finder sees them, so proportions vary.
    """
    if rng.random() < 0.5:
        label = int(rng.integers(10))
        canvas = paper(rng, SIDE) if rng.random() < 0.4 else ground(rng, SIDE)
        mask = _laid(rng, canvas, wardrobe.garment(rng, label, 0.5))
    else:
        label = int(rng.choice(list(WORN), p=list(WORN.values())))
        canvas = paper(rng, SIDE) if rng.random() < 0.75 else ground(rng, SIDE)
        other = wardrobe.garment(rng, 0 if label == TROUSER else TROUSER)
        mask = worn(rng, canvas, wardrobe.garment(rng, label), label, other)
    picture = spoil(rng, canvas) if rng.random() < 0.7 else np.clip(canvas, 0, 1)
    image = Image.fromarray((picture * 255).astype(np.uint8))
    if rng.random() < 0.35:  # a thumbnail
        side = int(rng.integers(48, 80))
        image = image.resize((side, side), Image.Resampling.BILINEAR)
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(image), (mask * 255).astype(np.uint8), label


def _laid(rng: np.random.Generator, canvas: Array, cutout: Cutout) -> Array:
    """Lay cutout on canvas, float32 (S, S, 3), changed in place; its mask."""
    side = canvas.shape[0]
    height, width = cutout.mask.shape
    scale = rng.uniform(0.45, 0.98) * side / max(height, width)
    squeeze = np.exp(rng.normal(0, 0.12))
    width, height = min(width * scale * squeeze, side), min(height * scale / squeeze, side)
    if rng.random() < 0.3:
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
