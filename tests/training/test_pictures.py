"""The pictures to train on: which classes they count for, what is made, and what is kept."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from fashion_model import datasets as data
from fashion_model.datasets import LabeledPicture
from fashion_model.networks import CLASSES
from fashion_model.preprocessing import Detectors, preprocess
from fashion_model.training import pictures
from fashion_model.training.pictures import (
    NONE,
    PictureViews,
    one_hot,
    read_views,
    sampling_weights,
    unchanged,
    with_targets,
)

FEW = {"PHOTO_COPIES": 3, "GARMENT_COPIES": 4, "THING_COPIES": 2, "MADE_UP": 40, "NOTHING": 8}


class Dark(nn.Module):
    """A segmenter of what is dark."""

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 40 * (0.5 - pictures.mean(1, keepdim=True)), torch.zeros(len(pictures))


segmenter = Dark()


@pytest.fixture(autouse=True)
def few(monkeypatch):
    for name, count in FEW.items():
        monkeypatch.setattr(pictures, name, count)


@pytest.fixture
def labeled(real_folder):
    return data.load_labeled(real_folder)


@pytest.fixture(scope="module")
def images(sheet):
    """Four real images of each class, and their labels."""
    rows = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    return rows, torch.tensor([label for _, label in sheet])


# Classes to train for.


def item(path: str, label: str, *accept: str) -> LabeledPicture:
    return LabeledPicture(
        Path("/some/where") / path, "", label, tuple(map(CLASSES.index, accept)), ""
    )


@pytest.fixture
def corrected(tmp_path, monkeypatch):
    table = tmp_path / "corrected.csv"
    rows = ["a/b/c/coat.jpg,Coat", "a/b/c/pair.jpg,Sneaker|Ankle boot", "a/b/c/bad.jpg,skip"]
    table.write_text("\n".join(["path,accept", *rows, "a/b/c/cup.jpg,other"]) + "\n")
    monkeypatch.setattr(data, "CORRECTED", table)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (item("a/b/c/coat.jpg", "Dress", "Dress"), ("Dress",)),  # as it was labeled
        (item("a/b/c/pair.jpg", "Shoes"), ("Sneaker", "Ankle boot")),
        (item("a/b/c/cup.jpg", "Bag", "Bag"), ("none",)),
        (item("a/b/c/bad.jpg", "Bag", "Bag"), None),
        (item("x/b/c/coat.jpg", "Dress", "Dress"), ("Dress",)),  # another coat.jpg
        (item("a/b/c/1.jpg", "Shoes", "Sandal", "Sneaker"), ("Sandal", "Sneaker")),
        (item("a/b/c/2.jpg", "cat"), ("none",)),
        (item("a/b/c/6.jpg", "Shorts"), ("Trouser", "none")),
        (item("a/b/c/3.jpg", "Polo"), ("T-shirt/top", "Shirt")),
        (item("a/b/c/4.jpg", "Blazer"), ("Coat",)),
        (item("a/b/c/5.jpg", "Body"), None),
        (item("a/b/c/coat.jpg", "Body"), ("Coat",)),  # looked at, so no matter how vague
    ],
    ids=lambda value: (
        f"{value.path.name} {value.label}" if isinstance(value, LabeledPicture) else None
    ),
)
def test_what_a_picture_counts_for(corrected, picture, expected):
    found = list(with_targets([picture]))
    if expected is None:
        assert found == []
    else:
        targets = tuple(map((*CLASSES, "none").index, expected))
        assert [each for _, each in found] == [targets]
        assert found[0][0].path == picture.path


def test_the_committed_table_names_only_classes():
    lines = data.CORRECTED.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "path,accept"
    paths, texts = zip(*(line.rsplit(",", 1) for line in lines[1:]), strict=True)
    assert len(set(paths)) == len(paths)
    assert {name for text in texts for name in text.split("|")} <= {*CLASSES, "other", "skip"}
    assert all(
        path.count("/") == 3 for path in paths
    )  # with_targets() compares the last four parts


# What a network reads of them.


def test_what_nothing_is_found_in_is_dropped():
    sheet = Image.new("L", (100, 100), 255)
    drawing, photo, pale = sheet.copy(), sheet.copy(), sheet.copy()
    ImageDraw.Draw(drawing).rectangle((20, 30, 80, 60), outline=0, width=4)
    ImageDraw.Draw(photo).rectangle((30, 20, 60, 90), fill=40)
    ImageDraw.Draw(pale).rectangle((30, 20, 60, 90), fill=200)
    items = [
        PictureViews([sheet], "drawing", (1,)),
        PictureViews([drawing, sheet], "drawing", (2, 5)),
        PictureViews([pale], "photo", (3,)),
        PictureViews([photo], "photo", (3, NONE)),
        PictureViews([sheet], "photo", (4,)),
    ]
    found = read_views(items, segmenter)
    assert (found.pixels.dtype, found.targets.dtype) == (torch.uint8, torch.bool)
    assert found.targets.nonzero().tolist() == [[0, 2], [0, 5]]
    for pixels, (picture, kind) in zip(
        found.pixels, [(drawing, "drawing"), (photo, "photo")], strict=True
    ):
        expected = preprocess(picture, Detectors(segmenter), kind).tensor[0, 0]
        torch.testing.assert_close(pixels / 255, expected, rtol=0, atol=0.5001 / 255)


@pytest.mark.parametrize("items", [[], [PictureViews([Image.new("L", (50, 50))], "photo", (1,))]])
def test_nothing_at_all_can_be_joined_to_others(items):
    found = read_views(items, segmenter)
    assert (found.pixels.shape, found.targets.shape) == ((0, 28, 28), (0, 10))
    assert (found.pixels.dtype, found.targets.dtype) == (torch.uint8, torch.bool)


def test_what_a_teacher_cannot_read_is_dropped_with_all_of_its_views():
    blank = Image.new("L", (100, 100), 255)
    drawing = blank.copy()
    ImageDraw.Draw(drawing).rectangle((20, 30, 80, 60), outline=0, width=4)

    def teacher(picture, kind):
        preprocess(picture, Detectors(segmenter), kind)
        return torch.full((10,), 0.1)

    items = [PictureViews(views, "drawing", (1,)) for views in ([blank, drawing], [drawing, blank])]
    found = read_views(items, segmenter, teacher)
    assert len(found.pixels) == len(found.targets) == len(found.confidences) == 1
    assert len(read_views(items, segmenter)) == 2


def test_a_teacher_is_asked_once_about_each_picture_in_which_something_is_found():
    items, asked = [], []
    for place in range(4):
        sheet = Image.new("L", (100, 100), 255)
        if place != 2:
            ImageDraw.Draw(sheet).rectangle((20, 30, 80, 60), outline=0, width=2 + place)
        items.append(PictureViews([sheet, sheet.rotate(90)], "drawing", (place,)))

    def teacher(picture, kind):
        asked.append((sheets.index(picture), kind))
        return torch.full((10,), asked[-1][0] / 10)

    sheets = [item.views[0] for item in items]
    found = read_views(items, segmenter, teacher)
    assert asked == [(0, "drawing"), (1, "drawing"), (3, "drawing")]
    assert found.confidences.dtype == torch.float16
    assert found.confidences.shape == (6, 10)
    assert found.confidences[:, 0].tolist() == pytest.approx([0, 0, 0.1, 0.1, 0.3, 0.3], abs=1e-3)


# What there is.


def test_photos_come_as_they_are_and_in_variants(labeled):
    torch.manual_seed(0)
    items = list(pictures.photos(labeled))
    assert [(item.kind, item.targets) for item in items] == [
        ("photo", classes) for classes in ((1,), (0, 6), (3,))
    ]
    assert [len(item.views) for item in items] == [4] * 3
    first, *variants = items[0].views
    with Image.open(labeled[0].path) as original:
        assert np.array_equal(np.asarray(first), np.asarray(original.convert("RGB")))
    for variant in variants:
        assert variant.mode == "RGB"
        small = variant.resize(first.size)
        assert not np.array_equal(np.asarray(small), np.asarray(first))
        dark = np.asarray(small.convert("L")) < 128  # the garment is still there
        assert 0.05 < dark.mean() < 0.5
    assert max(variants[-1].size) == 72
    torch.manual_seed(0)
    for one, same in zip(items, pictures.photos(labeled), strict=True):
        assert [v.tobytes() for v in one.views] == [v.tobytes() for v in same.views]


def test_drawings_come_as_they_are_and_drawn_again(labeled):
    items = list(pictures.drawings(labeled, torch.Generator().manual_seed(0)))
    assert [(len(item.views), item.targets) for item in items] == 2 * [(5, (5, 7)), (3, (NONE,))]
    assert {item.kind for item in items} == {"drawing"}
    views = [view for item in items for view in item.views]
    for picture in views:
        ink = 255 - np.asarray(picture.convert("L"))
        assert ink[[0, -1]].max() == 0  # a white border
        assert 0.005 < ink.mean() / 255 < 0.3
    assert len({picture.tobytes() for picture in views}) == len(views)


def test_unchanged_are_those_of_one_kind(labeled):
    assert [classes for _, _, classes in unchanged(labeled, "photo")] == [(1,), (0, 6), (3,)]
    assert [classes for _, _, classes in unchanged(labeled, "drawing")] == [(5, 7), (NONE,)] * 2


def test_what_is_made_up(images, labeled):
    items = list(pictures.for_people(labeled, images, 0))[7:]  # 3 photos, 4 drawings
    assert {len(item.views) for item in items} == {1}
    found = [(picture, kind, classes) for (picture,), kind, classes in items]
    photos, sketches = found[:40], found[40:80]
    assert {(p.mode, p.size, k) for p, k, _ in photos} == {("RGB", (96, 96), "photo")}
    assert all(len(classes) == 1 and classes != (NONE,) for _, _, classes in photos)
    assert sorted(classes for _, _, classes in sketches) == [(k // 4,) for k in range(40)]
    assert {kind for _, kind, _ in sketches} == {"drawing"}
    for picture, _, _ in sketches:
        paper = np.asarray(picture)
        assert paper[0, 0] == 255
        assert 0.003 < (paper < 128).mean() < 0.3
    assert [(kind, classes) for _, kind, classes in found[80:]] == 8 * [
        ("drawing", (NONE,)),
        ("photo", (NONE,)),
    ]


def test_all_of_it_is_read_and_the_seed_decides(images, labeled, monkeypatch):
    monkeypatch.setattr(pictures, "PHOTO_COPIES", 1)
    one, same, other = (
        read_views(pictures.for_people(labeled, images, seed), segmenter) for seed in (0, 0, 1)
    )
    assert 70 < len(one) <= 118
    assert torch.equal(one.pixels, same.pixels)
    assert torch.equal(one.targets, same.targets)
    assert one.pixels.shape != other.pixels.shape or not torch.equal(one.pixels, other.pixels)
    assert one.pixels.amax((1, 2)).min() > 40


def test_a_row_says_which_outputs_count_as_right():
    rows = one_hot([(3,), (1, NONE), (), (NONE,)])
    assert rows.nonzero().tolist() == [[0, 3], [1, 1], [1, NONE], [2, NONE], [3, NONE]]


@pytest.mark.parametrize(("power", "share"), [(0.0, 0.2), (1.0, 0.5), (0.5, 1 / 3)])
def test_rare_labels_are_shown_as_often_as_is_asked_for(power, share):
    """b once among four a: by hand, 1 / (1 + 4 * 4 ** -power)."""
    weights = sampling_weights(["a", "a", "b", "a", "a"], power)
    assert weights.sum().item() == pytest.approx(1)
    assert weights[2].item() == pytest.approx(share)
