"""Whether a picture is a drawing: what the finder learns last.

Its masks take three quarters of an hour, this takes three minutes: a logistic regression on the
mean and the largest value of each channel of the finder's layers, from the first to the deepest.
Drawings are on sheets as people photograph them; what is none is a phone photo, a product on white
or worn, or a floor.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model import checkpoint
from fashion_model.datasets import Labelled
from fashion_model.errors import CheckpointError
from fashion_model.networks import CLASSES
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.drawing import as_rgb
from fashion_model.preprocessing.photo import SIDE, small
from fashion_model.segmenter import Finder
from fashion_model.training.segmentation import inked
from fashion_model.training.synthesis.doodles import doodle
from fashion_model.training.synthesis.garments import (
    Array,
    Wardrobe,
    colour,
    ground,
    paper,
    place,
    spoil,
)
from fashion_model.training.synthesis.photos import snapshot
from fashion_model.training.synthesis.sketches import penned, scribbles, sketched

EACH = 2_000  # pictures of each kind that is made up, and what photos there are
GARMENTS = 8_000  # of Fashion-MNIST, to make pictures of
COPIES = 2  # of each photo, lit and cropped anew, besides itself
BATCH = 64
DECAY = 1e-4  # of the weights, of standardised features
WEIGHTS = {"photos": 3.0}  # of a source; others 1: a phone photo is what most people have


def teach(
    finder: str | Path,
    labelled: Sequence[Labelled],
    held_out: Sequence[Labelled],
    images: tuple[torch.Tensor, torch.Tensor],
    validation: tuple[torch.Tensor, torch.Tensor],
    *,
    seed: int = 0,
    out: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Write the checkpoint finder with what tells drawings learnt anew, and return its path.

    labelled: real photos and drawings; images: pixels uint8 (N, 28, 28) and labels (N,) of
    Fashion-MNIST. The card tells, for each source of pictures, the share told rightly of those
    made in the same way out of held_out and validation. Raises CheckpointError for no finder.
    """
    network, card = checkpoint.load(finder, "cpu")
    if not isinstance(network, Finder):
        raise CheckpointError(f"{finder} is no finder, but a {card['architecture']}.")
    start = checkpoint.digest(network)
    seen, weights, are_drawings = [], [], []
    for source, is_drawing, pictures in _sources(labelled, images, seed):
        found = _seen(network, tqdm(pictures, desc=source, disable=not progress, mininterval=5.0))
        if len(found):
            seen.append(found)
            weights.append(torch.full((len(found),), WEIGHTS.get(source, 1.0) / len(found)))
            are_drawings.append(torch.full((len(found),), float(is_drawing)))
    weight, bias = _regressed(torch.cat(seen), torch.cat(are_drawings), torch.cat(weights))
    with torch.no_grad():
        network.drawing.weight.copy_(weight[None])
        network.drawing.bias.fill_(bias)
    shares = {}
    for source, is_drawing, pictures in _sources(held_out, validation, seed + 1):
        found = _seen(network, tqdm(pictures, desc=source, disable=not progress, mininterval=5.0))
        if len(found):
            with torch.inference_mode():
                said = network.drawing(found).squeeze(1) > 0
            shares[source] = (said == is_drawing).float().mean().item()
    path = Path(out) if out is not None else checkpoint.resolve("finder")
    card["parameters"] = sum(p.numel() for p in network.parameters())
    about = {"start": start, "seed": seed, "pictures": sum(map(len, seen))}
    checkpoint.save(path, network, {**card, "accuracy": shares, "taught_drawings": about})
    return path


def _regressed(
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
        total: torch.Tensor = (each * weights).sum() / weights.sum() + DECAY * (w**2).sum()
        total.backward()
        return total

    optimizer.step(loss)
    weight = w.detach() / spread
    return weight, (b.detach() - (weight * middle).sum()).item()


@torch.no_grad()  # no inference mode, for what it returns is learnt from
def _seen(finder: Finder, pictures: Iterable[Image.Image]) -> torch.Tensor:
    """What the finder has to tell drawings by, (N, D), of pictures."""
    found: list[torch.Tensor] = [torch.zeros(0, finder.drawing.in_features)]
    batch: list[torch.Tensor] = []
    for picture in pictures:
        batch.append(small(as_rgb(np.asarray(picture.convert("RGB")))))
        if len(batch) == BATCH:
            found.append(finder.summary(finder.looked(torch.cat(batch))))
            batch = []
    if batch:
        found.append(finder.summary(finder.looked(torch.cat(batch))))
    return torch.cat(found)


def _sources(
    labelled: Sequence[Labelled], images: tuple[torch.Tensor, torch.Tensor], seed: int
) -> Iterator[tuple[str, bool, Iterator[Image.Image]]]:
    """Kinds of pictures, each with its name and whether it is drawings."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    few = rng.permutation(len(images[0]))[:GARMENTS]
    wardrobe = Wardrobe.of(images[0][few].numpy(), images[1][few].numpy())
    sheets = [item for item in labelled if item.kind == "drawing"]
    photos = [item for item in labelled if item.kind == "photo"]
    lines = list(_lines(sheets, wardrobe, rng, generator))
    yield "sheets", True, (on_sheet(line, rng) for line in lines)
    yield "sheets as of the masks", True, _inked(lines, generator)
    yield "plain sheets", True, (decode(item.path) for item in sheets)
    yield "photos", False, _taken(photos, rng)
    yield "products", False, (product(rng, wardrobe) for _ in range(EACH))
    yield "snapshots", False, (Image.fromarray(snapshot(rng, wardrobe)[0]) for _ in range(EACH))
    floors = (spoil(rng, ground(rng, SIDE)) for _ in range(EACH))
    yield "grounds", False, (Image.fromarray(_bytes(floor)) for floor in floors)


def _lines(
    labelled: Sequence[Labelled],
    wardrobe: Wardrobe,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> Iterator[Array]:
    """EACH drawings by people and as many made up: float32 (112, 112), 1 on ink."""
    for _ in range(EACH if labelled else 0):
        item = labelled[int(rng.integers(len(labelled)))]
        ink = 255 - np.asarray(decode(item.path).convert("L").resize((112, 112)))
        line = torch.from_numpy(ink).float()[None, None] / 255
        if rng.random() < 0.5:
            line = (penned(line, generator) > 0.5).float()
        yield line[0, 0].numpy()
    for i in range(EACH):
        if i % 3 == 0:
            picture = doodle(rng, i // 3 % len(CLASSES)).convert("L").resize((112, 112))
            line = torch.from_numpy(1 - np.asarray(picture) / 255.0).float()[None, None]
        elif i % 3 == 1:
            which = int(rng.integers(len(wardrobe.pixels)))
            pixels, masks = (
                torch.from_numpy(each[which : which + 1])
                for each in (wardrobe.pixels, wardrobe.masks)
            )
            line = sketched(pixels, masks, generator)
        else:
            line = scribbles(1, generator)
        yield line[0, 0].numpy()


def _inked(lines: Sequence[Array], generator: torch.Generator) -> Iterator[Image.Image]:
    """lines as the finder saw drawings while it learnt its masks."""
    for start in range(0, len(lines), BATCH):
        some = torch.from_numpy(np.stack(lines[start : start + BATCH]))[:, None]
        for sheet in inked(some.float(), generator):
            yield Image.fromarray(_bytes(sheet.permute(1, 2, 0).numpy()))


def on_sheet(line: Array, rng: np.random.Generator) -> Image.Image:
    """A drawing, line float32 (S, S) with 1 on ink, with some pen on some paper, photographed."""
    side = line.shape[0]
    if rng.random() < 0.3:
        line = ndimage.grey_dilation(line, (3, 3))
    room = np.zeros((side, side), np.float32)  # smaller, and not in the middle
    share = rng.uniform(0.5, 1.0) if rng.random() < 0.5 else 1.0
    edge = max(8, round(side * share))
    drawing = Image.fromarray((line * 255).astype(np.uint8)).resize((edge, edge))
    x, y = (int(rng.integers(0, side - edge + 1)) for _ in range(2))
    room[y : y + edge, x : x + edge] = np.asarray(drawing, np.float32) / 255
    sheet = paper(rng, side) * rng.uniform(0.7, 1.0)
    dark = rng.random() < 0.12
    if dark:
        sheet = sheet * colour(rng, 0.5) * 0.4
    elif rng.random() < 0.4:
        sheet = sheet * np.clip(colour(rng, 0.4) * 0.6 + 0.4, 0, 1)
    if rng.random() < 0.15:  # squared or ruled
        step = rng.integers(5, 14)
        tone = np.clip(sheet.mean((0, 1)) + rng.normal(-0.15, 0.06, 3), 0, 1)
        sheet[::step] = tone
        if rng.random() < 0.5:
            sheet[:, ::step] = tone
    pen = 1 - colour(rng, 0.5) * 0.3 if dark else colour(rng, 0.5) * rng.uniform(0, 0.6)
    ink = room[..., None] * rng.uniform(0.6, 1.0)
    drawn = sheet * (1 - ink) + pen * ink
    drawn = spoil(rng, drawn) if rng.random() < 0.75 else drawn
    return Image.fromarray(_bytes(drawn))


def product(rng: np.random.Generator, wardrobe: Wardrobe) -> Image.Image:
    """A garment on white, upright and whole, 60x80 to 120x160 pixels, as shops show it."""
    size = 120
    canvas = np.ones((size, size, 3), np.float32) * rng.choice([1.0, 0.97, 0.93])
    cutout = wardrobe.garment(rng, int(rng.integers(len(CLASSES))), 0)
    height, width = cutout.mask.shape
    scale = min(80 / width, 110 / height) * rng.uniform(0.75, 0.98)
    x, y = width * scale / 2, height * scale / 2
    place(canvas, cutout, (size / 2 - x, size / 2 - y, size / 2 + x, size / 2 + y))
    picture = Image.fromarray(_bytes(canvas)).crop((15, 0, 105, 120))
    edge = int(rng.integers(60, 121))
    return picture.resize((edge, edge * 4 // 3), Image.Resampling.LANCZOS)


def _taken(labelled: Sequence[Labelled], rng: np.random.Generator) -> Iterator[Image.Image]:
    """Photos as they are and in COPIES, nearer and in another light."""
    for item in labelled:
        picture = decode(item.path).convert("RGB")
        yield picture
        for _ in range(COPIES):
            left, top, right, bottom = rng.uniform(0, 0.2, 4)
            width, height = picture.size
            box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
            near = np.asarray(picture.resize((SIDE, SIDE), box=box), np.float32) / 255
            yield Image.fromarray(_bytes(spoil(rng, near)))


def _bytes(picture: Array) -> Array:
    made: Array = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return made
