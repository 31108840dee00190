"""Pictures made up: garments laid down, worn or drawn, of Fashion-MNIST's images."""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image

from fashion_model import retrieval
from fashion_model.networks import CLASSES
from fashion_model.training.synthesis.garments import Garments
from fashion_model.training.synthesis.photos import snapshot
from fashion_model.training.synthesis.sketches import sketches


def pictures(kind: str, seed: int) -> Iterator[tuple[Image.Image, int]]:
    """Garments of kind "drawing" or "photo", each with its class, without end; the same for the
    same seed. They are made out of the training images that come with the package."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    images = retrieval.load_subset().images
    garments = Garments.from_images(images, np.arange(len(images)) % len(CLASSES))
    while kind == "drawing":
        yield from sketches(garments, generator)
    while True:
        photo, _, label = snapshot(rng, garments)
        yield Image.fromarray(photo), label
