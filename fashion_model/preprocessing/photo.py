"""A photo -> the 28x28 picture that a network reads: the garment alone, dark cloth bright."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from fashion_model.errors import InputError
from fashion_model.preprocessing.drawing import crop, fit, square

SIDE = 96  # pixels a side of the picture in which the garment is looked for
PART = 0.2  # pieces of at least this share of the largest belong to the garment: a pair of shoes
SMALLEST = 0.004  # share of the picture below which a find counts as none
PLAIN = 0.05  # share of the picture from which a find needs no second opinion
MARGIN = 0.15  # of the found box's longest edge, on each side, for the second look
TONE, SPREAD = 0.55, 0.2  # mean and standard deviation of Fashion-MNIST's garment pixels
CERTAIN = 4.0  # logits of the mask count for so much at most, and those of colours for TRUST
TRUST = 2.0
TONES = 12  # of red, green and blue each, that are told apart
FEW = 2e-4  # share of the pixels that says little of a colour
GAIN = (0.6, 2.5)  # contrast is stretched or squeezed at most by these factors
FINE = 64  # pixels a side, as closer looks see a photo
RIM = 4  # of them empty on each side, for networks.PhotoNetwork
AROUND = 6  # of them around the garment on each side, for networks.ColourNetwork

Find = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]  # see finder.Finder
Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def read_photo(
    rgb: torch.Tensor,
    find: Find,
    point: tuple[float, float] | None = None,
    seen: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, Box, torch.Tensor]:
    """rgb (1, 3, H, W) in [0, 1] -> pixels (1, 1, 28, 28), fine (1, 6, FINE, FINE), the box of
    pixels, and the mask.

    find, point, box and fine: see images.prepare. seen: the mask logits of the whole picture, where
    it was looked at before. mask is float32 (96, 96) over the whole picture. Raises InputError
    where no garment is found.
    """
    window = _near(point) if point is not None else WHOLE
    found = _look(rgb, find, window, point, seen)
    if found.mean() < SMALLEST:
        raise InputError(
            "No garment stands out in this picture. Try one in which it fills most of the frame, "
            "on a plain background, or tap on the garment."
        )
    top, bottom, left, right = crop(found, 1)
    margin = MARGIN * max(bottom - top, right - left)
    side = found.shape[-1]
    closer = (
        max(0.0, (left - margin) / side),
        max(0.0, (top - margin) / side),
        min(1.0, (right + margin) / side),
        min(1.0, (bottom + margin) / side),
    )
    again = _look(rgb, find, closer, point)
    mask = again if again.mean() >= 0.5 * found.mean() else found
    return *cut_out(rgb, mask), mask[0, 0]


def look_at(rgb: torch.Tensor, find: Find) -> tuple[torch.Tensor, float]:
    """Mask logits (1, 1, SIDE, SIDE) of rgb (1, 3, H, W), and its drawing logit."""
    with torch.inference_mode():
        mask, drawing = find(small(rgb))
    return mask, drawing.item()


def small(rgb: torch.Tensor) -> torch.Tensor:
    """rgb (1, 3, H, W) in [0, 1] as the finder looks at it: (1, 3, SIDE, SIDE)."""
    return F.interpolate(rgb, (SIDE, SIDE), mode="bilinear", antialias=True).clamp(0, 1)


def _by_colour(logits: torch.Tensor, rgb: torch.Tensor) -> torch.Tensor:
    """Mask logits (1, 1, SIDE, SIDE), to which it was added which colours the garment has, and
    which the ground: a sleeve that was left out has the colour of the rest.

    rgb (1, 3, H, W) is what they are of. The colours are those where the mask is clear; log of
    how much commoner each is on the garment (a naive Bayes, with smoothed histograms).
    """
    colour = (small(rgb)[0] * TONES).long().clamp(max=TONES - 1)
    place = ((colour[0] * TONES + colour[1]) * TONES + colour[2]).flatten().numpy()
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


def _near(point: tuple[float, float], reach: float = 0.35) -> Box:
    """The part of the picture to look in when somebody points at (x, y)."""
    x, y = point
    return max(0.0, x - reach), max(0.0, y - reach), min(1.0, x + reach), min(1.0, y + reach)


def _look(
    rgb: torch.Tensor,
    find: Find,
    window: Box,
    point: tuple[float, float] | None,
    seen: torch.Tensor | None = None,
) -> torch.Tensor:
    """The garment's mask (1, 1, SIDE, SIDE) over the whole picture, looked for in window.

    seen: what look_at said of that window before.
    """
    height, width = rgb.shape[-2:]
    x0, x1 = int(window[0] * width), max(int(window[2] * width), int(window[0] * width) + 1)
    y0, y1 = int(window[1] * height), max(int(window[3] * height), int(window[1] * height) + 1)
    logits = look_at(rgb[..., y0:y1, x0:x1], find)[0] if seen is None else seen
    logits = _by_colour(logits, rgb[..., y0:y1, x0:x1])
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


def cut_out(rgb: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Box]:
    """The masked part of rgb (1, 3, H, W) as pixels (1, 1, 28, 28); in finer detail (1, 6, FINE,
    FINE) the same, where it is, and what _around shows; and the box of pixels.

    mask: (1, 1, S, S) over the whole picture. The cloth's tones are negated and brought to the
    mean and the spread of Fashion-MNIST's, since light and camera change them at will.
    """
    height, width = rgb.shape[-2:]
    top, bottom, left, right = crop(mask, 1)
    side = mask.shape[-1]
    y0, y1 = top * height // side, max(top * height // side + 1, -(-bottom * height // side))
    x0, x1 = left * width // side, max(left * width // side + 1, -(-right * width // side))
    red, green, blue = rgb[:, :1], rgb[:, 1:2], rgb[:, 2:]
    grey = (0.299 * red + 0.587 * green + 0.114 * blue)[..., y0:y1, x0:x1]
    shape = mask[..., top:bottom, left:right]
    shape = F.interpolate(shape, grey.shape[-2:], mode="bilinear")
    shape = ((shape - 0.3) / 0.4).clamp(0, 1)
    total = shape.sum().clamp(min=1e-6)
    mean = (grey * shape).sum() / total
    spread = (((grey - mean) ** 2 * shape).sum() / total).sqrt()
    gain = (SPREAD / spread.clamp(min=1e-3)).clamp(*GAIN)
    cloth = (TONE - gain * (grey - mean)).clamp(0.06, 1)
    both = torch.cat([cloth * shape, shape], 1)
    pixels, fine = fit(both[:, :1], 28), F.pad(fit(both, FINE - 2 * RIM), (RIM,) * 4)
    fine = torch.cat([fine, _around(rgb, mask, (x0, y0, x1, y1))], 1)
    return pixels.clamp(0, 1), fine.clamp(0, 1), square((x0, y0, x1, y1), width, height)


def _around(rgb: torch.Tensor, mask: torch.Tensor, box: tuple[int, int, int, int]) -> torch.Tensor:
    """mask (1, 1, S, S) and rgb (1, 3, H, W) in the square around box, and AROUND it.

    box: (left, top, right, bottom) in pixels of rgb. (1, 4, FINE, FINE), of whose pixels AROUND are
    beyond the square on each side; beyond the picture, rgb is as its edge, and mask 0.
    """
    height, width = rgb.shape[-2:]
    left, top, right, bottom = square(box, width, height)
    scale = (FINE - 2 * AROUND) / ((right - left) * width)  # of a pixel
    if scale < 1:  # shrunk first, for sampling alone would leave out most pixels
        size = [max(1, round(edge * scale)) for edge in (height, width)]
        rgb = F.interpolate(rgb, size, mode="bilinear", antialias=True)
    more = FINE / (FINE - 2 * AROUND)
    across, down = (right - left) * more, (bottom - top) * more
    theta = torch.tensor([[[across, 0, left + right - 1], [0, down, top + bottom - 1]]])
    grid = F.affine_grid(theta, [1, 1, FINE, FINE], align_corners=False)
    colours = F.grid_sample(rgb, grid, padding_mode="border", align_corners=False)
    return torch.cat([F.grid_sample(mask, grid, align_corners=False), colours], 1)
