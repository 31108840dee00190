"""Boxes and shapes in pictures; tensors are float32 (1, C, H, W)."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from fashion_model.errors import InputError

Box = tuple[float, float, float, float]  # left, top, right, bottom in shares of width and height
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def bounding_box(mask: torch.Tensor) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) around what is above a half in mask (1, 1, H, W)."""
    solid = mask[0, 0].numpy() > 0.5
    rows, columns = (np.flatnonzero(solid.any(axis)) for axis in (1, 0))
    if not len(rows):
        raise InputError(
            "There is too little drawn in this picture. Draw larger, or thicker.", "little"
        )
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def border(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The outermost pixels of picture (H, W) or (H, W, C), (N,) or (N, C); corners count twice."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def fit(content: torch.Tensor, side: int) -> torch.Tensor:
    """content (1, C, H, W) resized so that its longest edge is side, centered on zeros."""
    height, width = content.shape[-2:]
    scale = side / max(height, width)
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    small = F.interpolate(content, size, mode="bilinear", antialias=scale < 1)
    down, right = side - size[0], side - size[1]
    return F.pad(small, (right // 2, right - right // 2, down // 2, down - down // 2))


def square(box: tuple[float, float, float, float], width: int, height: int) -> Box:
    """The square around box (left, top, right, bottom), in shares of width and height."""
    left, top, right, bottom = box
    half = max(right - left, bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return (x - half) / width, (y - half) / height, (x + half) / width, (y + half) / height


def as_rgb(picture: np.ndarray) -> torch.Tensor:
    """uint8 (H, W) or (H, W, 3) -> float32 (1, 3, H, W) in [0, 1]."""
    tensor = torch.from_numpy(np.array(picture)).float() / 255
    if tensor.ndim == 2:
        tensor = tensor[..., None].expand(-1, -1, 3)
    return tensor.permute(2, 0, 1)[None]


def dilate(x: torch.Tensor, radius: int) -> torch.Tensor:
    """The largest value within radius (a square of side 2 * radius + 1)."""
    for axis in (2, 3) if radius else ():  # shifted: a fifth of what torch's max_pool2d takes
        found = x.clone()
        for by in range(1, min(radius, x.shape[axis] - 1) + 1):
            rest = x.shape[axis] - by
            for there, here in ((by, 0), (0, by)):
                part = found.narrow(axis, here, rest)
                torch.maximum(part, x.narrow(axis, there, rest), out=part)
        x = found
    return x


def erode(x: torch.Tensor, radius: int) -> torch.Tensor:
    """The smallest value within radius; what lies outside the picture does not count."""
    return -dilate(-x, radius)
