"""The pictures beyond Fashion-MNIST that a network trains on, each as a network reads it.

Real photos and drawings, Fashion-MNIST made up as photos and as drawings, and things that are
no garment. Every one goes through images.prepare, so training sees what users will send.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model.datasets import Labelled
from fashion_model.errors import InputError
from fashion_model.networks import CLASSES
from fashion_model.preprocessing import prepare
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.photo import Find
from fashion_model.training.synthesis.doodles import doodle, nonsense
from fashion_model.training.synthesis.garments import Wardrobe, ground, paper, spoil
from fashion_model.training.synthesis.photos import snapshot
from fashion_model.training.synthesis.sketches import SIDE, penned, scribbles, sketched, warped
from fashion_model.training.train import Pictures

# What labels.csv is too vague for, or leaves open: looked at one by one, on contact sheets
RELABELLED = Path(__file__).parents[1] / "evaluation" / "corrected_labels.csv"
# Labels that no picture of was looked at twice: what they usually show. None: not for training
USUALLY = {
    "Polo": "T-shirt/top|Shirt",
    "Undershirt": "T-shirt/top|Shirt",
    "Top": "T-shirt/top|Shirt",
    "Blazer": "Coat",
    "Blouse": "Shirt",
    "Body": None,
}
PHOTO_COPIES, DOODLE_COPIES, OTHER_COPIES = 11, 30, 8  # besides each picture as it is
MADE_UP = 16_000  # photos, and as many drawings, out of Fashion-MNIST
NOTHING = 1_000  # grounds without a garment, and as many scribbles
DOODLES, NONSENSE = 16_000, 12_000

Item = tuple[Image.Image, str, tuple[int, ...]]  # picture, kind, accepted classes


def extra_pictures(
    source: str,
    labelled: Sequence[Labelled],
    images: torch.Tensor,
    labels: torch.Tensor,
    find: Find,
    seed: int = 0,
    progress: bool = True,
    fine: bool = False,
) -> Pictures:
    """The pictures of one of SOURCES, the same for the same seed; those of one kind with fine too.

    images uint8 (N, 28, 28) and labels (N,) are Fashion-MNIST's, to make up from; labelled are
    the real pictures. What prepare finds nothing in is left out.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(images))[:MADE_UP]
    wardrobe = Wardrobe.of(images[chosen].numpy(), labels[chosen].numpy())
    items = SOURCES[source](labelled, wardrobe, rng, torch.Generator().manual_seed(seed))
    return as_read(tqdm(items, desc=source, disable=not progress, mininterval=5.0), find, fine)


def as_they_are(
    labelled: Sequence[Labelled], kind: str, find: Find, fine: bool = False
) -> Pictures:
    """The pictures of this kind among labelled, each once, as nobody changed it; with fine too."""
    some = ((item, accept) for item, accept in accepted(labelled) if item.kind == kind)
    return as_read(((decode(item.path), kind, accept) for item, accept in some), find, fine)


def as_read(items: Iterable[Item], find: Find, fine: bool = False) -> Pictures:
    """items as a network reads them, of one kind with fine too; none in which nothing is found."""
    pixels, accepts, closer = [], [], []
    for picture, kind, accept in items:
        try:
            prepared = prepare(picture, find, kind)
        except InputError:
            continue
        pixels.append(_bytes(prepared.pixels[0, 0]))
        if fine and prepared.fine is not None:
            closer.append(_bytes(prepared.fine[0]))
        row = torch.zeros(len(CLASSES), dtype=torch.bool)
        row[list(accept)] = True
        accepts.append(row)
    if not pixels:
        return Pictures(torch.zeros(0, 28, 28).byte(), torch.zeros(0, len(CLASSES)).bool())
    found = torch.stack(closer) if len(closer) == len(pixels) else None
    return Pictures(torch.stack(pixels), torch.stack(accepts), found)


def _bytes(pixels: torch.Tensor) -> torch.Tensor:
    """pixels in [0, 1] as uint8 from 0 to 255."""
    return (pixels * 255).round().byte()


def accepted(labelled: Sequence[Labelled]) -> Iterator[tuple[Labelled, tuple[int, ...]]]:
    """labelled with the classes to train for; those that are no use are left out.

    A label that names one class stands, even for a cardigan that somebody called a long sleeve:
    the pictures that users and evaluations bring are labelled by the same habits.
    """
    with RELABELLED.open(newline="", encoding="utf-8") as file:
        seen = {row["path"]: row["accept"] for row in csv.DictReader(file)}
    for item in labelled:
        names = "|".join(CLASSES[i] for i in item.accept)
        text = seen.get("/".join(item.path.parts[-4:]), USUALLY.get(item.label, names))
        if text is None or text == "skip":
            continue
        if len(item.accept) == 1 and text != "other":
            text = names
        classes = [] if text == "other" else [name for name in text.split("|") if name]
        yield item, tuple(CLASSES.index(name) for name in classes)


def real_photos(
    labelled: Sequence[Labelled], rng: np.random.Generator, copies: int | None = None
) -> Iterator[Item]:
    """Each photo as it is and in variants: turned, cropped, lit and scaled anew.

    copies: how many variants; None: PHOTO_COPIES.
    """
    for item, accept in accepted(labelled):
        if item.kind == "photo":
            picture = decode(item.path).convert("RGB")
            yield picture, "photo", accept
            for _ in range(PHOTO_COPIES if copies is None else copies):
                yield _retaken(picture, rng), "photo", accept


def _retaken(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, height = picture.size
    rim = np.median(np.asarray(picture)[[0, -1]].reshape(-1, 3), 0)
    fill = tuple(int(value) for value in rim)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = picture.rotate(rng.normal(0, 8), Image.Resampling.BILINEAR, fillcolor=fill)
    left, top, right, bottom = rng.uniform(-0.08, 0.08, 4)
    box = (left * width, top * height, width * (1 + right), height * (1 + bottom))
    picture = picture.transform(
        (width, height), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR, fillcolor=fill
    )
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(rng.uniform(0.75, 1.25))
    if rng.random() < 0.3:
        scale = rng.uniform(0.3, 0.7)
        size = (max(16, round(width * scale)), max(16, round(height * scale)))
        picture = picture.resize(size, Image.Resampling.BOX)
    return picture


def real_drawings(
    labelled: Sequence[Labelled], generator: torch.Generator, times: int = 1
) -> Iterator[Item]:
    """Each drawing as it is and drawn again, bent, with other pens: garments more often.

    times: as often as DOODLE_COPIES and OTHER_COPIES say.
    """
    for item, accept in accepted(labelled):
        if item.kind != "drawing":
            continue
        picture = decode(item.path)
        yield picture, "drawing", accept
        ink = 1 - torch.from_numpy(np.array(picture.convert("L"))).float()[None, None] / 255
        copies = times * (DOODLE_COPIES if accept else OTHER_COPIES)
        ink = F.interpolate(F.pad(ink, (24,) * 4), (SIDE, SIDE), mode="bilinear", antialias=True)
        again = (warped(ink.expand(copies, -1, -1, -1), generator) > 0.3).float()
        again[::2] = penned(again[::2], generator)
        for line in again:
            yield _on_paper(line), "drawing", accept


def made_up_photos(wardrobe: Wardrobe, rng: np.random.Generator) -> Iterator[Item]:
    """Fashion-MNIST's garments laid somewhere or worn by somebody."""
    for _ in range(MADE_UP):
        array, _, label = snapshot(rng, wardrobe)
        yield Image.fromarray(array), "photo", (label,)


def made_up_drawings(wardrobe: Wardrobe, generator: torch.Generator) -> Iterator[Item]:
    """Fashion-MNIST's garments drawn as lines."""
    pixels, masks = torch.from_numpy(wardrobe.pixels), torch.from_numpy(wardrobe.masks)
    for start in range(0, len(pixels), 250):
        lines = sketched(pixels[start : start + 250], masks[start : start + 250], generator)
        for line, label in zip(lines, wardrobe.labels[start : start + 250], strict=True):
            yield _on_paper(line), "drawing", (int(label),)


def grounds(rng: np.random.Generator) -> Iterator[Item]:
    """Photos of grounds where nothing lies."""
    for i in range(NOTHING):
        canvas = spoil(rng, paper(rng, 96) if i % 4 == 0 else ground(rng, 96))
        yield Image.fromarray((canvas * 255).astype(np.uint8)), "photo", ()


def no_garments(rng: np.random.Generator, generator: torch.Generator) -> Iterator[Item]:
    """Grounds where nothing lies, and scribbles."""
    yield from grounds(rng)
    for line in scribbles(NOTHING, generator):
        yield _on_paper(line), "drawing", ()


def doodles(rng: np.random.Generator) -> Iterator[Item]:
    """Garments drawn by rule, and drawings by rule of nothing."""
    for i in range(DOODLES):
        label = i % len(CLASSES)
        yield doodle(rng, label), "drawing", (label,)
    for _ in range(NONSENSE):
        yield nonsense(rng), "drawing", ()


def _on_paper(line: torch.Tensor) -> Image.Image:
    """line (1, H, W), ink 1, as a black drawing on white."""
    return Image.fromarray(((1 - line[0]) * 255).byte().numpy())


SOURCES: dict[str, Callable[..., Iterator[Item]]] = {
    "real photos": lambda labelled, _, rng, __: real_photos(labelled, rng),
    "real drawings": lambda labelled, _, __, generator: real_drawings(labelled, generator),
    "made-up photos": lambda _, wardrobe, rng, __: made_up_photos(wardrobe, rng),
    "made-up drawings": lambda _, wardrobe, __, generator: made_up_drawings(wardrobe, generator),
    "doodles": lambda _, __, rng, ___: doodles(rng),
    "no garments": lambda _, __, rng, generator: no_garments(rng, generator),
}
