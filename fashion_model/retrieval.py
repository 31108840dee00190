"""The training images that a network finds most similar to a picture.

images = SimilarImages(classifier.of(prepared.kind).network)
_, prepared = classifier.prepare("shirt.png")
for found in images.nearest(prepared.pixels):
    print(found.label, found.distance)

It looks through training_images.png, a subset of the training images, which this writes:

    python -m fashion_model.retrieval [--data FOLDER] [--each N]
"""

import argparse
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import nn
from torch.nn import functional as F

from fashion_model.errors import DataError
from fashion_model.explain import chain
from fashion_model.networks import CLASSES

SHEET = Path(__file__).with_name("training_images.png")
EACH = 300  # images of every class: 1.2 MB, and 8 s of one core for the larger network
COLUMNS = 60  # images in a row of the sheet; a multiple of ten, so that classes lie in columns
INDICES = "indices"  # the PNG's text with the images' places in the training set, as JSON
BATCH = 25  # images at once: short steps, between which other requests get the processor


@dataclass(frozen=True)
class Neighbour:
    """A training image: its place in Fashion-MNIST's training set, its label, its pixels uint8
    (28, 28), and its cosine distance from the picture: 0 for the same direction in the network's
    embedding, 1 for nothing in common."""

    index: int
    label: str
    distance: float
    pixels: np.ndarray


class Subset(NamedTuple):
    """N training images uint8 (N, 28, 28); image i is of class i % 10. indices: their places."""

    images: np.ndarray
    indices: list[int]


def embed(network: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """What goes into network's last Linear, unit length: (N, 1, 28, 28) in [0, 1] -> (N, D)."""
    *body, (name, head) = chain(network)
    if not isinstance(head, nn.Linear):
        raise ValueError(f"{name} is {head!r}: the embedding is what goes into a last Linear.")
    x = pixels.to(head.weight.device, torch.float32)
    for _, module in body:
        x = module(x)
    return F.normalize(x.double().cpu(), dim=1)


class SimilarImages:
    """The training images of a sheet as one network sees them, embedded once, in the background."""

    def __init__(self, network: nn.Module, sheet: Path = SHEET) -> None:
        self._network = network
        self._sheet = sheet
        self._lock = Lock()
        self._work: Future[tuple[Subset, torch.Tensor]] | None = None

    def ready(self) -> bool:
        """Whether nearest would answer at once; the first call starts the work for it."""
        return self._started().done()

    def nearest(self, pixels: torch.Tensor, count: int = 5) -> list[Neighbour]:
        """The count images closest to pixels (1, 1, 28, 28) in [0, 1], closest first.

        Raises DataError if the sheet is missing or damaged.
        """
        subset, embeddings = self._started().result()
        with torch.inference_mode():
            distances = 1 - embeddings @ embed(self._network, pixels)[0]
        found = distances.clamp(min=0).topk(min(count, len(distances)), largest=False)
        return [
            Neighbour(subset.indices[i], CLASSES[i % len(CLASSES)], distance, subset.images[i])
            for distance, i in zip(found.values.tolist(), found.indices.tolist(), strict=True)
        ]

    def about(self) -> dict[str, int]:
        """subset: how many images it looks through, each: of every class, size: D of embed."""
        subset, embeddings = self._started().result()
        count = len(subset.indices)
        return {"subset": count, "each": count // len(CLASSES), "size": embeddings.shape[1]}

    def _started(self) -> Future[tuple[Subset, torch.Tensor]]:
        with self._lock:
            if self._work is None:
                thread = ThreadPoolExecutor(1, "similar")
                self._work = thread.submit(self._embedded)
                thread.shutdown(wait=False)  # it ends with this work
            return self._work

    @torch.inference_mode()
    def _embedded(self) -> tuple[Subset, torch.Tensor]:
        subset = read(self._sheet)
        batches = torch.from_numpy(subset.images).unsqueeze(1).split(BATCH)
        return subset, torch.cat([embed(self._network, b.float() / 255) for b in batches])


def read(sheet: Path = SHEET) -> Subset:
    """The images of a sheet that write has made. Raises DataError if there is none."""
    try:
        with Image.open(sheet) as picture:
            pixels = np.asarray(picture.convert("L"))
            indices = json.loads(picture.info[INDICES])
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{sheet} is missing, damaged or no sheet of training images. Restore it with "
            f"'git checkout', or make it with 'python -m fashion_model.retrieval'."
        ) from error
    tiles = pixels.reshape(-1, 28, COLUMNS, 28).swapaxes(1, 2).reshape(-1, 28, 28)
    return Subset(tiles[: len(indices)].copy(), indices)


def write(images: torch.Tensor, labels: torch.Tensor, each: int, sheet: Path = SHEET) -> None:
    """A sheet of each images of every class, drawn evenly over images uint8 (N, 28, 28)."""
    chosen = []
    for number in range(len(CLASSES)):
        places = (labels == number).nonzero().flatten()
        if len(places) < each:
            raise DataError(f"there are {len(places)} images of {CLASSES[number]}, not {each}.")
        chosen.append(places[torch.linspace(0, len(places) - 1, each).round().long()])
    indices = torch.stack(chosen, dim=1).flatten()
    rows = -(-len(indices) // COLUMNS)
    tiles = np.zeros((rows * COLUMNS, 28, 28), np.uint8)
    tiles[: len(indices)] = images[indices].numpy()
    pixels = tiles.reshape(rows, COLUMNS, 28, 28).swapaxes(1, 2).reshape(rows * 28, -1)
    text = PngImagePlugin.PngInfo()
    text.add_text(INDICES, json.dumps(indices.tolist()), zip=True)
    Image.fromarray(pixels).save(sheet, format="PNG", optimize=True, pnginfo=text)


def main(arguments: list[str] | None = None) -> None:
    """The command line; the images are of those that the networks learn from."""
    from fashion_model import datasets as data

    parser = argparse.ArgumentParser(prog="python -m fashion_model.retrieval")
    parser.add_argument("--data", metavar="FOLDER", help="a folder with Fashion-MNIST's four files")
    parser.add_argument("--each", type=int, default=EACH, help=f"images of every class ({EACH})")
    options = parser.parse_args(arguments)
    (images, labels), _ = data.split(*data.load_fashion_mnist(True, options.data))
    write(images, labels, options.each)


if __name__ == "__main__":
    main()
