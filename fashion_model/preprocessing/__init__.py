"""A picture -> what a network reads: float32 (1, 1, 28, 28) in [0, 1], garment bright on black.

The one preprocessing for training, evaluation, the app, the command line and the explanation.
It follows the conversion that made Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747: trim to
the garment, longest edge to 28, centre, negate, 8-bit grey), and adds what that could take for
granted: where the garment is, and which of its tones are dark.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from fashion_model.errors import InputError
from fashion_model.preprocessing import drawing as drawings
from fashion_model.preprocessing import photo as photos
from fashion_model.preprocessing.drawing import as_rgb
from fashion_model.preprocessing.photo import Box, Find

KINDS = ("auto", "drawing", "photo")
LINES = 6.0  # logits of finder.LineTeller above which a 28x28 picture is a drawing
CONTRAST = 96  # of 255, between paper and ink that need no second look
TWO_TONES = 0.93  # share of the pixels that are paper or full ink, the rest being soft edges


@dataclass(frozen=True)
class Prepared:
    """What a network reads, and where in the picture it comes from.

    pixels: float32 (1, 1, 28, 28) in [0, 1]. kind: "drawing", "photo" or "dataset" (a
    Fashion-MNIST image, taken as it is). box: the square that became pixels, as (left, top,
    right, bottom) in shares of the picture's width and height; it may reach past the picture.
    mask: float32 (96, 96) over the whole picture, 1 on the garment; None unless a photo.
    fine: what closer looks read, float32, or None. Of a photo (1, 6, 64, 64): the garment in
    twice the detail, within a rim of 4, and where it is; then mask and the photo's red, green and
    blue there, with 6 pixels around it. Of a drawing (1, 2, 28, 28): pixels, and those with what
    they enclose.
    """

    pixels: torch.Tensor
    kind: str
    box: Box
    mask: torch.Tensor | None = None
    fine: torch.Tensor | None = None


def prepare(
    picture: Image.Image,
    find: Find,
    kind: str = "auto",
    point: tuple[float, float] | None = None,
    tell_lines: Callable[[torch.Tensor], float] | None = None,
) -> Prepared:
    """What a network reads of picture, an upright RGB or L image.

    find is finder.Finder, or does the same. kind "auto" decides from the picture. point, (x, y)
    in shares of width and height, says where the garment of a photo is. tell_lines gives the logit
    of finder.LineTeller: kind "auto" asks for it where the pixels may be Fashion-MNIST's own;
    None: then they are. Raises InputError if there is nothing in the picture.
    """
    if kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}.")
    array = np.asarray(picture)
    if kind == "auto" and point is None:
        original = as_dataset(array)
        if original is not None:
            pixels = torch.from_numpy(original).float().view(1, 1, 28, 28) / 255
            if tell_lines is None or tell_lines(pixels) <= LINES:
                return Prepared(pixels, "dataset", photos.WHOLE)
            kind = "drawing"
    if max(np.ptp(np.array(picture.getextrema()).reshape(-1, 2), 1)) < 255 * drawings.FAINTEST:
        raise InputError(
            "This picture is blank: it has the same colour everywhere. Draw a garment, or choose "
            "a picture that shows one."
        )
    seen = drawn = rgb = None
    if point is not None:
        kind = "photo"
    elif kind == "auto" and (drawn := plain_lines(array)) is not None:
        kind = "drawing"  # plain to see, without the finder, which takes half of the time
    elif kind == "auto":
        kind, rgb = "photo", as_rgb(array)
        seen, like_a_drawing = photos.look_at(rgb, find)
        if like_a_drawing > 0:
            drawn = drawings.strokes(array)
            # a shape without lines is better off as a photo: most are products on white
            if drawn.thickness <= drawings.BROADEST or (seen > 0).float().mean() < photos.PLAIN:
                kind = "drawing"
    if kind == "drawing":
        drawn = drawings.strokes(array) if drawn is None else drawn
        pixels, fine = drawings.read_drawing(drawn)
        return Prepared(pixels, kind, drawn.box, fine=fine)
    rgb = as_rgb(array) if rgb is None else rgb
    pixels, fine, box, mask = photos.read_photo(rgb, find, point, seen)
    return Prepared(pixels, kind, box, mask, fine)


def plain_lines(array: np.ndarray) -> drawings.Strokes | None:
    """The strokes of a grey picture (H, W) that are lines in one tone on paper of one other tone.

    What has more tones, tones that are close, or shapes instead of lines, may be anything: None.
    """
    if array.ndim != 2:
        return None
    counts = np.bincount(array.ravel(), minlength=256)
    ink, paper = counts.argsort()[-2:]
    plain = counts[paper] >= 0.5 * array.size
    if not plain or counts[paper] + counts[ink] < TWO_TONES * array.size:
        return None
    if abs(int(paper) - int(ink)) < CONTRAST:
        return None
    try:
        drawn = drawings.strokes(array, counts)
    except InputError:
        return None
    return drawn if drawn.thickness <= drawings.BROADEST else None


def as_dataset(array: np.ndarray) -> np.ndarray | None:
    """The 28x28 original, uint8, if array is a Fashion-MNIST image at a whole multiple of its size.

    One has a black ground, in at least one corner and a twentieth of its pixels, and many tones:
    a picture in two tones is a drawing. Anything else is None.
    """
    grey = array if array.ndim == 2 else array[..., 0]
    if array.ndim == 3 and (array != grey[..., None]).any():
        return None
    height, width = grey.shape
    if height != width or height % 28:
        return None
    blocks = grey.reshape(28, height // 28, 28, width // 28)
    small: np.ndarray = blocks[:, 0, :, 0]
    if (blocks != small[:, None, :, None]).any():
        return None
    corner = small[[0, 0, -1, -1], [0, -1, 0, -1]].min()
    ground = small <= 8
    tones = len(np.unique(small[~ground]))
    if corner > 12 or ground.mean() < 0.05 or small.max() < 40 or tones < 12:
        return None
    return small.copy()
