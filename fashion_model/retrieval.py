"""The training images that a network finds most similar to a picture.

model_input = classifier.preprocess("shirt.png")
for neighbor in retrieval.nearest(classifier.networks[model_input.kind], model_input.tensor):
    print(neighbor.label, neighbor.distance)

It looks through training_images.png, a subset of Fashion-MNIST's training images. What each
committed network makes of them is kept in checkpoints/embeddings.safetensors, which
`python -m fashion_model train --network embeddings` writes.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from fashion_model import checkpoint
from fashion_model.errors import DataError
from fashion_model.explain import named_layers
from fashion_model.networks import CLASSES, NeuralNetwork

SHEET = Path(__file__).with_name("training_images.png")
EMBEDDINGS = checkpoint.FOLDER / "embeddings.safetensors"
COLUMNS = 60  # images in a row of the sheet; a multiple of ten, so that classes lie in columns
INDICES = "indices"  # the PNG's text with the images' places in the training set, as JSON
SCALE = 127  # embeddings have unit length, and are kept as int8
MAKE = "make them with 'python -m fashion_model train --network embeddings'."


@dataclass(frozen=True)
class Neighbor:
    """A training image: its place in Fashion-MNIST's training set, its label, its pixels uint8
    (28, 28), and its cosine distance from the picture: 0 for the same direction in the network's
    embedding, 1 for nothing in common."""

    index: int
    label: str
    distance: float
    pixels: np.ndarray[Any, Any]


class Subset(NamedTuple):
    """N training images uint8 (N, 28, 28); image i is of class i % 10. indices: their places."""

    images: np.ndarray[Any, Any]
    indices: list[int]


def nearest(network: nn.Module, tensor: torch.Tensor, count: int = 5) -> list[Neighbor]:
    """The count training images closest to tensor (1, C, H, W), what network reads; closest first.

    Raises DataError if the images or network's embeddings of them are missing or damaged.
    """
    subset, embeddings = load_subset(), embeddings_of(network)
    distances = 1 - embeddings @ embed(network, tensor)[0]
    found = distances.clamp(min=0).topk(min(count, len(distances)), largest=False)
    return [
        Neighbor(subset.indices[i], CLASSES[i % len(CLASSES)], distance, subset.images[i])
        for distance, i in zip(found.values.tolist(), found.indices.tolist(), strict=True)
    ]


def describe_subset(network: nn.Module) -> dict[str, int]:
    """subset: how many images are looked through, each: of every class, size: of an embedding."""
    (*_, (_, head)), count = named_layers(network), len(load_subset().images)
    return {
        "subset": count,
        "each": count // len(CLASSES),
        "size": cast(nn.Linear, head).in_features,
    }


@torch.inference_mode()
def embed(network: nn.Module, tensors: torch.Tensor) -> torch.Tensor:
    """What goes into network's last Linear, unit length: (N, C, H, W) -> float32 (N, D)."""
    *body, (name, head) = named_layers(network)
    if not isinstance(head, nn.Linear):
        raise ValueError(f"{name} is {head!r}: the embedding is what goes into a last Linear.")
    x = tensors.to(head.weight.device, torch.float32)
    for _, module in body:
        x = module(x)
    return F.normalize(x.cpu(), dim=1)


def embeddings_of(network: nn.Module) -> torch.Tensor:
    """Those of the subset's images, float32 (N, D): kept ones, or, of the tutorial's network, made
    anew in 40 to 100 ms. Raises DataError where there are none."""
    if isinstance(network, NeuralNetwork):
        return embed(network, torch.from_numpy(load_subset().images).unsqueeze(1) / 255)
    stored, key = _stored(EMBEDDINGS), checkpoint.digest(network)
    if key not in stored:
        raise DataError(f"{EMBEDDINGS} holds no embeddings by this network: {MAKE}")
    return stored[key]


def write_embeddings(embeddings: dict[str, torch.Tensor], path: Path) -> None:
    """Keep embeddings (N, D) of the subset's images, by the digest of the network."""
    packed = {key: (value * SCALE).round().to(torch.int8) for key, value in embeddings.items()}
    checkpoint.write_atomically(path, lambda part: save_file(packed, part))


@lru_cache(maxsize=2)
def _stored(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: F.normalize(file.get_tensor(key).float(), dim=1) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is missing or damaged ({error}): {MAKE}") from error


@lru_cache(maxsize=2)
def load_subset(sheet: Path = SHEET) -> Subset:
    """The images of a sheet, in rows of COLUMNS, and their INDICES. DataError: it is no sheet."""
    try:
        with Image.open(sheet) as picture:
            pixels = np.asarray(picture.convert("L"))
            indices = json.loads(picture.info[INDICES])
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{sheet} is missing, damaged or no sheet of training images. Restore it with "
            f"'git checkout'."
        ) from error
    tiles = pixels.reshape(-1, 28, COLUMNS, 28).swapaxes(1, 2).reshape(-1, 28, 28)
    return Subset(tiles[: len(indices)].copy(), indices)
