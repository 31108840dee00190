"""Line drawings: of images, scribbled, drawn again with other pens, and photographed on paper."""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch.nn import functional as F

from fashion_model.preprocessing.drawing import SIDE
from fashion_model.preprocessing.geometry import dilate, erode
from fashion_model.training.augment import RandomAffine
from fashion_model.training.synthesis.garments import (
    Array,
    Garments,
    Rng,
    as_bytes,
    camera_effects,
    color,
    paper,
)


def warp(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """x (N, C, H, W), each turned, sheared, scaled, flipped and bent on its own."""
    n, _, height, width = x.shape

    def bends(cells: int, reach: float) -> torch.Tensor:  # reach: in halves of the side
        moves = (torch.rand(n, 2, cells, cells, generator=generator) * 2 - 1) * reach
        return F.interpolate(moves, (height, width), mode="bicubic")

    turned = RandomAffine(degrees=8, scale=0.12, shear=0.12, shift=0)
    grid = 1.12 * turned.grid(x.shape, generator)
    grid = grid + (bends(5, 0.05) + bends(12, 0.35 * 0.05)).permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, align_corners=False)


def sketch(pixels: torch.Tensor, masks: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
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
    tone, shape = warp(blurred, generator).split(1, 1)
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
    return draw_with_pen(line, generator)


def as_picture(line: torch.Tensor) -> Image.Image:
    """line (1, H, W), ink 1 on 0, as black on white, "L"."""
    return Image.fromarray(((1 - line[0]) * 255).byte().numpy())


def draw_with_pen(line: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
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
    return draw_with_pen(dilate(drawn, 1), generator)


def photograph_drawing(line: Array, rng: Rng) -> Image.Image:
    """A drawing, line float32 (S, S) with 1 on ink, with some pen on some paper, photographed."""
    side = line.shape[0]
    if rng.random() < 0.3:
        line = ndimage.grey_dilation(line, (3, 3))
    room = np.zeros((side, side), np.float32)  # smaller, and not in the middle
    share = rng.uniform(0.5, 1.0) if rng.random() < 0.5 else 1.0
    edge = max(8, round(side * share))
    drawing = Image.fromarray(as_bytes(line)).resize((edge, edge))
    x, y = (int(rng.integers(0, side - edge + 1)) for _ in range(2))
    room[y : y + edge, x : x + edge] = np.asarray(drawing, np.float32) / 255
    sheet = paper(rng, side) * rng.uniform(0.7, 1.0)
    dark = rng.random() < 0.12
    if dark:
        sheet = sheet * color(rng, 0.5) * 0.4
    elif rng.random() < 0.4:
        sheet = sheet * np.clip(color(rng, 0.4) * 0.6 + 0.4, 0, 1)
    if rng.random() < 0.15:  # squared or ruled
        step = rng.integers(5, 14)
        tone = np.clip(sheet.mean((0, 1)) + rng.normal(-0.15, 0.06, 3), 0, 1)
        sheet[::step] = tone
        if rng.random() < 0.5:
            sheet[:, ::step] = tone
    pen = 1 - color(rng, 0.5) * 0.3 if dark else color(rng, 0.5) * rng.uniform(0, 0.6)
    ink = room[..., None] * rng.uniform(0.6, 1.0)
    drawn = sheet * (1 - ink) + pen * ink
    drawn = camera_effects(rng, drawn) if rng.random() < 0.75 else drawn
    return Image.fromarray(as_bytes(drawn))


def sketches(garments: Garments, generator: torch.Generator) -> Iterator[tuple[Image.Image, int]]:
    """A line drawing of each of garments, with its class."""
    for start in range(0, len(garments.labels), 250):
        some = slice(start, start + 250)
        pixels, masks = (torch.from_numpy(a[some]) for a in (garments.pixels, garments.masks))
        lines = sketch(pixels, masks, generator)
        for line, label in zip(lines, garments.labels[some].tolist(), strict=True):
            yield as_picture(line), label
