"""What tells drawings from photos: the regression by hand, and what it changes."""

import numpy as np
import pytest
import torch

from fashion_model import checkpoint
from fashion_model import datasets as data
from fashion_model.networks import Segmenter
from fashion_model.preprocessing.geometry import as_rgb
from fashion_model.preprocessing.photo import mask_logits
from fashion_model.training import drawing_detection
from fashion_model.training.drawing_detection import drawing_accuracy, learn_drawings
from fashion_model.training.synthesis.garments import Garments
from fashion_model.training.synthesis.photos import product
from fashion_model.training.synthesis.sketches import photograph_drawing, sketch


@pytest.fixture
def garments(sheet):
    pixels = np.stack([np.array(picture) for picture, _ in sheet])
    return Garments.from_images(pixels, np.array([label for _, label in sheet]))


@pytest.fixture
def images(sheet):
    pixels = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    return pixels, torch.tensor([label for _, label in sheet])


def test_the_regression_finds_what_told_two_kinds_apart():
    """By the odds of a and b a thousand times each: 0.8 and 0.2 of them are drawings."""
    x = torch.cat([torch.zeros(1000, 1), torch.ones(1000, 1)])
    y = torch.zeros(2000)
    y[:200], y[1000:1800] = 1, 1
    weight, bias = drawing_detection._regression(x, y, torch.ones(2000))
    assert torch.sigmoid(torch.tensor(bias)).item() == pytest.approx(0.2, abs=0.01)
    assert torch.sigmoid(weight[0] + bias).item() == pytest.approx(0.8, abs=0.01)
    # and where those that are drawings count a quarter, odds are a quarter
    _, bias = drawing_detection._regression(x, y, torch.where(y > 0, 0.25, 1.0))
    assert torch.sigmoid(torch.tensor(bias)).item() == pytest.approx(0.2 / 3.4, abs=0.01)


def test_only_what_tells_drawings_is_learned(images, real_folder, monkeypatch):
    monkeypatch.setattr(drawing_detection, "EACH", 12)
    labeled = data.load_labeled(real_folder)
    held = [item for item in labeled if data.group_fold(item) == 3]
    learn = [item for item in labeled if data.group_fold(item) != 3]
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(0)
        segmenter = Segmenter()
        before = {key: value.clone() for key, value in segmenter.state_dict().items()}
        learn_drawings(segmenter, learn, images, seed)
        states.append(segmenter.state_dict())
        changed = {key for key in before if not torch.equal(before[key], states[-1][key])}
        assert changed == {"drawing.weight", "drawing.bias"}
    assert torch.equal(states[0]["drawing.weight"], states[1]["drawing.weight"])
    assert not torch.equal(states[0]["drawing.weight"], states[2]["drawing.weight"])
    shares = drawing_accuracy(segmenter, held, images, 5)
    assert set(shares) == {"sheets", "sheets as of the masks", "plain sheets", "photos"} | {
        "products",
        "snapshots",
        "grounds",
    }
    assert np.mean(list(shares.values())) > 0.6
    assert drawing_accuracy(segmenter, [], images, 5).keys() < shares.keys()


def test_the_committed_segmenter_tells_sheets_from_products(garments):
    """The test sheet's garments, drawn on paper and on white, none of them learnt."""
    segmenter, _ = checkpoint.load("segmenter", "cpu")
    rng = np.random.default_rng(12345)
    pixels_and_masks = (torch.from_numpy(each) for each in (garments.pixels, garments.masks))
    lines = sketch(*pixels_and_masks, torch.Generator().manual_seed(0))[:, 0].numpy()
    said = {
        name: np.mean(
            [mask_logits(as_rgb(np.asarray(each)), segmenter)[1] > 0 for each in pictures]
        )
        for name, pictures in (
            ("sheets", [photograph_drawing(line, rng) for line in lines]),
            ("products", [product(rng, garments) for _ in range(60)]),
        )
    }
    assert said["sheets"] >= 0.9
    assert said["products"] <= 0.05
