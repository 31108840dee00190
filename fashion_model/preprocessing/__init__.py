"""A picture -> what a network reads: ModelInput.

The one preprocessing for evaluation, the app, the command line and the explanation, and of what the
tutorial's network learns; the networks for whole photos and drawings learn from views of their own
(training.photo_views and training.drawing_classification). The 28x28 picture follows the conversion
that made Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747: trim to the garment, longest edge to
28, center, negate, 8-bit gray), and adds what that could take for granted: where the garment is,
and which of its tones are dark.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from fashion_model.errors import InputError
from fashion_model.preprocessing import drawing, photo
from fashion_model.preprocessing.dataset_image import exact_dataset_image, find_dataset_image
from fashion_model.preprocessing.drawing import FAINTEST
from fashion_model.preprocessing.geometry import WHOLE, Box, as_rgb

KIND_OPTIONS = ("auto", "drawing", "photo")
LINES = 6.0  # logits of networks.LineDetector above which a 28x28 picture is a drawing
LINES_WHERE_NOT_EXACT = 1.0  # where the 28x28 pixels had to be recovered first
CONTRAST = 96  # of 255, between paper and ink that need no segmenter to tell
TWO_TONES = 0.93  # share of the pixels that are paper or full ink, the rest being soft edges
PLAIN = 0.05  # share of the picture that a garment on it covers at least


@dataclass(frozen=True)
class Detectors:
    """The networks that preprocessing asks: networks.Segmenter and networks.LineDetector."""

    segmenter: nn.Module
    line_detector: nn.Module | None = None


@dataclass(frozen=True)
class ModelInput:
    """What a network reads of one picture, and where in the picture it comes from.

    kind: "dataset" (a Fashion-MNIST image, taken as it is), "drawing" or "photo". tensor: float32
    (1, C, H, W) in [0, 1]. It is (1, 1, 28, 28), the garment bright on black; at high resolution,
    a drawing is (1, 2, 112, 112), its lines and what they enclose, and a photo (1, 3, S, S) in
    color. picture: upright, "L" or "RGB". box: the square of it that tensor shows, (left, top,
    right, bottom) in shares of its width and height; it may reach past it. mask: float32 (96, 96)
    over the whole picture, 1 on the garment; None where no garment was cut out.
    """

    kind: str
    tensor: torch.Tensor
    picture: Image.Image
    box: Box
    mask: torch.Tensor | None = None


def preprocess(
    picture: Image.Image,
    detectors: Detectors,
    kind: str = "auto",
    point: tuple[float, float] | None = None,
    high_resolution: Collection[str] = (),
) -> ModelInput:
    """What a network reads of picture, an upright RGB or L image.

    kind "auto" decides from the picture. point, (x, y) in shares of width and height, says where
    the garment of a photo is. high_resolution: the kinds to read so, see ModelInput.
    Raises InputError if there is nothing in the picture.
    """
    check_kind(kind)
    array = np.asarray(picture)
    lines = logits = None
    if kind == "auto" and point is None:
        pixels, kind, lines = _dataset_image(array, detectors)
        if pixels is not None:
            return ModelInput("dataset", pixels, picture, WHOLE)
    _check_contrast(picture)
    kind = kind if point is None else "photo"
    if kind == "auto":
        logits, drawing_logit = photo.mask_logits(as_rgb(array), detectors.segmenter)
        lines = _lines(array, logits) if drawing_logit > 0 else None
        kind = "photo" if lines is None else "drawing"
    if kind == "drawing":
        lines = drawing.strokes(array) if lines is None else lines
        read = drawing.lines_and_inside if kind in high_resolution else drawing.as_fashion_mnist
        return ModelInput(kind, read(lines), picture, lines.box)
    if kind in high_resolution:
        mask = _find_garment(as_rgb(array), detectors, point, logits)
        tensor, box = photo.in_color(picture, point, mask)
        mask = None if point is None else mask  # too coarse to be shown
    else:
        rgb = as_rgb(array)
        mask = photo.segment(rgb, detectors.segmenter, point, logits)
        tensor, box = photo.as_fashion_mnist(rgb, mask)
    return ModelInput(kind, tensor, picture, box, None if mask is None else mask[0, 0])


def check_kind(kind: str) -> None:
    if kind not in KIND_OPTIONS:
        kinds = ", ".join(KIND_OPTIONS)
        short = repr(kind)[:40]
        text = f"kind must be one of {kinds}, not {short}."
        raise InputError(text, "kind", kinds=kinds, kind=short)


def _find_garment(
    rgb: torch.Tensor,
    detectors: Detectors,
    point: tuple[float, float] | None,
    logits: torch.Tensor | None,
) -> torch.Tensor | None:
    """The mask of the garment, of that at point where there is one; None where none stands out.

    logits: what photo.mask_logits gave of rgb, if known.
    """
    if point is None:
        if logits is None:
            logits, _ = photo.mask_logits(rgb, detectors.segmenter)
        return photo.coarse_mask(logits)
    try:
        return photo.segment(rgb, detectors.segmenter, point)
    except InputError:
        return None


def _dataset_image(
    array: np.ndarray[Any, Any], detectors: Detectors
) -> tuple[torch.Tensor | None, str, drawing.Strokes | None]:
    """The image of Fashion-MNIST that array shows, (1, 1, 28, 28); else the kind that it leaves,
    and where it is a drawing in plain lines, these."""
    exact = exact_dataset_image(array)
    # plain lines need neither the search for an image nor the segmenter, each half of the time
    lines = plain_lines(array) if exact is None else None
    if lines is not None:
        return None, "drawing", lines
    original = find_dataset_image(array) if exact is None else exact
    if original is None:
        return None, "auto", None
    pixels = torch.from_numpy(original).float().view(1, 1, 28, 28) / 255
    if detectors.line_detector is not None:
        weight = next(detectors.line_detector.parameters(), pixels)
        with torch.inference_mode():
            logit = float(detectors.line_detector(pixels.to(weight.device)))
            if logit > (LINES_WHERE_NOT_EXACT if exact is None else LINES):
                return None, "drawing", None
    return pixels, "auto", None


def _check_contrast(picture: Image.Image) -> None:
    extremes = np.array(picture.getextrema()).reshape(-1, 2)
    if max(np.ptp(extremes, 1)) < 255 * FAINTEST:
        raise InputError(
            "This picture is blank: it has the same color everywhere. Draw a garment, or choose "
            "a picture that shows one.",
            "blank",
        )


def _lines(array: np.ndarray[Any, Any], mask_logits: torch.Tensor) -> drawing.Strokes | None:
    """The strokes of what looks like a drawing; None for a shape without lines, such as a product
    on white, which is better off as a photo."""
    lines = drawing.strokes(array)
    small = (mask_logits > 0).float().mean() < PLAIN
    return lines if lines.thickness <= drawing.BROADEST or small else None


def plain_lines(array: np.ndarray[Any, Any]) -> drawing.Strokes | None:
    """The strokes of a gray picture (H, W) that are lines in one tone on paper of one other tone.

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
        drawn = drawing.strokes(array)
    except InputError:
        return None
    return drawn if drawn.thickness <= drawing.BROADEST else None
