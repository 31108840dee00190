"""Random changes to a batch of pictures, each picture by itself, on the batch's own device.

torchvision.transforms.v2 changes a whole batch in one way: a picture at a time, its RandomAffine
takes 18 times as long for 28x28 pictures. Where pictures are as large as their files, its
transforms serve (see pictures).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class RandomAffine:
    """How pictures are turned, scaled, sheared and shifted, each by itself; half are flipped too.

    degrees, scale (a share, of each axis), shift (pixels) and shear (a slope) are the half-widths
    of uniform distributions; sizes is the range of a scale that both axes have.
    """

    degrees: float = 10.0
    scale: float = 0.1
    shift: float = 2.0
    shear: float = 0.1
    sizes: tuple[float, float] = (1.0, 1.0)

    def grid(self, shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
        """Where the pixels of pictures of shape (N, C, H, W) come from, (N, H, W, 2), as
        F.grid_sample wants it."""
        n, _, height, width = shape

        def uniform(half_width: float) -> torch.Tensor:
            u = torch.rand(n, generator=generator, device=generator.device) * 2 - 1
            return u * half_width

        angle = uniform(math.radians(self.degrees))
        zoom_x, zoom_y = 1 + uniform(self.scale), 1 + uniform(self.scale)
        flip = torch.where(uniform(1.0) < 0, -1.0, 1.0)
        slope = uniform(self.shear)
        cos, sin = angle.cos(), angle.sin()
        across = [flip * cos / zoom_x, flip * (slope - sin), 2 * uniform(self.shift) / width]
        down = [sin, cos / zoom_y, 2 * uniform(self.shift) / height]
        theta = torch.stack([torch.stack(across, 1), torch.stack(down, 1)], 1)
        least, most = self.sizes
        if least < most:
            size = least + (most - least) * (uniform(0.5) + 0.5)
            theta[:, :, :2] = theta[:, :, :2] / size.view(-1, 1, 1)
        return F.affine_grid(theta, list(shape), align_corners=False)


@dataclass(frozen=True)
class Augmentation:
    """How 28x28 pictures are changed each time that they are learned.

    affine_chance: the share that are turned, scaled and sheared; the others move by whole pixels,
    which blurs nothing. shift: the pixels that they move by. erase_chance: see erase.
    """

    affine_chance: float = 0.5
    shift: int = 2
    erase_chance: float = 0.0

    def __call__(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """x (N, 1, 28, 28), changed."""
        moved = shift_and_flip(x, generator, self.shift)
        chosen = torch.rand(len(x), generator=generator, device=x.device) < self.affine_chance
        if chosen.any():
            grid = RandomAffine(shift=self.shift).grid(x[chosen].shape, generator)
            moved[chosen] = F.grid_sample(x[chosen], grid, align_corners=False)
        return erase(moved, generator, self.erase_chance) if self.erase_chance else moved


def shift_and_flip(x: torch.Tensor, generator: torch.Generator, shift: int = 2) -> torch.Tensor:
    """Move each picture of x (N, 1, H, W) by whole pixels, at most shift, and flip half."""
    n, _, height, width = x.shape
    padded = F.pad(x, (shift,) * 4)
    device = x.device
    dy = torch.randint(0, 2 * shift + 1, (n, 1), generator=generator, device=device)
    dx = torch.randint(0, 2 * shift + 1, (n, 1), generator=generator, device=device)
    rows = dy + torch.arange(height, device=device)  # (N, H)
    columns = dx + torch.arange(width, device=device)  # (N, W)
    flip = torch.rand(n, 1, generator=generator, device=device) < 0.5
    columns = torch.where(flip, columns.flip(1), columns)
    batch = torch.arange(n, device=device)[:, None, None]
    return padded[batch, 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def mix(x: torch.Tensor, generator: torch.Generator, chance: float = 0.5) -> torch.Tensor:
    """Blend that share of x (N, 1, H, W), each with another one of x and in any proportion.

    Mixup (Zhang et al. 2018, arXiv 1710.09412), for a teacher to say what it sees in them.
    """
    n, device = len(x), x.device
    other = torch.randperm(n, generator=generator, device=device)
    share = torch.rand(n, generator=generator, device=device)
    plain = torch.rand(n, generator=generator, device=device) >= chance
    return torch.lerp(x[other], x, torch.where(plain, 1.0, share).view(-1, 1, 1, 1))


def erase(x: torch.Tensor, generator: torch.Generator, chance: float = 0.5) -> torch.Tensor:
    """Fill a rectangle of 2 to 40 % of the area with noise (Zhong et al. 2017, 1708.04896)."""
    n, _, height, width = x.shape
    device = x.device

    def rand() -> torch.Tensor:
        return torch.rand(n, generator=generator, device=device)

    area = (0.02 + 0.38 * rand()) * height * width
    ratio = torch.exp((2 * rand() - 1) * math.log(1 / 0.3))
    h, w = (area * ratio).sqrt().clamp(max=height), (area / ratio).sqrt().clamp(max=width)
    top, left = rand() * (height - h), rand() * (width - w)
    row, column = torch.arange(height, device=device), torch.arange(width, device=device)
    inside = (
        ((row >= top[:, None]) & (row < (top + h)[:, None]))[:, :, None]
        & ((column >= left[:, None]) & (column < (left + w)[:, None]))[:, None, :]
        & (rand() < chance)[:, None, None]
    )
    noise = torch.rand(x.shape, generator=generator, device=device)
    return torch.where(inside[:, None], noise, x)
