"""Dilation and erosion of batches of pictures, as max-pooling.

Pictures are float32 (N, 1, H, W) of any values.
"""

import torch
from torch.nn import functional as F


def dilate(x: torch.Tensor, radius: int) -> torch.Tensor:
    """The largest value within radius (a square of side 2 * radius + 1)."""
    return F.max_pool2d(x, 2 * radius + 1, stride=1, padding=radius) if radius else x


def erode(x: torch.Tensor, radius: int) -> torch.Tensor:
    """The smallest value within radius; what lies outside the picture does not count."""
    return -dilate(-x, radius)
