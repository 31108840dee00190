"""Random changes to a batch of 28x28 pictures, all on the batch's own device."""

import math

import torch
from torch.nn import functional as F

from fashion_model.training.trainer import Recipe


def affine(
    x: torch.Tensor,
    generator: torch.Generator,
    degrees: float = 10.0,
    scale: float = 0.1,
    shift: float = 2.0,
    shear: float = 0.1,
    beyond: str = "zeros",
) -> torch.Tensor:
    """Turn, scale, shear and shift each picture of x (N, C, H, W) on its own, and flip half.

    degrees, scale (a share), shift (pixels) and shear (a slope) are the half-widths of uniform
    distributions. beyond: what lies beyond a picture, "zeros", or "border" for more of its edge.
    """
    n, _, height, width = x.shape

    def uniform(half_width: float) -> torch.Tensor:
        u: torch.Tensor = torch.rand(n, generator=generator, device=x.device) * 2 - 1
        return u * half_width

    angle = uniform(math.radians(degrees))
    zoom_x, zoom_y = 1 + uniform(scale), 1 + uniform(scale)
    flip = torch.where(uniform(1.0) < 0, -1.0, 1.0)
    slope = uniform(shear)
    cos, sin = angle.cos(), angle.sin()
    theta = torch.stack(
        [
            torch.stack([flip * cos / zoom_x, flip * (slope - sin), 2 * uniform(shift) / width], 1),
            torch.stack([sin, cos / zoom_y, 2 * uniform(shift) / height], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode=beyond, align_corners=False)


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
    kept = torch.rand(n, generator=generator, device=device) >= chance
    return torch.lerp(x[other], x, torch.where(kept, 1.0, share).view(-1, 1, 1, 1))


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


def view(x: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """What a teacher is asked about, of x (N, 1, 28, 28)."""
    changed = augmented(x, recipe, generator)
    return mix(changed, generator, recipe.mix_chance) if recipe.mix_chance else changed


def augmented(x: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """x (N, 1, 28, 28) changed at random as recipe says."""
    moved = shift_and_flip(x, generator, recipe.shift)
    chosen = torch.rand(len(x), generator=generator, device=x.device) < recipe.affine_chance
    if chosen.any():
        moved[chosen] = affine(x[chosen], generator, shift=recipe.shift)
    return erase(moved, generator, recipe.erase_chance) if recipe.erase_chance else moved
