"""What networks read of a photo: the garment as Fashion-MNIST shows it, or the photo in color."""

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from fashion_model.preprocessing.geometry import Box, bounds, fit, square

TONE, SPREAD = 0.55, 0.2  # mean and standard deviation of Fashion-MNIST's garment pixels
GAIN = (0.6, 2.5)  # contrast is stretched or squeezed at most by these factors
COLOR_SIDE = 160  # pixels a side of a photo in color
MARGIN = 0.15  # of a garment's longest edge, added on each side where somebody tapped on it
REACH = 0.6  # of the photo's shorter edge: what is shown around a point where no garment is found


def as_fashion_mnist(rgb: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, Box]:
    """The masked part of rgb (1, 3, H, W) as (1, 1, 28, 28), bright on black, and its box.

    mask: (1, 1, S, S) over the whole picture. The cloth's tones are negated and brought to the
    mean and the spread of Fashion-MNIST's, since light and camera change them at will.
    """
    height, width = rgb.shape[-2:]
    top, bottom, left, right = bounds(mask)
    side = mask.shape[-1]
    y0, y1 = top * height // side, max(top * height // side + 1, -(-bottom * height // side))
    x0, x1 = left * width // side, max(left * width // side + 1, -(-right * width // side))
    red, green, blue = rgb[:, :1], rgb[:, 1:2], rgb[:, 2:]
    gray = (0.299 * red + 0.587 * green + 0.114 * blue)[..., y0:y1, x0:x1]
    shape = mask[..., top:bottom, left:right]
    shape = F.interpolate(shape, gray.shape[-2:], mode="bilinear")
    shape = ((shape - 0.3) / 0.4).clamp(0, 1)
    total = shape.sum().clamp(min=1e-6)
    mean = (gray * shape).sum() / total
    spread = (((gray - mean) ** 2 * shape).sum() / total).sqrt()
    gain = (SPREAD / spread.clamp(min=1e-3)).clamp(*GAIN)
    cloth = (TONE - gain * (gray - mean)).clamp(0.06, 1)
    pixels = fit(cloth * shape, 28).clamp(0, 1)
    return pixels, square((x0, y0, x1, y1), width, height)


def in_color(
    picture: Image.Image,
    point: tuple[float, float] | None = None,
    mask: torch.Tensor | None = None,
    side: int = COLOR_SIDE,
) -> tuple[torch.Tensor, Box]:
    """picture as (1, 3, side, side) in [0, 1], padded to a square, nothing cut off; and its box.

    point, (x, y) in shares of width and height: a place on the garment; then the square around
    mask, (1, 1, S, S) over the whole picture, is shown, or around the point where there is none.
    """
    picture = picture.convert("RGB")
    width, height = picture.size
    part = (0, 0, width, height) if point is None else _tapped(picture.size, point, mask)
    cropped = picture.crop(part) if point is not None else picture
    scale = side / max(cropped.size)
    small_size = (max(1, round(cropped.width * scale)), max(1, round(cropped.height * scale)))
    small = np.asarray(cropped.resize(small_size, Image.Resampling.BICUBIC, reducing_gap=2.0))
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = _edge_color(small)
    left, top = (side - small_size[0]) // 2, (side - small_size[1]) // 2
    canvas[top : top + small_size[1], left : left + small_size[0]] = small
    tensor = torch.from_numpy(canvas).permute(2, 0, 1)[None].float() / 255
    return tensor, square(part, width, height)


def _edge_color(rgb: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The mean color of the outermost pixels of rgb uint8 (h, w, 3): what padding is painted."""
    rim = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    return np.rint(rim.mean(0)).astype(np.uint8)


def _tapped(
    size: tuple[int, int], point: tuple[float, float], mask: torch.Tensor | None
) -> tuple[int, int, int, int]:
    """The part of a picture of size (width, height) to show when somebody points at (x, y), as
    (left, top, right, bottom) in pixels."""
    width, height = size
    x, y, reach = point[0] * width, point[1] * height, REACH * min(width, height) / 2
    if mask is not None:
        top, bottom, left, right = (edge / mask.shape[-1] for edge in bounds(mask))
        x, y = (left + right) / 2 * width, (top + bottom) / 2 * height
        reach = (0.5 + MARGIN) * max((right - left) * width, (bottom - top) * height)
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    right, bottom = min(width, round(x + reach)), min(height, round(y + reach))
    return left, top, max(left + 1, right), max(top + 1, bottom)
