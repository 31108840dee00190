"""What networks read of a drawing: its lines, bright on black."""

from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from fashion_model.preprocessing.geometry import bounds, dilate, erode, fit, square
from fashion_model.preprocessing.ink import ink

SIDE = 112  # pixels a side of the strokes: 4 for each pixel of 28x28
THIN = 3.5  # pixels of SIDE; thinner strokes are thickened to about this
GRID = 28  # cells a side, on which it is found out what is enclosed
LINE = 0.3  # of [0, 1], a cell from which it is on a line that encloses something
FRINGE = 2  # cells around the grid, so that all that is outside hangs together
BROADEST = 14  # pixels of SIDE; what is thicker on average is a shape, not a line


class Strokes(NamedTuple):
    """What is drawn in a picture.

    line: (1, 1, SIDE, SIDE), 1 on ink. box: the square that it shows, (left, top, right, bottom)
    in shares of the picture's width and height; it may reach past the picture. thickness: that of
    an average stroke, in pixels of line.
    """

    line: torch.Tensor
    box: tuple[float, float, float, float]
    thickness: float


def strokes(picture: np.ndarray, counts: np.ndarray | None = None) -> Strokes:
    """The strokes in picture, uint8 (H, W) or (H, W, 3). Raises InputError for a blank one.

    counts: see ink.
    """
    marks = ink(picture, counts)
    height, width = marks.shape[-2:]
    top, bottom, left, right = bounds(marks, 1)
    line = (fit(marks[..., top:bottom, left:right], SIDE) > 0.35).float()
    # a stroke of width w and length l covers w * l, and w * l - (w - 2) * l survive an erosion by 1
    area = line.sum().item()
    lost = area - erode(F.pad(line, (1,) * 4), 1).sum().item()
    return Strokes(line, square((left, top, right, bottom), width, height), 2 * area / max(lost, 1))


def as_fashion_mnist(drawn: Strokes) -> torch.Tensor:
    """drawn as (1, 1, 28, 28) in [0, 1]."""
    return F.avg_pool2d(thickened(drawn), SIDE // 28)


def thickened(drawn: Strokes) -> torch.Tensor:
    """The lines of drawn, (1, 1, SIDE, SIDE), none of them thinner than about THIN."""
    return dilate(drawn.line, thickening(drawn.thickness))


def thickening(thickness: float) -> int:
    """By how many pixels a line so thick grows on each side to be about THIN."""
    return round(max(0.0, (THIN - thickness) / 2))


def in_detail(drawn: Strokes) -> torch.Tensor:
    """The lines of drawn and what they enclose: (1, 2, SIDE, SIDE) in [0, 1]."""
    lines = thickened(drawn)
    return torch.cat([lines, enclosed(lines)], 1)


def enclosed(lines: torch.Tensor) -> torch.Tensor:
    """1 on lines (N, 1, SIDE, SIDE) and on what they enclose, so that a bag is full and an arch is
    not; found out on GRID x GRID cells."""
    cells = F.avg_pool2d(lines, SIDE // GRID)[:, 0].numpy() > LINE
    inside = torch.from_numpy(np.stack([filled(each) for each in cells])).float()
    return F.interpolate(inside[:, None], scale_factor=float(SIDE // GRID))


def filled(line: np.ndarray) -> np.ndarray:
    """line, bool (H, W), with what it encloses, across gaps of two cells too."""
    regions, _ = ndimage.label(~ndimage.binary_dilation(np.pad(line, FRINGE)))
    outside = ndimage.binary_dilation(regions == regions[0, 0])[FRINGE:-FRINGE, FRINGE:-FRINGE]
    return np.asarray(~outside | line)
