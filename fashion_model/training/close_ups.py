"""The pictures that those who take a closer look learn from, with fine: real ones, and others of
which they learn to say nothing."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import numpy as np
import torch
from tqdm import tqdm

from fashion_model.datasets import Labelled
from fashion_model.preprocessing.photo import Find
from fashion_model.training.corpus import (
    MADE_UP,
    Item,
    as_read,
    doodles,
    grounds,
    made_up_drawings,
    made_up_photos,
    real_drawings,
    real_photos,
)
from fashion_model.training.drawing_detection import product
from fashion_model.training.synthesis.garments import Wardrobe
from fashion_model.training.train import Pictures

COPIES = 4  # of each photo, besides it as it is: each is changed again whenever it is learnt
TIMES = 2  # as many copies of each drawing as other networks learn from
PRODUCTS = 6_000
BY_RULE = 4_000  # drawings of garments by rule, and as many of Fashion-MNIST's


def photos(
    labelled: Sequence[Labelled], find: Find, seed: int = 0, progress: bool = True
) -> Pictures:
    """The photos among labelled, each as it is and in COPIES variants."""
    items = real_photos(labelled, np.random.default_rng(seed), COPIES)
    return as_read(_shown(items, "photos", progress), find, fine=True)


def other_photos(
    images: torch.Tensor, labels: torch.Tensor, find: Find, seed: int = 0, progress: bool = True
) -> Pictures:
    """Fashion-MNIST's garments as photos and as a shop shows them, and empty grounds.

    images uint8 (N, 28, 28), labels (N,): Fashion-MNIST's.
    """
    rng = np.random.default_rng(seed)
    wardrobe = _wardrobe(images, labels, rng, MADE_UP)
    items = chain(made_up_photos(wardrobe, rng), _products(wardrobe, rng), grounds(rng))
    return as_read(_shown(items, "made-up photos", progress), find, fine=True)


def drawings(
    labelled: Sequence[Labelled], find: Find, seed: int = 0, progress: bool = True
) -> Pictures:
    """The drawings among labelled, garments and other things, each as it is and drawn again."""
    items = real_drawings(labelled, torch.Generator().manual_seed(seed), TIMES)
    return as_read(_shown(items, "drawings", progress), find, fine=True)


def other_drawings(
    images: torch.Tensor, labels: torch.Tensor, find: Find, seed: int = 0, progress: bool = True
) -> Pictures:
    """Garments drawn by rule, and Fashion-MNIST's drawn as lines; images, labels: its own."""
    rng = np.random.default_rng(seed)
    wardrobe = _wardrobe(images, labels, rng, BY_RULE)
    lines = made_up_drawings(wardrobe, torch.Generator().manual_seed(seed))
    items = chain(islice(doodles(rng), BY_RULE), lines)
    return as_read(_shown(items, "made-up drawings", progress), find, fine=True)


def _wardrobe(
    images: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator, count: int
) -> Wardrobe:
    """So many of Fashion-MNIST's garments."""
    chosen = rng.permutation(len(images))[:count]
    return Wardrobe.of(images[chosen].numpy(), labels[chosen].numpy())


def _products(wardrobe: Wardrobe, rng: np.random.Generator) -> Iterator[Item]:
    for _ in range(PRODUCTS):
        yield product(rng, wardrobe), "photo", ()


def _shown(items: Iterator[Item], name: str, progress: bool) -> Iterator[Item]:
    return iter(tqdm(items, desc=name, disable=not progress, mininterval=5.0))
