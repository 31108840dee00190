"""Whether a picture is a drawing: what the segmenter learns last.

Its masks take three quarters of an hour, this takes three minutes: a logistic regression on the
mean and the largest value of each channel of the segmenter's layers, from the first to the deepest.
Drawings are on sheets as people photograph them; what is none is a phone photo, a product on white
or worn, or a floor.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model.datasets import LabeledPicture, Pairs
from fashion_model.networks import Segmenter
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.geometry import as_rgb
from fashion_model.preprocessing.photo import SIDE, small
from fashion_model.training.segmentation import render_drawings
from fashion_model.training.synthesis.garments import (
    Array,
    Garments,
    Rng,
    as_bytes,
    camera_effects,
    ground,
)
from fashion_model.training.synthesis.photos import product, snapshot
from fashion_model.training.synthesis.sketches import (
    draw_with_pen,
    photograph_drawing,
    scribbles,
    sketch,
)

EACH = 2_000  # pictures of each kind that is made up, and what photos there are
GARMENTS = 8_000  # of Fashion-MNIST, to make pictures of
COPIES = 2  # of each photo, lit and cropped anew, besides itself
BATCH = 64
DECAY = 1e-4  # of the weights, of standardized features
WEIGHTS = {"photos": 3.0}  # of a source; others 1: a phone photo is what most people have


def learn_drawings(
    segmenter: Segmenter, labeled: Sequence[LabeledPicture], fashion_mnist: Pairs, seed: int = 0
) -> None:
    """Learn segmenter.drawing anew, from people's photos and drawings and from made-up ones."""
    features, weights, is_drawing = [], [], []
    for source, drawings, pictures in _sources(labeled, fashion_mnist, seed):
        found = _features(segmenter, tqdm(pictures, desc=source, mininterval=5.0))
        if len(found):
            features.append(found)
            weights.append(torch.full((len(found),), WEIGHTS.get(source, 1.0) / len(found)))
            is_drawing.append(torch.full((len(found),), float(drawings)))
    weight, bias = _regression(*map(torch.cat, (features, is_drawing, weights)))
    with torch.no_grad():
        segmenter.drawing.weight.copy_(weight[None])
        segmenter.drawing.bias.fill_(bias)


def drawing_accuracy(
    segmenter: Segmenter, labeled: Sequence[LabeledPicture], fashion_mnist: Pairs, seed: int = 0
) -> dict[str, float]:
    """Of each source of pictures, the share of which segmenter tells whether they are drawings."""
    shares = {}
    for source, drawings, pictures in _sources(labeled, fashion_mnist, seed):
        found = _features(segmenter, tqdm(pictures, desc=source, mininterval=5.0))
        if len(found):
            with torch.inference_mode():
                answers = segmenter.drawing(found).squeeze(1) > 0
            shares[source] = (answers == drawings).float().mean().item()
    return shares


def _regression(
    x: torch.Tensor, y: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Weights (D,) and bias of the logistic regression of y (N,), 0 or 1, on x (N, D)."""
    middle, spread = x.mean(0), x.std(0) + 1e-3
    x = (x - middle) / spread
    w, b = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([w, b], max_iter=400, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        each = F.binary_cross_entropy_with_logits(x @ w + b, y, reduction="none")
        total = (each * weights).sum() / weights.sum() + DECAY * (w**2).sum()
        total.backward()
        return total

    optimizer.step(loss)
    weight = w.detach() / spread
    return weight, (b.detach() - (weight * middle).sum()).item()


@torch.no_grad()  # no inference mode, for what it returns is learned from
def _features(segmenter: Segmenter, pictures: Iterable[Image.Image]) -> torch.Tensor:
    """What the segmenter has to tell drawings by, (N, D), of pictures."""
    found: list[torch.Tensor] = [torch.zeros(0, segmenter.drawing.in_features)]
    rows = [small(as_rgb(np.asarray(picture.convert("RGB")))) for picture in pictures]
    for start in range(0, len(rows), BATCH):
        features = segmenter.features(torch.cat(rows[start : start + BATCH]))
        found.append(segmenter.summary(features))
    return torch.cat(found)


def _sources(
    labeled: Sequence[LabeledPicture], fashion_mnist: Pairs, seed: int
) -> Iterator[tuple[str, bool, Iterator[Image.Image]]]:
    """Kinds of pictures, each with its name and whether it is drawings."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    garments = Garments.sample(*fashion_mnist, GARMENTS, rng)
    sheets = [item for item in labeled if item.kind == "drawing"]
    photos = [item for item in labeled if item.kind == "photo"]
    lines = [*_by_people(sheets, rng, generator), *_made_up(garments, generator)]
    yield "sheets", True, (photograph_drawing(line, rng) for line in lines)
    yield "sheets as of the masks", True, _render_drawings(lines, generator)
    yield "plain sheets", True, (decode(item.path) for item in sheets)
    yield "photos", False, _photos(photos, rng)
    yield "products", False, (product(rng, garments) for _ in range(EACH))
    yield "snapshots", False, (Image.fromarray(snapshot(rng, garments)[0]) for _ in range(EACH))
    grounds = (camera_effects(rng, ground(rng, SIDE)) for _ in range(EACH))
    yield "grounds", False, (Image.fromarray(as_bytes(each)) for each in grounds)


def _by_people(
    drawings: Sequence[LabeledPicture], rng: Rng, generator: torch.Generator
) -> Iterator[Array]:
    """EACH of drawings, half with another pen: float32 (112, 112), 1 on ink."""
    for _ in range(EACH if drawings else 0):
        item = drawings[int(rng.integers(len(drawings)))]
        ink = 255 - np.asarray(decode(item.path).convert("L").resize((112, 112)))
        line = torch.from_numpy(ink).float()[None, None] / 255
        if rng.random() < 0.5:
            line = (draw_with_pen(line, generator) > 0.5).float()
        yield line[0, 0].numpy()


def _made_up(garments: Garments, generator: torch.Generator) -> Iterator[Array]:
    """EACH drawings: of Fashion-MNIST's images, and scribbles, as many of each."""
    half = EACH // 2
    pixels, masks = (torch.from_numpy(each[:half]) for each in (garments.pixels, garments.masks))
    lines = sketch(pixels, masks, generator), scribbles(EACH - half, generator)
    yield from torch.cat(lines)[:, 0].numpy()


def _render_drawings(lines: Sequence[Array], generator: torch.Generator) -> Iterator[Image.Image]:
    """lines as the segmenter saw drawings while it learned its masks."""
    for start in range(0, len(lines), BATCH):
        some = torch.from_numpy(np.stack(lines[start : start + BATCH]))[:, None]
        for sheet in render_drawings(some.float(), generator):
            yield Image.fromarray(as_bytes(sheet.permute(1, 2, 0).numpy()))


def _photos(labeled: Sequence[LabeledPicture], rng: Rng) -> Iterator[Image.Image]:
    """Photos as they are, in gray, and in COPIES, nearer and in another light."""
    for item in labeled:
        picture = decode(item.path).convert("RGB")
        yield picture
        yield picture.convert("L")
        for _ in range(COPIES):
            left, top, right, bottom = rng.uniform(0, 0.2, 4)
            width, height = picture.size
            box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
            near = np.asarray(picture.resize((SIDE, SIDE), box=box), np.float32) / 255
            yield Image.fromarray(as_bytes(camera_effects(rng, near)))
