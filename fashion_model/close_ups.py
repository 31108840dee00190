"""The photos that networks.CloserNetwork learns from, and the made-up ones, with fine."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import torch
from tqdm import tqdm

from fashion_model.corpus import MADE_UP, Item, as_read, grounds, made_up_photos, real_photos
from fashion_model.data import Labelled
from fashion_model.photos import Find
from fashion_model.sheets import product
from fashion_model.synthesis import Wardrobe
from fashion_model.training import Pictures

COPIES = 4  # of each photo, besides it as it is: each is changed again whenever it is learnt
PRODUCTS = 6_000


def real(
    labelled: Sequence[Labelled], find: Find, seed: int = 0, progress: bool = True
) -> Pictures:
    """The photos among labelled, each as it is and in COPIES variants, with fine."""
    items = real_photos(labelled, np.random.default_rng(seed), COPIES)
    return as_read(_shown(items, "photos", progress), find, fine=True)


def made_up(
    images: torch.Tensor, labels: torch.Tensor, find: Find, seed: int = 0, progress: bool = True
) -> Pictures:
    """Fashion-MNIST's garments as photos and as a shop shows them, and empty grounds, with fine.

    images uint8 (N, 28, 28), labels (N,): Fashion-MNIST's.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(images))[:MADE_UP]
    wardrobe = Wardrobe.of(images[chosen].numpy(), labels[chosen].numpy())
    items = chain(made_up_photos(wardrobe, rng), _products(wardrobe, rng), grounds(rng))
    return as_read(_shown(items, "made-up photos", progress), find, fine=True)


def _products(wardrobe: Wardrobe, rng: np.random.Generator) -> Iterator[Item]:
    for _ in range(PRODUCTS):
        yield product(rng, wardrobe), "photo", ()


def _shown(items: Iterator[Item], name: str, progress: bool) -> Iterator[Item]:
    return iter(tqdm(items, desc=name, disable=not progress, mininterval=5.0))
