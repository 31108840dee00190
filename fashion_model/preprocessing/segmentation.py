"""Where the garment is in a photo: a mask, by a small network and by color."""

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from fashion_model.errors import InputError
from fashion_model.preprocessing.geometry import WHOLE, Box, bounds

SIDE = 96  # pixels a side of the picture in which the garment is looked for
PART = 0.2  # pieces of at least this share of the largest belong to the garment: a pair of shoes
SMALLEST = 0.004  # share of the picture below which no garment was found
MARGIN = 0.15  # of the found box's longest edge, on each side, for the second pass
CERTAIN = 4.0  # logits of the mask count for so much at most, and those of colors for TRUST
TRUST = 2.0
TONES = 12  # of red, green and blue each, that are told apart
FEW = 2e-4  # share of the pixels that says little of a color
REACH = 0.35  # of the picture, on each side of a point that the garment is at


def segment(
    rgb: torch.Tensor,
    segmenter: nn.Module,
    point: tuple[float, float] | None = None,
    logits: torch.Tensor | None = None,
) -> torch.Tensor:
    """The garment's mask, float32 (1, 1, SIDE, SIDE) in [0, 1] over the whole of rgb.

    rgb: (1, 3, H, W) in [0, 1]. segmenter: networks.Segmenter. point: (x, y) in shares of width and
    height, a place on the garment. logits: what mask_logits gave of the whole picture, if known.
    Raises InputError where no garment is found.
    """
    window = WHOLE if point is None else _around(point)
    first = _mask(rgb, segmenter, window, point, logits)
    if first.mean() < SMALLEST:
        raise InputError(
            "No garment stands out in this picture. Try one in which it fills most of the frame, "
            "on a plain background, or tap on the garment.",
            "garment",
        )
    top, bottom, left, right = bounds(first)
    margin = MARGIN * max(bottom - top, right - left)
    closer = (
        max(0.0, (left - margin) / SIDE),
        max(0.0, (top - margin) / SIDE),
        min(1.0, (right + margin) / SIDE),
        min(1.0, (bottom + margin) / SIDE),
    )
    second = _mask(rgb, segmenter, closer, point)
    return second if second.mean() >= 0.5 * first.mean() else first


def mask_logits(rgb: torch.Tensor, segmenter: nn.Module) -> tuple[torch.Tensor, float]:
    """Mask logits (1, 1, SIDE, SIDE) of rgb (1, 3, H, W), and the logit that it is a drawing."""
    weight = next(segmenter.parameters(), rgb)
    with torch.inference_mode():
        mask, drawing = segmenter(small(rgb).to(weight.device))
    return mask.float().cpu(), float(drawing)


def small(rgb: torch.Tensor) -> torch.Tensor:
    """rgb (1, 3, H, W) in [0, 1] as the segmenter reads it: (1, 3, SIDE, SIDE)."""
    return F.interpolate(rgb, (SIDE, SIDE), mode="bilinear", antialias=True).clamp(0, 1)


def _with_colors(logits: torch.Tensor, rgb: torch.Tensor) -> torch.Tensor:
    """Mask logits (1, 1, SIDE, SIDE), to which it was added which colors the garment has, and
    which the ground: a sleeve that was left out has the color of the rest.

    rgb (1, 3, H, W) is what they are of. The colors are those where the mask is clear; log of
    how much commoner each is on the garment (a naive Bayes, with smoothed histograms).
    """
    color = (small(rgb)[0] * TONES).long().clamp(max=TONES - 1)
    place = ((color[0] * TONES + color[1]) * TONES + color[2]).flatten().numpy()
    probability = logits.sigmoid().flatten().numpy()
    shares = []
    for weight in (probability * (probability > 0.7), (1 - probability) * (probability < 0.3)):
        if not weight.any():
            return logits
        counts = np.bincount(place, weight, TONES**3).reshape(TONES, TONES, TONES)
        counts = ndimage.gaussian_filter(counts, 0.7, mode="constant")
        shares.append(counts.ravel() / counts.sum())
    ratio = np.log((shares[0] + FEW) / (shares[1] + FEW))[place].reshape(SIDE, SIDE)
    added = torch.from_numpy(ndimage.gaussian_filter(ratio, 0.7)).float().clamp(-TRUST, TRUST)
    return logits.clamp(-CERTAIN, CERTAIN) + added


def _around(point: tuple[float, float]) -> Box:
    """The part of the picture to look in when somebody points at (x, y)."""
    x, y = point
    return max(0.0, x - REACH), max(0.0, y - REACH), min(1.0, x + REACH), min(1.0, y + REACH)


def _mask(
    rgb: torch.Tensor,
    segmenter: nn.Module,
    window: Box,
    point: tuple[float, float] | None,
    logits: torch.Tensor | None = None,
) -> torch.Tensor:
    """The garment's mask (1, 1, SIDE, SIDE) over the whole picture, looked for in window.

    logits: those of that window, if known.
    """
    height, width = rgb.shape[-2:]
    x0, x1 = int(window[0] * width), max(int(window[2] * width), int(window[0] * width) + 1)
    y0, y1 = int(window[1] * height), max(int(window[3] * height), int(window[1] * height) + 1)
    if logits is None:
        logits, _ = mask_logits(rgb[..., y0:y1, x0:x1], segmenter)
    logits = _with_colors(logits, rgb[..., y0:y1, x0:x1])
    probability = _pieces(logits.sigmoid(), window, point)
    whole = torch.zeros(1, 1, height, width)
    whole[..., y0:y1, x0:x1] = F.interpolate(
        probability, (y1 - y0, x1 - x0), mode="bilinear", antialias=True
    )
    return F.interpolate(whole, (SIDE, SIDE), mode="bilinear", antialias=True)


def _pieces(
    probability: torch.Tensor, window: Box, point: tuple[float, float] | None
) -> torch.Tensor:
    """probability without the pieces that are not the garment."""
    piece, count = ndimage.label((probability[0, 0] > 0.5).numpy(), structure=np.ones((3, 3)))
    if not count:
        return torch.zeros_like(probability)
    sizes = np.bincount(piece.ravel())[1:]
    keep = 1 + np.flatnonzero(sizes >= PART * sizes.max())
    if point is not None:
        x = (point[0] - window[0]) / (window[2] - window[0]) * SIDE
        y = (point[1] - window[1]) / (window[3] - window[1]) * SIDE
        row, column = np.mgrid[:SIDE, :SIDE] + 0.5
        distance = np.where(piece > 0, (row - y) ** 2 + (column - x) ** 2, np.inf)
        keep = piece.flat[distance.argmin()]
    kept = ndimage.binary_dilation(np.isin(piece, keep), iterations=2)
    return probability * torch.from_numpy(kept)
