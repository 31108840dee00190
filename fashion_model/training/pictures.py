"""Targets of people's pictures, and how often each is shown; and what mlp-people learns from: their
photos and drawings, and others made up of Fashion-MNIST.

All that mlp-people learns from goes through preprocess, as what users will send.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

from fashion_model import datasets as data
from fashion_model.datasets import LabeledPicture
from fashion_model.errors import InputError
from fashion_model.networks import CLASSES
from fashion_model.preprocessing import Detectors, preprocess
from fashion_model.preprocessing.decode import decode
from fashion_model.training.synthesis.garments import (
    COAT,
    DRESS,
    SHIRT,
    T_SHIRT,
    TROUSER,
    Garments,
    as_bytes,
    camera_effects,
    ground,
    paper,
)
from fashion_model.training.synthesis.photos import snapshot
from fashion_model.training.synthesis.sketches import (
    SIDE,
    as_picture,
    draw_with_pen,
    scribbles,
    sketches,
    warp,
)

NONE = len(CLASSES)  # among targets: none of the ten is right, as the eleventh logit says
# What pictures usually show whose label names no class: some are as much a class as none of the
# ten. None: not for training
USUALLY: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(("Polo", "Undershirt", "Top"), (T_SHIRT, SHIRT)),
    "Blazer": (COAT,),
    "Blouse": (SHIRT,),
    **dict.fromkeys(("Shorts", "shorts", "tights"), (TROUSER, NONE)),
    **dict.fromkeys(("Skirt", "skirt"), (DRESS, NONE)),
    "Body": None,
}
PHOTO_COPIES, GARMENT_COPIES, THING_COPIES = 5, 24, 8  # besides each picture as it is
MADE_UP = 8_000  # photos, and as many drawings, out of Fashion-MNIST
NOTHING = 1_000  # grounds without a garment, and as many scribbles

# A picture and its kind -> confidences (10,), or an InputError
PictureTeacher = Callable[[Image.Image, str], torch.Tensor]


class PictureViews(NamedTuple):
    """A picture of some kind, with its targets, NONE among them, and what is learned of it: the
    picture as it is first, then others of the same."""

    views: Sequence[Image.Image]
    kind: str
    targets: tuple[int, ...]


@dataclass(frozen=True)
class PixelDataset:
    """Training pictures, whole in memory.

    pixels: uint8 (N, 28, 28). targets: bool (N, 10), the classes that count as right; a row
    without any may be none of the ten, and every confidence should be a tenth. confidences:
    float16 (N, 10), what a teacher says of the pictures that pixels were made from, or None.
    """

    pixels: torch.Tensor
    targets: torch.Tensor
    confidences: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    @staticmethod
    def from_labels(images: torch.Tensor, labels: torch.Tensor) -> "PixelDataset":
        """images uint8 (N, 28, 28) with one class each, labels int (N,)."""
        return PixelDataset(images, F.one_hot(labels.long(), len(CLASSES)).bool())


def read_views(
    items: Iterable[PictureViews], segmenter: nn.Module, teacher: PictureTeacher | None = None
) -> PixelDataset:
    """The views of items as a network reads them; none in which nothing is found.

    teacher is asked about the first view of each item, and taken to say the same of the others.
    """
    pixels, targets, confidences = [], [], []
    detectors = Detectors(segmenter)
    for item in items:
        views = list(_preprocessed(item, detectors))
        if not views:
            continue
        with suppress(InputError):  # the first view may be blank where another is not
            if teacher is not None:
                confidences += [teacher(item.views[0], item.kind).half()] * len(views)
            pixels += views
            targets += [item.targets] * len(views)
    if not pixels:
        return PixelDataset(torch.zeros(0, 28, 28).byte(), torch.zeros(0, len(CLASSES)).bool())
    every, taught = one_hot(targets), torch.stack(confidences) if confidences else None
    return PixelDataset(torch.stack(pixels), every[:, :NONE] & ~every[:, NONE:], taught)


def sampling_weights(labels: Sequence[Hashable], power: float) -> torch.Tensor:
    """How often to show each of some pictures, float64 (N,), which sums to 1; power 0: each picture
    as often as the next, 1: each label as often."""
    counts = Counter(labels)
    weights = torch.tensor([counts[label] ** -power for label in labels], dtype=torch.float64)
    return weights / weights.sum()


def one_hot(targets: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """targets as bool (N, 11), 1 where a class, or none of them, counts as right."""
    rows = torch.zeros(len(targets), NONE + 1, dtype=torch.bool)
    for row, right in zip(rows, targets, strict=True):
        row[list(right) or [NONE]] = True
    return rows


def _preprocessed(item: PictureViews, detectors: Detectors) -> Iterator[torch.Tensor]:
    for view in item.views:
        with suppress(InputError):
            tensor = preprocess(view, detectors, item.kind).tensor
            yield (tensor[0, 0] * 255).round().byte()


def with_targets(
    labeled: Sequence[LabeledPicture],
) -> Iterator[tuple[LabeledPicture, tuple[int, ...]]]:
    """labeled with the targets to train for, corrected; those that are no use are left out."""
    for item in data.correct_labels(labeled, keep_single=True):
        targets = item.targets or USUALLY.get(item.label, (NONE,))
        if targets is not None:
            yield item, targets


def unchanged(labeled: Sequence[LabeledPicture], kind: str) -> Iterator[PictureViews]:
    """Each picture of this kind among labeled, once and as it is."""
    for item, targets in with_targets(labeled):
        if item.kind == kind:
            yield PictureViews([decode(item.path)], kind, targets)


def photos(labeled: Sequence[LabeledPicture]) -> Iterator[PictureViews]:
    """Each photo as it is and in PHOTO_COPIES copies: turned, lit and scaled anew."""
    for (whole,), kind, targets in unchanged(labeled, "photo"):
        picture = whole.convert("RGB")
        rim = np.median(np.asarray(picture)[[0, -1]].reshape(-1, 3), 0)
        change = v2.Compose(
            [
                v2.RandomHorizontalFlip(),
                v2.RandomAffine(
                    (-12, 12),
                    (0.08, 0.08),
                    (0.85, 1.15),
                    5,
                    v2.InterpolationMode.BILINEAR,
                    rim.tolist(),
                ),
                v2.ColorJitter(0.25, 0.25, 0.25),
            ]
        )
        views = [change(picture) for _ in range(PHOTO_COPIES)]
        for view in views[2::3]:
            view.thumbnail((72, 72), Image.Resampling.BOX)
        yield PictureViews([picture, *views], kind, targets)


def drawings(
    labeled: Sequence[LabeledPicture], generator: torch.Generator
) -> Iterator[PictureViews]:
    """Each drawing as it is and drawn again, bent, with other pens: garments more often."""
    for (picture,), kind, targets in unchanged(labeled, "drawing"):
        ink = 1 - torch.from_numpy(np.array(picture.convert("L"))).float()[None, None] / 255
        copies = THING_COPIES if NONE in targets else GARMENT_COPIES
        ink = F.interpolate(F.pad(ink, (24,) * 4), (SIDE, SIDE), mode="bilinear", antialias=True)
        again = (warp(ink.expand(copies, -1, -1, -1), generator) > 0.3).float()
        again[::2] = draw_with_pen(again[::2], generator)
        yield PictureViews([picture, *map(as_picture, again)], kind, targets)


def made_up(garments: Garments, generator: torch.Generator, seed: int) -> Iterator[PictureViews]:
    """Fashion-MNIST's garments laid somewhere or worn, and drawn as lines."""
    rng = np.random.default_rng(seed)
    for _ in range(MADE_UP):
        array, _, label = snapshot(rng, garments)
        yield PictureViews([Image.fromarray(array)], "photo", (label,))
    for picture, label in sketches(garments, generator):
        yield PictureViews([picture], "drawing", (label,))


def scribbles_and_grounds(generator: torch.Generator, seed: int) -> Iterator[PictureViews]:
    """Scribbles, and grounds where nothing lies."""
    rng = np.random.default_rng(seed)
    for i, line in enumerate(scribbles(NOTHING, generator)):
        yield PictureViews([as_picture(line)], "drawing", (NONE,))
        canvas = camera_effects(rng, paper(rng, 96) if i % 4 == 0 else ground(rng, 96))
        yield PictureViews([Image.fromarray(as_bytes(canvas))], "photo", (NONE,))


def for_people(
    labeled: Sequence[LabeledPicture], fashion_mnist: data.Pairs, seed: int
) -> Iterator[PictureViews]:
    """All that a network for people's photos and drawings learns, the same for the same seed."""
    torch.manual_seed(seed)  # for torchvision's transforms
    generator = torch.Generator().manual_seed(seed)
    yield from photos(labeled)
    yield from drawings(labeled, generator)
    garments = Garments.sample(*fashion_mnist, MADE_UP, np.random.default_rng(seed))
    yield from made_up(garments, generator, seed)
    yield from scribbles_and_grounds(generator, seed)
