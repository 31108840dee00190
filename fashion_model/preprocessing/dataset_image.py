"""The 28x28 original of a Fashion-MNIST image that was enlarged, inverted, colored or plotted."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from fashion_model.preprocessing.geometry import border
from fashion_model.preprocessing.plots import (
    SIDE,
    Floats,
    PixelBox,
    Pixels,
    framed_squares,
    squares_on_paper,
    values_of,
    whole_square,
)

CORNERS = ([0, 0, -1, -1], [0, -1, 0, -1])  # rows and columns of the four
FINE = 112  # pixels, 4 a cell: the size at which a candidate is compared with its copy

# Statistics of the 60,000 training images; each limit keeps at least 99.5 % of them.
MIN_LONGEST = 26  # cells from the first to the last that is no ground: the images touch the frame
MIN_FRAME_GROUND = 0.55  # share of ground along the frame
GROUND_SHARE = (0.1, 0.93)
MAX_FULL_TONE = 0.42  # of the garment's cells in its brightest tone; more is an icon

TOLERANCE = 24  # of 255: JPEG's noise on the ground, and the faintest cells of a garment
MAX_ERROR = 0.2  # root mean square of picture minus copy, in standard deviations of the picture
# A soft or small garment on white paper is nearly what 28x28 cells can show: see _is_photo
MAX_ERROR_UNFRAMED = 0.125  # in color, or as large as LARGE; half of such photos have up to 0.2
LARGE = 150  # pixels a side, from which a copy is that near to its picture
MIN_SPAN, MIN_SPAN_FRAMED = 212, 245  # of 255: an image's values, and one's whose plot scales them
GRAY = 3  # of 255, between the channels of a picture that has no color, but for JPEG's rounding
GOOD_ERROR = 0.05  # at which there is no need to look further

# Lines drawn in full ink vary more in tone, and from cell to cell, than 98 % of the images do.
_LINES_DEVIATION = 0.26
_LINES_VARIATION = 1.0

_INTERPOLATIONS = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


class _Candidate(NamedTuple):
    box: PixelBox
    cells: Floats  # (28, 28) gray tones at the cells' centers
    error: float  # see MAX_ERROR
    how: Image.Resampling  # the filter that enlarged it, or comes closest


def find_dataset_image(picture: Image.Image | Pixels) -> np.ndarray | None:
    """The original, uint8 (28, 28), bright garment on black; None if picture shows none.

    picture: "L" or "RGB", or an array (H, W) or (H, W, 3). The image may fill it, have a border,
    or lie in a plot. A drawing of 28x28 pixels can pass: ask the network that tells lines too.
    """
    array = np.asarray(picture)
    exact = exact_dataset_image(array)
    if exact is not None:
        return exact
    whole = Image.fromarray(array)
    gray = whole.convert("L")
    for propose in (whole_square, framed_squares, squares_on_paper):
        found = _best(gray, propose(np.asarray(gray)))
        if found is not None:
            break
    else:
        return None
    colors = _cells(_resample(whole, found.box, FINE))
    values = values_of(colors)
    if values is None or _is_photo(colors, values, found, propose is framed_squares):
        return None
    values = _sharpen(values, found)
    if np.median(values[CORNERS]) > 127:
        values = 255 - values  # the ground is black
    may_be_drawn = whole.mode == "L" and propose is not framed_squares
    if _is_icon(values) or (may_be_drawn and _is_lines(values)):
        return None
    return values.round().astype(np.uint8)


def exact_dataset_image(array: Pixels) -> np.ndarray | None:
    """The original, uint8 (28, 28), if array is it, gray, at a whole multiple of its size.

    It has a black ground, in at least one corner and a twentieth of its pixels, and many tones:
    a picture in two tones is a drawing. Anything else is None.
    """
    height, width = array.shape[:2]
    if height != width or height % SIDE:
        return None
    gray = array if array.ndim == 2 else array[..., 0]
    if array.ndim == 3 and (array != gray[..., None]).any():
        return None
    blocks = gray.reshape(SIDE, height // SIDE, SIDE, width // SIDE)
    small: np.ndarray = blocks[:, 0, :, 0]
    if (blocks != small[:, None, :, None]).any():
        return None
    corner = small[CORNERS].min()
    ground = small <= 8
    tones = len(np.unique(small[~ground]))
    if corner > 12 or ground.mean() < 0.05 or small.max() < 40 or tones < 12:
        return None
    return small.copy()


def _best(gray: Image.Image, boxes: list[PixelBox]) -> _Candidate | None:
    """The box whose copy is best, moved to where it is better still; None if it is no copy."""
    best = None
    for box in boxes:
        candidate = _examine(gray, box)
        if candidate is not None and (best is None or candidate.error < best.error):
            best = candidate
            if best.error < GOOD_ERROR:
                return best
    if best is None or best.error > 2 * MAX_ERROR:
        return None
    best = _align(gray, best)
    return best if best.error <= MAX_ERROR else None


def _examine(gray: Image.Image, box: PixelBox) -> _Candidate | None:
    """The candidate in box, if it has the ground of these images."""
    fine = _resample(gray, box, FINE)
    cells = _cells(fine)
    corners = cells[CORNERS]
    tolerance = max(TOLERANCE / 2, TOLERANCE / 255 * float(np.ptp(cells)))
    ground = np.abs(cells - np.median(corners)) <= tolerance
    frame = border(ground)
    if not ground[CORNERS].all() or frame.mean() < MIN_FRAME_GROUND:
        return None
    if not GROUND_SHARE[0] <= ground.mean() <= GROUND_SHARE[1]:
        return None
    rows, columns = np.flatnonzero(~ground.all(1)), np.flatnonzero(~ground.all(0))
    if max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 < MIN_LONGEST:
        return None
    original = fine if _side(box) == FINE else _resample(gray, box, _side(box))
    return _Candidate(box, cells, *_copy_error(original, cells))


def _side(box: PixelBox) -> int:
    """At how many pixels a copy is compared with the picture: its own, but at most FINE."""
    return max(SIDE, min(FINE, round(box[2] - box[0])))


def _resample(picture: Image.Image, box: PixelBox, side: int) -> Floats:
    """The box, float (side, side) or (side, side, 3); past the border its corner's color."""
    pad = math.ceil(max(0, -box[0], -box[1], box[2] - picture.width, box[3] - picture.height))
    if pad:
        picture = ImageOps.expand(picture, pad, picture.getpixel((0, 0)))  # pyrefly: ignore
        box = (box[0] + pad, box[1] + pad, box[2] + pad, box[3] + pad)
    shrinks = box[2] - box[0] >= side - 0.5
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(picture.resize((side, side), how, box), np.float32)


def _cells(fine: Floats) -> Floats:
    """The mean of each cell's middle, (28, 28) or (28, 28, 3), where every filter kept its tone."""
    return fine.reshape(SIDE, 4, SIDE, 4, *fine.shape[2:])[:, 1:3, :, 1:3].mean((1, 3))


def _copy_error(original: Floats, cells: Floats) -> tuple[float, Image.Resampling]:
    """How far original is from a copy made of the cells alone, by the filter that fits best."""
    side = len(original)
    rim = side // SIDE  # where a plot's frame may reach in
    inner = (slice(rim, -rim), slice(rim, -rim))
    small = Image.fromarray(cells)
    errors = [
        float(np.square(np.asarray(small.resize((side, side), how)) - original)[inner].mean())
        for how in _INTERPOLATIONS
    ]
    how = _INTERPOLATIONS[int(np.argmin(errors))]
    return math.sqrt(min(errors)) / max(1.0, float(original.std())), how


def _sharpen(values: Floats, candidate: _Candidate) -> Floats:
    """The values without the blur that enlarging and reading the cells' middles gave them."""
    side = _side(candidate.box)
    sharp = values
    for _ in range(2):  # each adds what is still missing from the copy (back-projection)
        copy = Image.fromarray(sharp).resize((side, side), candidate.how)
        blurred = _cells(_resample(copy, (0, 0, side, side), FINE))
        sharp = (sharp + values - blurred).clip(0, 255)
    return sharp


def _align(gray: Image.Image, candidate: _Candidate) -> _Candidate:
    """The candidate, moved and scaled by fractions of a cell to where its copy is best."""
    cell = (candidate.box[2] - candidate.box[0]) / SIDE
    for step in (cell / 2, cell / 4, cell / 8):
        for move in ((1, 0, 1, 0), (0, 1, 0, 1), (0, 0, 1, 1), (-1, -1, 0, 0)):
            for sign in (-step, step):
                left, top, right, bottom = (
                    side + sign * part for side, part in zip(candidate.box, move, strict=True)
                )
                moved = _examine(gray, (left, top, right, bottom))
                if moved is not None and moved.error < candidate.error:
                    candidate = moved
    return candidate


def _is_photo(colors: Floats, values: Floats, found: _Candidate, framed: bool) -> bool:
    """Whether it is rather a garment on plain paper, in few of the colors of the map that fits."""
    in_color = colors.ndim == 3 and np.percentile(np.ptp(colors, 2), 98) > GRAY
    if in_color and np.ptp(values) < (MIN_SPAN_FRAMED if framed else MIN_SPAN):
        return True
    strict = not framed and (in_color or found.box[2] - found.box[0] >= LARGE)
    return bool(strict and found.error > MAX_ERROR_UNFRAMED)


def _is_icon(values: Floats) -> bool:
    """Whether most of what is no ground has one full tone."""
    garment = values[values > TOLERANCE]
    return bool((garment > garment.max() - 10).mean() > MAX_FULL_TONE)


def _is_lines(values: Floats) -> bool:
    """Whether the tones vary as much as in lines of full ink with soft edges."""
    tones = values / values.max()
    variation = sum(abs(np.diff(tones, axis=axis)).sum() for axis in (0, 1)) / tones.sum()
    deviation = tones[values > TOLERANCE].std()
    return bool(deviation > _LINES_DEVIATION and variation > _LINES_VARIATION)
