"""What networks read of a drawing: which pixels are ink, and its lines, bright on black."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from fashion_model.errors import InputError
from fashion_model.preprocessing.geometry import as_rgb, bounding_box, dilate, erode, fit, square

SIDE = 112  # pixels a side of the strokes: 4 for each pixel of 28x28
THIN = 3.5  # pixels of SIDE; thinner strokes are thickened to about this
GRID = 28  # cells a side, on which it is found out what is enclosed
LINE = 0.3  # of [0, 1], a cell from which it is on a line that encloses something
FRINGE = 2  # cells around the grid, so that all that is outside hangs together
BROADEST = 14  # pixels of SIDE; what is thicker on average is a shape, not a line

FAINTEST = 0.06  # a mark that differs less from its paper (in [0, 1]) is not seen as ink
NO_INSIDE = 8  # pixels; a picture that is not wider is all border
INK = 0.25  # of the difference that full ink makes: below it there is none
EVEN = 0.6 / 255  # a difference from the plane that fits the paper which is none, but for rounding
MOST = 0.3  # share of the pixels without one, of paper that nobody photographed
CELLS, SURROUNDINGS = 32, 7  # a side, of the picture and of what is compared in it, to find light
LIGHT = 0.2  # of [0, 1], the most that light makes of paper


class Strokes(NamedTuple):
    """What is drawn in a picture.

    line: (1, 1, SIDE, SIDE), 1 on ink. box: the square that it shows, (left, top, right, bottom)
    in shares of the picture's width and height; it may reach past the picture. thickness: that of
    an average stroke, in pixels of line.
    """

    line: torch.Tensor
    box: tuple[float, float, float, float]
    thickness: float


def strokes(picture: np.ndarray) -> Strokes:
    """The strokes in picture, uint8 (H, W) or (H, W, 3). Raises InputError for a blank one."""
    marks = ink(picture)
    height, width = marks.shape[-2:]
    left, top, right, bottom = bounding_box(marks)
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


def lines_and_inside(drawn: Strokes) -> torch.Tensor:
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
    whole = ndimage.binary_fill_holes(ndimage.binary_dilation(np.pad(line, FRINGE)))
    return ndimage.binary_erosion(whole)[FRINGE:-FRINGE, FRINGE:-FRINGE] | line


def ink(picture: np.ndarray) -> torch.Tensor:
    """How far each pixel of picture, uint8 (H, W) or (H, W, 3), is ink: (1, 1, H, W) in [0, 1].

    The paper is the plane that fits the picture's border best, color by color, so that uneven
    light on a photographed sheet is not ink; where that is no plane, what most of each pixel's
    surroundings differ by is light too. Raises InputError where nothing is drawn.
    """
    paper = one_tone(picture)
    if paper is not None:  # the plane is level: what a pixel is depends on its tone alone
        tones = torch.arange(256).float() / 255
        difference = (tones - tones[paper]).abs()
        counts = np.bincount(picture.ravel(), minlength=256)
        by_tone = _inked(difference, _darkest(difference, torch.from_numpy(counts))).numpy()
        return torch.from_numpy(by_tone.take(picture))[None, None]
    rgb = as_rgb(picture)
    if picture.ndim == 2:
        rgb = rgb[:, :1]  # three times the same
    apart = rgb - _paper(rgb)
    difference = apart.abs().amax(1, keepdim=True)
    strength = _darkest(difference)
    if (difference < EVEN).float().mean() < MOST:
        light = _light(apart, min(LIGHT, strength / 2))
        # what is even paper without it stays that: beside a shape, its tone is no light
        difference = difference.minimum((apart - light).abs().amax(1, keepdim=True))
        strength = max(min(strength, FAINTEST), _darkest(difference))  # what was drawn stays
    return _inked(difference, strength)


def one_tone(picture: np.ndarray) -> int | None:
    """The tone of the border of picture, uint8 (H, W), if it has one only, or that most of it has
    where MOST of the picture has it too, as with lines that run along the border; else None."""
    if picture.ndim != 2 or min(picture.shape) <= NO_INSIDE:
        return None
    tone, depth = picture[0, 0], _depth(*picture.shape)
    sides = picture[:depth], picture[-depth:], picture[:, :depth], picture[:, -depth:]
    if all((side == tone).all() for side in sides):
        return int(tone)
    commonest = int(np.bincount(np.concatenate([side.ravel() for side in sides])).argmax())
    return commonest if (picture == commonest).mean() >= MOST else None


def _inked(difference: torch.Tensor, strength: float) -> torch.Tensor:
    """How far what differs so much from the paper is ink, where full ink does by strength."""
    if strength < FAINTEST:
        raise InputError(
            "There is nothing drawn in this picture yet. Draw a garment first.", "nothing"
        )
    return ((difference / strength - INK) / 0.4).clamp(0, 1)


def _darkest(difference: torch.Tensor, counts: torch.Tensor | None = None) -> float:
    """The difference from the paper that full ink makes: that of the strongest 0.2 % of pixels.

    counts: how many pixels have each difference; None: one.
    """
    if counts is None:
        count = max(1, round(0.002 * difference.numel()))
        return difference.flatten().topk(count).values[-1].item()
    count = max(1, round(0.002 * int(counts.sum())))
    strongest, order = difference.sort(descending=True)
    return strongest[int(torch.searchsorted(counts[order].cumsum(0), count))].item()


def _paper(rgb: torch.Tensor) -> torch.Tensor:
    """The paper's colors, (1, C, H, W), of a picture (1, C, H, W)."""
    x, y, row, column, design = _rim(*rgb.shape[-2:])
    colors = rgb[0, :, row, column]  # (C, R)
    middle = colors.median(1).values
    # ink that crosses the border is no paper: fit to the half that is nearest the middle color
    distance = (colors - middle[:, None]).abs().amax(0)
    near = distance <= distance.median() + 0.02
    if not near.all():
        design, colors = design[:, near], colors[:, near]
    normal = torch.linalg.pinv(design @ design.T, hermitian=True)  # a line of pixels has no tilt
    level, across, down = (normal @ design @ colors.double().T).float()[..., None, None]
    plane: torch.Tensor = level + across * x + down * y[:, None]
    # a plane may bend to the light, not run away from it
    middle = middle.view(-1, 1, 1)
    return plane.clamp(middle - 0.25, middle + 0.25)[None]


def _light(apart: torch.Tensor, most: float) -> torch.Tensor:
    """What the surroundings of each pixel of apart (1, C, H, W) have in common: what most of them
    do, so that lines do not count, and no more than most, so that shapes stay."""
    small = F.interpolate(apart, (CELLS, CELLS), mode="area")[0].numpy()
    common = ndimage.median_filter(small, (1, SURROUNDINGS, SURROUNDINGS), mode="nearest")
    smooth = torch.from_numpy(ndimage.gaussian_filter(common, (0, 2, 2)))[None]
    return F.interpolate(smooth.clamp(-most, most), apart.shape[-2:], mode="bilinear")


def _depth(height: int, width: int) -> int:
    """How many pixels of each side of a picture of this size are its border."""
    return max(1, round(min(height, width) * 0.03))


@lru_cache(maxsize=8)
def _rim(height: int, width: int) -> tuple[torch.Tensor, ...]:
    """Of a picture of this size: x (W,) and y (H,) from -1 to 1, the row and the column of each
    pixel of its border, and the design matrix of a plane there, float64 (3, R)."""
    x, y = torch.linspace(-1, 1, width), torch.linspace(-1, 1, height)
    rim = torch.ones(height, width, dtype=torch.bool)
    if min(height, width) > NO_INSIDE:
        depth = _depth(height, width)
        rim[depth:-depth, depth:-depth] = False
    row, column = rim.nonzero().unbind(1)
    design = torch.stack([torch.ones(len(row)), x[column], y[row]]).double()
    return x, y, row, column, design
