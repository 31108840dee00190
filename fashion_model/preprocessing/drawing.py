"""A drawing -> the 28x28 picture that a network reads: its lines, bright on black."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from fashion_model.errors import InputError
from fashion_model.preprocessing import morphology

SIDE = 112  # pixels a side while strokes are handled: 4 for each pixel of the result
FAINTEST = 0.06  # a mark that differs less from its paper (in [0, 1]) is not seen as ink
THIN = 3.5  # pixels of SIDE; thinner strokes are thickened to about this
NO_INSIDE = 8  # pixels; a picture that is not wider is all border
INK = 0.25  # of the difference that full ink makes: below it there is none
EVEN = 0.6 / 255  # a difference from the plane that fits the paper which is none, but for rounding
MOST = 0.3  # share of the pixels without one, of paper that nobody photographed
CELLS, SURROUNDINGS = 32, 7  # a side, of the picture and of what is compared in it, to find light
LIGHT = 0.2  # of [0, 1], the most that light makes of paper
LINE = 0.3  # of [0, 1], a pixel of 28x28 from which it is on a line that encloses something
BROADEST = 14  # pixels of SIDE; what is thicker on average is a shape, not a line


def ink(picture: np.ndarray, counts: np.ndarray | None = None) -> torch.Tensor:
    """How far each pixel of picture, uint8 (H, W) or (H, W, 3), is ink: (1, 1, H, W) in [0, 1].

    The paper is the plane that fits the picture's border best, colour by colour, so that uneven
    light on a photographed sheet is not ink; where that is no plane, what most of each pixel's
    surroundings differ by is light too. counts: how many of the pixels of a grey picture have
    each of the 256 tones, if the caller knows. Raises InputError where nothing is drawn.
    """
    paper = one_tone(picture)
    if paper is not None:  # the plane is level: what a pixel is depends on its tone alone
        tones = torch.arange(256).float() / 255
        difference = (tones - tones[paper]).abs()
        counts = np.bincount(picture.ravel(), minlength=256) if counts is None else counts
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
        raise InputError("There is nothing drawn in this picture yet. Draw a garment first.")
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
    """The paper's colours, (1, C, H, W), of a picture (1, C, H, W)."""
    x, y, row, column, design = _rim(*rgb.shape[-2:])
    colours = rgb[0, :, row, column]  # (C, R)
    middle = colours.median(1).values
    # ink that crosses the border is no paper: fit to the half that is nearest the middle colour
    distance = (colours - middle[:, None]).abs().amax(0)
    near = distance <= distance.median() + 0.02
    if not near.all():
        design, colours = design[:, near], colours[:, near]
    normal = torch.linalg.pinv(design @ design.T, hermitian=True)  # a line of pixels has no tilt
    level, across, down = (normal @ design @ colours.double().T).float()[..., None, None]
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


def crop(mask: torch.Tensor, least: float) -> tuple[int, int, int, int]:
    """The box (top, bottom, left, right) around mask (1, 1, H, W), leaving out specks.

    A row or a column counts when at least so many of its pixels are above a half.
    """
    solid = mask[0, 0].numpy() > 0.5
    rows, columns = (np.flatnonzero(np.count_nonzero(solid, axis) >= least) for axis in (1, 0))
    if not len(rows) or not len(columns):
        raise InputError("There is too little drawn in this picture. Draw larger, or thicker.")
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def fit(content: torch.Tensor, side: int) -> torch.Tensor:
    """content (1, C, H, W) resized so that its longest edge is side, centred on zeros."""
    height, width = content.shape[-2:]
    scale = side / max(height, width)
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    if scale < 1:
        small = F.interpolate(content, size, mode="bilinear", antialias=True)
    else:
        small = F.interpolate(content, size, mode="bilinear")
    down, right = side - size[0], side - size[1]
    return F.pad(small, (right // 2, right - right // 2, down // 2, down - down // 2))


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
    top, bottom, left, right = crop(marks, 1)
    line = (fit(marks[..., top:bottom, left:right], SIDE) > 0.35).float()
    # a stroke of width w and length l covers w * l, and w * l - (w - 2) * l survive an erosion by 1
    area = line.sum().item()
    lost = area - morphology.erode(F.pad(line, (1,) * 4), 1).sum().item()
    return Strokes(line, square((left, top, right, bottom), width, height), 2 * area / max(lost, 1))


def read_drawing(drawn: Strokes) -> tuple[torch.Tensor, torch.Tensor]:
    """What a network reads of drawn, pixels (1, 1, 28, 28) in [0, 1], and a closer look, fine
    (1, 2, 28, 28): pixels, and 1 on them and on what they enclose."""
    line = morphology.dilate(drawn.line, round(max(0.0, (THIN - drawn.thickness) / 2)))
    pixels = F.avg_pool2d(line, SIDE // 28)
    inside = torch.from_numpy(enclosed(pixels[0, 0].numpy() > LINE)).float()
    return pixels, torch.cat([pixels, inside[None, None]], 1)


def enclosed(line: np.ndarray) -> np.ndarray:
    """line, bool (H, W), with what it encloses, across gaps of two pixels too."""
    room = np.pad(line, 2)
    full = ndimage.binary_fill_holes(_grown(room))
    within: np.ndarray = ~_grown(~full)[2:-2, 2:-2] | line
    return within


def _grown(shape: np.ndarray) -> np.ndarray:
    """shape, bool (H, W), and the four neighbours of each pixel on it: ndimage.binary_dilation, in
    a quarter of its time for so small a picture."""
    grown = shape.copy()
    grown[1:] |= shape[:-1]
    grown[:-1] |= shape[1:]
    grown[:, 1:] |= shape[:, :-1]
    grown[:, :-1] |= shape[:, 1:]
    return grown


def square(
    box: tuple[float, float, float, float], width: int, height: int
) -> tuple[float, float, float, float]:
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
