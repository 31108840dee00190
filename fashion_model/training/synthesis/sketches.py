"""Fashion-MNIST as line drawings, and real drawings drawn again a little differently."""

import math

import torch
from torch.nn import functional as F

from fashion_model.preprocessing.morphology import dilate, erode

SIDE = 112


def warped(x: torch.Tensor, generator: torch.Generator, wobble: float = 0.05) -> torch.Tensor:
    """x (N, C, H, W), each turned, sheared, scaled, flipped and bent on its own.

    wobble is how far points move, in halves of the side.
    """
    n, _, height, width = x.shape

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator) * 2 - 1

    angle = uniform(n) * math.radians(8)
    flip = torch.where(uniform(n) < 0, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = flip * angle.cos() * (1 + uniform(n) * 0.12)
    theta[:, 0, 1] = uniform(n) * 0.12 - angle.sin()
    theta[:, 1, 0] = angle.sin()
    theta[:, 1, 1] = angle.cos() * (1 + uniform(n) * 0.12)
    grid = F.affine_grid(theta * 1.12, [n, 1, height, width], align_corners=False)
    bend = F.interpolate(uniform(n, 2, 5, 5) * wobble, (height, width), mode="bicubic")
    shake = F.interpolate(uniform(n, 2, 12, 12) * wobble * 0.35, (height, width), mode="bicubic")
    grid = grid + (bend + shake).permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, align_corners=False)


def sketched(pixels: torch.Tensor, masks: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Line drawings (N, 1, 112, 112), ink 1 on 0, of Fashion-MNIST images uint8 (N, 28, 28).

    masks: uint8 (N, 28, 28), 1 on the garment. Outlines, some with the strongest inner edges,
    some with gaps, in three widths of pen.
    """
    n = len(pixels)

    def rand() -> torch.Tensor:
        return torch.rand(n, 1, 1, 1, generator=generator)

    both = torch.stack([pixels.float() / 255, masks.float()], 1)
    big = F.interpolate(F.pad(both, (2,) * 4), (SIDE, SIDE), mode="bicubic").clamp(0, 1)
    soft = torch.ones(2, 1, 5, 5) / 25
    blurred = F.conv2d(big, soft, padding=2, groups=2)
    tone, shape = warped(blurred, generator).split(1, 1)
    solid = (shape > 0.5).float()
    outline = (solid - erode(solid, 1)).clamp(0, 1)
    across = (tone[..., :, 2:] - tone[..., :, :-2]).abs()
    down = (tone[..., 2:, :] - tone[..., :-2, :]).abs()
    edge = F.pad(across, (1, 1, 0, 0)) + F.pad(down, (0, 0, 1, 1))
    ridge = (edge > 0.06 + 0.3 * rand()) & (edge >= 0.93 * F.max_pool2d(edge, 5, 1, 2))
    inner = ridge.float() * erode(solid, 4) * (rand() < 0.6)
    inner = inner * (F.avg_pool2d(inner, 9, 1, 4) > 0.09)  # specks are no lines
    holes = F.interpolate(torch.rand(n, 1, 14, 14, generator=generator), (SIDE, SIDE))
    line = torch.maximum(outline, inner) * (holes <= 0.75 + 0.3 * rand())
    return penned(line, generator)


def penned(line: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """line (N, 1, H, W), 0 or 1, drawn with one of three pens each."""
    pen = torch.randint(0, 3, (len(line),), generator=generator)
    drawn = F.max_pool2d(F.pad(line, (0, 1, 0, 1)), 2, 1)
    for radius in (1, 2):
        drawn[pen == radius] = dilate(line[pen == radius], radius)
    return drawn


def scribbles(n: int, generator: torch.Generator) -> torch.Tensor:
    """n random curves (n, 1, 112, 112), ink 1 on 0, that mean nothing."""
    steps = 400
    knots = torch.randn(n, 2, 40, generator=generator)
    spread = 0.15 + 0.6 * torch.rand(n, 1, 1, generator=generator)
    count = torch.randint(4, 30, (n,), generator=generator)
    drawn = torch.zeros(n, 1, SIDE, SIDE)
    for i in range(n):
        path = F.interpolate(knots[i : i + 1, :, : int(count[i])], steps, mode="linear")[0]
        path = F.avg_pool1d(path[None], 9, 1, 4)[0] * spread[i]
        column, row = ((path.clamp(-0.95, 0.95) + 1) / 2 * (SIDE - 1)).long()
        drawn[i, 0, row, column] = 1
    return penned(dilate(drawn, 1), generator)
