"""Where the garment is in a photo, by a small network and by color; and what networks read of it:
the garment as Fashion-MNIST shows it, or the photo in color."""

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from fashion_model.errors import InputError
from fashion_model.preprocessing.geometry import WHOLE, Box, border, bounding_box, fit, square

SIDE = 96  # pixels a side of the picture in which the garment is looked for
PART = 0.2  # pieces of at least this share of the largest belong to the garment: a pair of shoes
SMALLEST = 0.004  # share of the picture below which no garment was found
MARGIN = 0.15  # of a garment's longest edge: what is added on each side of its box
CERTAIN = 4.0  # logits of the mask count for so much at most, and those of colors for TRUST
TRUST = 2.0
TONES = 12  # of red, green and blue each, that are told apart
FEW = 2e-4  # share of the pixels that says little of a color
NEAR = 0.35  # of the picture, on each side of a point that the garment is at
TONE, SPREAD = 0.55, 0.2  # mean and standard deviation of Fashion-MNIST's garment pixels
GAIN = (0.6, 2.5)  # contrast is stretched or squeezed at most by these factors
COLOR_SIDE = 160  # pixels a side of a photo in color
CONTEXT = 0.3  # as MARGIN, of a photo in color where nobody pointed at the garment
REACH = 0.6  # of the photo's shorter edge: what is shown around a point where no garment is found


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
    window = WHOLE
    if point is not None:  # look around it
        x, y = point
        window = max(0.0, x - NEAR), max(0.0, y - NEAR), min(1.0, x + NEAR), min(1.0, y + NEAR)
    first = _mask(rgb, segmenter, window, point, logits)
    if first.mean() < SMALLEST and point is not None:  # the window may cut it in two
        first = _mask(rgb, segmenter, WHOLE, point, logits)
    if first.mean() < SMALLEST:
        raise InputError(
            "No garment stands out in this picture. Try one in which it fills most of the frame, "
            "on a plain background, or tap on the garment.",
            "garment",
        )
    left, top, right, bottom = bounding_box(first)
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


def coarse_mask(logits: torch.Tensor) -> torch.Tensor | None:
    """The garment's mask (1, 1, SIDE, SIDE) by what mask_logits gave of the whole picture, at a
    first look; None where no garment is found."""
    mask = _pieces(logits.sigmoid(), WHOLE, None)
    return mask if mask.mean() >= SMALLEST else None


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


def as_fashion_mnist(rgb: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, Box]:
    """The masked part of rgb (1, 3, H, W) as (1, 1, 28, 28), bright on black, and its box.

    mask: (1, 1, S, S) over the whole picture. The cloth's tones are negated and brought to the
    mean and the spread of Fashion-MNIST's, since light and camera change them at will.
    """
    height, width = rgb.shape[-2:]
    left, top, right, bottom = bounding_box(mask)
    side = mask.shape[-1]
    y0, y1 = top * height // side, max(top * height // side + 1, -(-bottom * height // side))
    x0, x1 = left * width // side, max(left * width // side + 1, -(-right * width // side))
    red, green, blue = rgb[:, :1], rgb[:, 1:2], rgb[:, 2:]
    gray = (0.299 * red + 0.587 * green + 0.114 * blue)[..., y0:y1, x0:x1]
    shape = mask[..., top:bottom, left:right]
    shape = F.interpolate(shape, gray.shape[-2:], mode="bilinear")
    shape = ((shape - 0.3) / 0.4).clamp(0, 1)
    total = shape.sum().clamp(min=1e-6)
    mean = (gray * shape).sum() / total
    spread = (((gray - mean) ** 2 * shape).sum() / total).sqrt()
    gain = (SPREAD / spread.clamp(min=1e-3)).clamp(*GAIN)
    cloth = (TONE - gain * (gray - mean)).clamp(0.06, 1)
    pixels = fit(cloth * shape, 28).clamp(0, 1)
    return pixels, square((x0, y0, x1, y1), width, height)


def in_color(
    picture: Image.Image,
    point: tuple[float, float] | None = None,
    mask: torch.Tensor | None = None,
    side: int = COLOR_SIDE,
) -> tuple[torch.Tensor, Box]:
    """What a network reads of picture, (1, 3, side, side) in [0, 1], and its box.

    mask: the garment's, (1, 1, S, S) over the whole picture; the square around it is shown, with a
    margin. Without: the square around point, (x, y) in shares of width and height, a place on the
    garment; without that, all of the picture. It is padded to a square where the picture ends.
    """
    picture = picture.convert("RGB")
    width, height = picture.size
    part = _part(picture.size, point, mask)
    cropped = picture.crop(part)
    scale = side / max(cropped.size)
    small_size = (max(1, round(cropped.width * scale)), max(1, round(cropped.height * scale)))
    small = np.asarray(cropped.resize(small_size, Image.Resampling.BICUBIC, reducing_gap=2.0))
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = np.rint(border(small).mean(0))  # padding has the mean color of the outermost pixels
    left, top = (side - small_size[0]) // 2, (side - small_size[1]) // 2
    canvas[top : top + small_size[1], left : left + small_size[0]] = small
    tensor = torch.from_numpy(canvas).permute(2, 0, 1)[None].float() / 255
    return tensor, square(part, width, height)


def _part(
    size: tuple[int, int], point: tuple[float, float] | None, mask: torch.Tensor | None
) -> tuple[int, int, int, int]:
    """The part of a picture of size (width, height) that in_color shows, as (left, top, right,
    bottom) in pixels."""
    width, height = size
    if mask is not None:
        left, top, right, bottom = (edge / mask.shape[-1] for edge in bounding_box(mask))
        x, y = (left + right) / 2 * width, (top + bottom) / 2 * height
        margin = CONTEXT if point is None else MARGIN
        reach = (0.5 + margin) * max((right - left) * width, (bottom - top) * height)
    elif point is not None:
        x, y, reach = point[0] * width, point[1] * height, REACH * min(width, height) / 2
    else:
        return 0, 0, width, height
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    right, bottom = min(width, round(x + reach)), min(height, round(y + reach))
    return left, top, max(left + 1, right), max(top + 1, bottom)
