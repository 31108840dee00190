"""The training pictures beyond Fashion-MNIST: which classes they count for, and what is made."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fashion_model import datasets as data
from fashion_model.datasets import Labelled
from fashion_model.networks import CLASSES
from fashion_model.preprocessing import prepare
from fashion_model.training import corpus
from fashion_model.training.corpus import accepted, as_read, extra_pictures
from fashion_model.training.synthesis.garments import Wardrobe

COUNTS = {"PHOTO_COPIES": 3, "DOODLE_COPIES": 4, "OTHER_COPIES": 2, "MADE_UP": 30, "NOTHING": 8}


def find(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A finder of what is dark."""
    return 40 * (0.5 - pictures.mean(1, keepdim=True)), torch.zeros(len(pictures))


@pytest.fixture(autouse=True)
def few(monkeypatch):
    for name, count in (COUNTS | {"DOODLES": 20, "NONSENSE": 3}).items():
        monkeypatch.setattr(corpus, name, count)


@pytest.fixture
def labelled(real_folder):
    return data.load_labelled(real_folder)


@pytest.fixture(scope="module")
def wardrobe(sheet):
    pixels = np.stack([np.array(picture) for picture, _ in sheet])
    return Wardrobe.of(pixels, np.array([label for _, label in sheet]))


def generators(seed: int = 0) -> tuple[np.random.Generator, torch.Generator]:
    return np.random.default_rng(seed), torch.Generator().manual_seed(seed)


# Classes to train for.


def item(path: str, label: str, *accept: str) -> Labelled:
    return Labelled(Path("/some/where") / path, "", label, tuple(map(CLASSES.index, accept)), "")


@pytest.fixture
def relabelled(tmp_path, monkeypatch):
    table = tmp_path / "relabelled.csv"
    rows = ["a/b/c/coat.jpg,Coat", "a/b/c/pair.jpg,Sneaker|Ankle boot", "a/b/c/bad.jpg,skip"]
    table.write_text("\n".join(["path,accept", *rows, "a/b/c/cup.jpg,other"]) + "\n")
    monkeypatch.setattr(corpus, "RELABELLED", table)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (item("a/b/c/coat.jpg", "Dress", "Dress"), ("Dress",)),  # as it was labelled
        (item("a/b/c/pair.jpg", "Shoes"), ("Sneaker", "Ankle boot")),
        (item("a/b/c/cup.jpg", "Bag", "Bag"), ()),
        (item("a/b/c/bad.jpg", "Bag", "Bag"), None),
        (item("x/b/c/coat.jpg", "Dress", "Dress"), ("Dress",)),  # another coat.jpg
        (item("a/b/c/1.jpg", "Shoes", "Sandal", "Sneaker"), ("Sandal", "Sneaker")),
        (item("a/b/c/2.jpg", "cat"), ()),
        (item("a/b/c/3.jpg", "Polo"), ("T-shirt/top", "Shirt")),
        (item("a/b/c/4.jpg", "Blazer"), ("Coat",)),
        (item("a/b/c/5.jpg", "Body"), None),
        (item("a/b/c/coat.jpg", "Body"), ("Coat",)),  # looked at, so no matter how vague
    ],
    ids=lambda value: f"{value.path.name} {value.label}" if isinstance(value, Labelled) else None,
)
def test_what_a_picture_counts_for(relabelled, picture, expected):
    kept = list(accepted([picture]))
    if expected is None:
        assert kept == []
    else:
        assert kept == [(picture, tuple(map(CLASSES.index, expected)))]


def test_the_committed_table_names_only_classes():
    lines = corpus.RELABELLED.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "path,accept"
    paths, texts = zip(*(line.rsplit(",", 1) for line in lines[1:]), strict=True)
    assert len(set(paths)) == len(paths)
    assert {name for text in texts for name in text.split("|")} <= {*CLASSES, "other", "skip"}
    assert all(path.count("/") == 3 for path in paths)  # accepted() compares the last four parts


# What a network reads of them.


def test_what_nothing_is_found_in_is_dropped():
    sheet = Image.new("L", (100, 100), 255)
    drawing, photo, pale = sheet.copy(), sheet.copy(), sheet.copy()
    ImageDraw.Draw(drawing).rectangle((20, 30, 80, 60), outline=0, width=4)
    ImageDraw.Draw(photo).rectangle((30, 20, 60, 90), fill=40)
    ImageDraw.Draw(pale).rectangle((30, 20, 60, 90), fill=200)
    items = [
        (sheet, "drawing", (1,)),
        (drawing, "drawing", (2, 5)),
        (pale, "photo", (3,)),
        (photo, "photo", ()),
        (sheet, "photo", (4,)),
    ]
    pictures = as_read(items, find)
    assert (pictures.pixels.dtype, pictures.accept.dtype) == (torch.uint8, torch.bool)
    assert pictures.accept.nonzero().tolist() == [[0, 2], [0, 5]]
    for pixels, (picture, kind) in zip(
        pictures.pixels, [(drawing, "drawing"), (photo, "photo")], strict=True
    ):
        expected = prepare(picture, find, kind).pixels[0, 0]
        torch.testing.assert_close(pixels / 255, expected, rtol=0, atol=0.5001 / 255)


@pytest.mark.parametrize("items", [[], [(Image.new("L", (50, 50)), "photo", (1,))]])
def test_nothing_at_all_can_be_joined_to_others(items):
    pictures = as_read(items, find)
    assert (pictures.pixels.shape, pictures.accept.shape) == ((0, 28, 28), (0, 10))
    assert (pictures.pixels.dtype, pictures.accept.dtype) == (torch.uint8, torch.bool)


# The sources.


def test_real_photos_come_as_they_are_and_in_variants(labelled):
    items = list(corpus.real_photos(labelled, generators()[0]))
    assert [accept for _, _, accept in items] == 4 * [(1,)] + 4 * [(0, 6)] + 4 * [(3,)]
    assert {kind for _, kind, _ in items} == {"photo"}
    first, *variants = [picture for picture, _, _ in items[:4]]
    with Image.open(labelled[0].path) as original:
        assert np.array_equal(np.asarray(first), np.asarray(original.convert("RGB")))
    for variant in variants:
        assert variant.mode == "RGB"
        assert min(variant.size) >= 16
        small = variant.resize(first.size)
        assert not np.array_equal(np.asarray(small), np.asarray(first))
        dark = np.asarray(small.convert("L")) < 128  # the garment is still there
        assert 0.05 < dark.mean() < 0.5


def test_real_drawings_come_as_they_are_and_drawn_again(labelled):
    items = list(corpus.real_drawings(labelled, generators()[1]))
    assert [accept for _, _, accept in items] == 2 * (5 * [(5, 7)] + 3 * [()])
    assert {kind for _, kind, _ in items} == {"drawing"}
    for picture, _, _ in items:
        ink = 255 - np.asarray(picture.convert("L"))
        assert ink[[0, -1]].max() == 0  # a white border
        assert 0.005 < ink.mean() / 255 < 0.3
    variants = {picture.tobytes() for picture, _, _ in items}
    assert len(variants) == len(items)


def test_made_up_photos(wardrobe):
    items = list(corpus.made_up_photos(wardrobe, generators()[0]))
    assert len(items) == 30
    assert {(picture.mode, picture.size, kind) for picture, kind, _ in items} == {
        ("RGB", (96, 96), "photo")
    }
    assert {len(accept) for _, _, accept in items} == {1}
    assert len({accept for _, _, accept in items}) > 6


def test_made_up_drawings_one_of_each_garment(wardrobe):
    items = list(corpus.made_up_drawings(wardrobe, generators()[1]))
    assert [accept for _, _, accept in items] == [(int(label),) for label in wardrobe.labels]
    for picture, kind, _ in items:
        assert (picture.mode, picture.size, kind) == ("L", (112, 112), "drawing")
        paper = np.asarray(picture)
        assert paper[0, 0] == 255
        assert 0.003 < (paper < 128).mean() < 0.3


def test_doodles_of_all_classes_and_of_none():
    items = list(corpus.doodles(generators()[0]))
    assert [accept for _, _, accept in items] == 2 * [(k,) for k in range(10)] + 3 * [()]
    for picture, kind, _ in items:
        assert (picture.mode, kind) == ("L", "drawing")
        assert 0.003 < (np.asarray(picture) < 128).mean() < 0.5
    assert len({picture.tobytes() for picture, _, _ in items}) == 23


def test_no_garments_are_of_no_class():
    items = list(corpus.no_garments(*generators()))
    assert [(kind, accept) for _, kind, accept in items] == 8 * [("photo", ())] + 8 * [
        ("drawing", ())
    ]
    for picture, kind, _ in items:
        assert picture.mode == ("RGB" if kind == "photo" else "L")


@pytest.mark.parametrize("source", corpus.SOURCES)
def test_every_source_is_read_and_the_seed_decides(source, labelled, sheet):
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    labels = torch.tensor([label for _, label in sheet])

    def made(seed: int):
        return extra_pictures(source, labelled, images, labels, find, seed, progress=False)

    one, same, other = made(0), made(0), made(1)
    most = {"real photos": 12, "real drawings": 16, "doodles": 23, "no garments": 16}.get(
        source, 30
    )
    least = {"no garments": 8, "made-up photos": 20}.get(source, most)
    assert least <= len(one) <= most
    assert torch.equal(one.pixels, same.pixels)
    assert torch.equal(one.accept, same.accept)
    assert one.pixels.shape != other.pixels.shape or not torch.equal(one.pixels, other.pixels)
    assert one.pixels.amax((1, 2)).min() > 100
