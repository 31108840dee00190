"""Which pixels of a drawing are ink, on paper of any color and in any light."""

from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from fashion_model.errors import InputError
from fashion_model.preprocessing.geometry import as_rgb

FAINTEST = 0.06  # a mark that differs less from its paper (in [0, 1]) is not seen as ink
NO_INSIDE = 8  # pixels; a picture that is not wider is all border
INK = 0.25  # of the difference that full ink makes: below it there is none
EVEN = 0.6 / 255  # a difference from the plane that fits the paper which is none, but for rounding
MOST = 0.3  # share of the pixels without one, of paper that nobody photographed
CELLS, SURROUNDINGS = 32, 7  # a side, of the picture and of what is compared in it, to find light
LIGHT = 0.2  # of [0, 1], the most that light makes of paper


def ink(picture: np.ndarray, counts: np.ndarray | None = None) -> torch.Tensor:
    """How far each pixel of picture, uint8 (H, W) or (H, W, 3), is ink: (1, 1, H, W) in [0, 1].

    The paper is the plane that fits the picture's border best, color by color, so that uneven
    light on a photographed sheet is not ink; where that is no plane, what most of each pixel's
    surroundings differ by is light too. counts: how many of the pixels of a gray picture have
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
