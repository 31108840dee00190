"""Shapes in batches of masks, as max-pooling: dilation, erosion, flood fill, components.

Masks are float32 (N, 1, H, W), 0 or 1 (dilate, erode and blur take any values).
"""

import torch
from torch.nn import functional as F


def dilate(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """The largest value within radius (a square of side 2 * radius + 1)."""
    return F.max_pool2d(mask, 2 * radius + 1, stride=1, padding=radius) if radius else mask


def erode(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """The smallest value within radius; what lies outside the picture does not count."""
    return -dilate(-mask, radius)


def close(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """Dilation, then erosion: gaps up to 2 * radius wide are bridged."""
    padded = F.pad(mask, (radius,) * 4)
    closed = erode(dilate(padded, radius), radius)
    return closed[..., radius : -radius or None, radius : -radius or None]


def reach(seeds: torch.Tensor, allowed: torch.Tensor, diagonal: bool = True) -> torch.Tensor:
    """All of allowed that a path inside allowed joins to seeds (geodesic dilation)."""
    grown = seeds * allowed
    count = -1.0
    while True:
        for _ in range(8):
            if diagonal:
                grown = dilate(grown, 1) * allowed
            else:
                across = F.max_pool2d(grown, (1, 3), stride=1, padding=(0, 1))
                down = F.max_pool2d(grown, (3, 1), stride=1, padding=(1, 0))
                grown = torch.maximum(across, down) * allowed
        now = grown.sum().item()
        if now == count:
            return grown
        count = now


def outside(mask: torch.Tensor) -> torch.Tensor:
    """What the picture's border reaches without crossing mask (4-connected)."""
    free = F.pad(1 - mask, (1,) * 4, value=1.0)
    seeds = F.pad(torch.zeros_like(mask), (1,) * 4, value=1.0)
    return reach(seeds, free, diagonal=False)[..., 1:-1, 1:-1]


def filled(mask: torch.Tensor) -> torch.Tensor:
    """mask and every hole that it encloses."""
    return 1 - outside(mask)


def components(mask: torch.Tensor) -> torch.Tensor:
    """Each pixel's component as a number > 0 (float32), 0 where mask is 0 (8-connected)."""
    height, width = mask.shape[-2:]
    labels = torch.arange(1, height * width + 1, dtype=torch.float32, device=mask.device)
    current = labels.view(1, 1, height, width) * mask
    while True:
        before = current
        for _ in range(8):
            current = dilate(current, 1) * mask
        if torch.equal(before, current):
            return current
