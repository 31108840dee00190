"""Drawings as distance fields, to be bent and drawn anew with any pen without becoming ragged.

A field says of each pixel how far it is from the nearest line, less than 0 on the line itself.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from fashion_model.preprocessing.drawing import SIDE, enclosed, thickening
from fashion_model.preprocessing.geometry import dilate

MARGIN = 16  # pixels around the drawing in its field
UNIT = 8.0  # steps of a kept field a pixel
FAR = 99.0  # pixels; where nothing is drawn
SHAPE = 8.0  # pixels; a thicker average line is a shape that is filled already
COARSE = 4  # pixels of a cell, where a drawing is shown in cells


@dataclass(frozen=True)
class Variation:
    """How much drawings are changed: half-widths of uniform distributions, and shares of them.

    bend and shake, in halves of the side, are how far points move, over a fifth and a twelfth of
    it. thinnest and thickest: of the pen, in pixels of SIDE. filled, hatched: shares whose inside
    is. gaps: share with a hole in a line, twice. cut: share without a strip on one side. coarse:
    share that is shown in cells.
    """

    degrees: float = 12.0
    stretch: float = 0.22
    shear: float = 0.18
    bend: float = 0.09
    shake: float = 0.025
    thinnest: float = 2.5
    thickest: float = 11.0
    filled: float = 0.08
    hatched: float = 0.04
    gaps: float = 0.2
    cut: float = 0.1
    coarse: float = 0.2


def distance_field(line: torch.Tensor) -> torch.Tensor:
    """The field of line (1, 1, SIDE, SIDE), 1 on ink: uint8 (S, S), with MARGIN around it."""
    ink = np.pad(line[0, 0].numpy() > 0.5, MARGIN)
    outside, inside = (np.asarray(ndimage.distance_transform_edt(each)) for each in (~ink, ink))
    distance = outside - inside
    return torch.from_numpy(np.clip(np.round(128 + UNIT * distance), 0, 255).astype(np.uint8))


def redraw(
    fields: torch.Tensor, thickness: torch.Tensor, how: Variation, generator: torch.Generator
) -> torch.Tensor:
    """What the drawing network reads, (N, 2, SIDE, SIDE), of drawings that are changed at random.

    fields: uint8 (N, S, S); thickness: of the average line in each, (N,), in pixels.
    """
    n = len(fields)
    distance = (fields.float()[:, None] - 128) / UNIT
    grid = _bent(n, how, generator)
    distance = F.grid_sample(distance, grid, padding_mode="border", align_corners=False)
    distance = distance.masked_fill(_erased(n, distance.shape[-1], how, generator), FAR)
    distance, scale = _cropped(distance)
    line = _draw_with_pen(distance * scale, thickness.view(n, 1, 1, 1) * scale, how, generator)
    inside = enclosed(line)
    line = torch.where(_some(n, how.filled, generator), inside, line)
    hatched = _some(n, how.hatched, generator) & _stripes(n, generator)
    return torch.cat([torch.where(hatched, line.maximum(inside), line), inside], 1)


def _uniform(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=generator) * 2 - 1


def _some(n: int, share: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, 1, 1, 1, generator=generator) < share


def _bent(n: int, how: Variation, generator: torch.Generator) -> torch.Tensor:
    """Where each pixel of n changed drawings comes from, as F.grid_sample wants it."""
    angle = _uniform(generator, n) * math.radians(how.degrees)
    wide, high = torch.exp(_uniform(generator, 2, n) * how.stretch)
    flip = torch.where(_uniform(generator, n) < 0, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = flip * angle.cos() * wide
    theta[:, 0, 1] = _uniform(generator, n) * how.shear - angle.sin()
    theta[:, 1, 0] = angle.sin()
    theta[:, 1, 1] = angle.cos() * high
    size = SIDE + 2 * MARGIN
    few = [size // 4] * 2  # all of this is smooth
    grid = F.affine_grid(theta * 1.05, [n, 1, *few], align_corners=False).permute(0, 3, 1, 2)
    for cells, reach in ((5, how.bend), (12, how.shake)):
        moves = _uniform(generator, n, 2, cells, cells) * reach
        grid = grid + F.interpolate(moves, few, mode="bicubic")
    return F.interpolate(grid, [size] * 2, mode="bilinear").permute(0, 2, 3, 1)


def _erased(n: int, size: int, how: Variation, generator: torch.Generator) -> torch.Tensor:
    """Where nothing is left of n drawings, bool (n, 1, size, size): a strip, or round holes."""
    side = torch.linspace(-1, 1, size)
    x, y = side.view(1, 1, 1, -1), side.view(1, 1, -1, 1)

    def uniform() -> torch.Tensor:
        return _uniform(generator, n, 1, 1, 1)

    turn = uniform() * math.pi
    strip = x * turn.cos() + y * turn.sin() > 0.45 + 0.25 * uniform()
    erased = strip & _some(n, how.cut, generator)
    for _ in range(2):
        reach = 0.13 + 0.07 * uniform()
        hole = (x - uniform()) ** 2 + (y - uniform()) ** 2 < reach**2
        erased = erased | hole & _some(n, how.gaps, generator)
    return erased


def _cropped(distance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Fields (N, 1, S, S) so that the drawings fill (N, 1, SIDE, SIDE), and how much larger they
    are now, (N, 1, 1, 1)."""
    n, size = len(distance), distance.shape[-1]
    ink = distance[:, 0] < 0
    places = torch.arange(size).float()
    box = []
    for axis in (1, 2):
        there = ink.any(axis)
        first = torch.where(there, places, size).amin(1)
        last = torch.where(there, places, -1.0).amax(1)
        empty = last < first
        box.append((first.masked_fill(empty, 0), last.masked_fill(empty, size - 1) + 1))
    (left, right), (top, bottom) = box
    length = torch.maximum(right - left, bottom - top).clamp(min=8)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = length / size
    theta[:, 0, 2] = (left + right) / size - 1
    theta[:, 1, 2] = (top + bottom) / size - 1
    grid = F.affine_grid(theta, [n, 1, SIDE, SIDE], align_corners=False)
    found = F.grid_sample(distance, grid, padding_mode="border", align_corners=False)
    outside = (grid.abs() > 1).any(3)[:, None]
    return found.masked_fill(outside, FAR), (SIDE / length).view(n, 1, 1, 1)


def _draw_with_pen(
    distance: torch.Tensor, thickness: torch.Tensor, how: Variation, generator: torch.Generator
) -> torch.Tensor:
    """distance (N, 1, SIDE, SIDE) from lines so thick, (N, 1, 1, 1), as lines of another pen."""
    n = len(distance)
    low, high = math.log(how.thinnest), math.log(how.thickest)
    pen = torch.exp(low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator) ** 1.5)
    grow = ((pen - thickness) / 2).maximum(-0.3 * thickness)
    shape = thickness > SHAPE
    grow = torch.where(shape, _uniform(generator, n, 1, 1, 1) * 1.5, grow)
    line = (distance < grow).float()
    cells = F.interpolate(F.avg_pool2d(line, COARSE), scale_factor=float(COARSE), mode="bilinear")
    line = torch.where(_some(n, how.coarse, generator), (cells > 0.4).float(), line)
    found = torch.where(shape, SHAPE, thickness + 2 * grow).flatten()
    thin = torch.tensor([thickening(each) > 0 for each in found.tolist()])
    line[thin] = dilate(line[thin], 1)
    return line


def _stripes(n: int, generator: torch.Generator) -> torch.Tensor:
    """Parallel strokes of some direction, bool (n, 1, SIDE, SIDE)."""
    side = torch.arange(SIDE).float()
    turn = torch.rand(n, 1, 1, 1, generator=generator) * math.pi
    period = 6 + 8 * torch.rand(n, 1, 1, 1, generator=generator)
    along = side.view(1, 1, 1, -1) * turn.cos() + side.view(1, 1, -1, 1) * turn.sin()
    return (along % period) < 3.5
