"""The drawing network's training: its material, its shares, and that it learns."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from fashion_model import datasets as data
from fashion_model.networks import DrawingNetwork
from fashion_model.training import drawing_classification
from fashion_model.training.drawing_classification import (
    CONFIG,
    SHARES,
    DrawingTask,
    Material,
    items,
    of_photos,
)
from fashion_model.training.pictures import NONE
from fashion_model.training.trainer import Trainer

SMALL = replace(CONFIG, epochs=2, steps=2, batch_size=6)


def drawing(width: int) -> Image.Image:
    sheet = Image.new("L", (140, 140), 255)
    ImageDraw.Draw(sheet).rectangle((70 - width, 20, 70 + width, 120), outline=0, width=6)
    return sheet


@pytest.fixture
def drawings():
    """Two wide bags, a tall trouser, a thing, and a blank sheet that is left out."""
    some = [("doodle", "bag", drawing(width), (8,)) for width in (50, 55)]
    some += [("doodle", "trousers", drawing(12), (1,)), ("other", "cat", drawing(30), (NONE,))]
    blank = ("icon", "bag", Image.new("L", (50, 50), 255), (8,))
    return DrawingTask(Material.of([*some, blank]), SMALL)


def test_shares_are_of_sources_and_then_of_labels(drawings):
    """By hand: doodles 0.24, of which a label that is twice there weighs 2 ** 0.5 times as much."""
    bag, trouser = 0.24 * 0.5**0.5 / (2 * 0.5**0.5 + 1), 0.24 / (2 * 0.5**0.5 + 1)
    expected = torch.tensor([bag, bag, trouser, 0.36], dtype=torch.float64)
    torch.testing.assert_close(drawings.material.weights, expected)
    assert sum(SHARES.values()) == pytest.approx(1)


def test_batches_are_read_as_in_use_and_the_generator_decides(drawings):
    batches, again = (list(drawings.batches(torch.Generator().manual_seed(0))) for _ in range(2))
    assert [x.shape for x, _ in batches] == [(6, 2, 112, 112)] * 2
    assert all(targets.any(1).all() and targets.shape == (6, 11) for _, targets in batches)
    for (x, targets), (same, right) in zip(batches, again, strict=True):
        assert torch.equal(x, same)
        assert torch.equal(targets, right)


def test_the_material(real_folder, sheet, monkeypatch):
    monkeypatch.setattr(drawing_classification, "SKETCHES", 12)
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    pairs = images, torch.tensor([label for _, label in sheet])
    labeled = data.load_labeled(real_folder)
    found = list(items(labeled, pairs, 0))
    sources = Counter(source for source, *_ in found)
    assert sources == {"doodle": 2, "other": 2, "sketch": 12}
    for source, _, picture, targets in found:
        assert (targets == (NONE,)) == (source == "other")
        assert np.asarray(picture).min() < 128
    again = items(labeled, pairs, 0)
    for one, same in zip(found, again, strict=True):
        assert one[2].tobytes() == same[2].tobytes()


def test_a_few_steps_learn(drawings):
    torch.manual_seed(0)
    config = replace(SMALL, epochs=4, muon_learning_rate=0.0, dropout=0.0)
    drawings.config = config
    network = DrawingNetwork(8, 16)
    batch = next(iter(drawings.batches(torch.Generator().manual_seed(0))))
    first = drawings.loss(network, batch).item()
    Trainer(network, config).fit(lambda *_: [batch] * 4, drawings.loss, 4)
    assert drawings.loss(network, batch).item() < 0.8 * first


def test_the_photo_network_is_asked_about_dark_lines_on_white():
    """All of its sheet is white but what the first channel says, at the drawing's own size."""
    asked = []
    x = torch.zeros(1, 2, 112, 112)
    x[0, 0, 10:20, 30:40] = 1
    x[0, 1] = 1

    class Network(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            asked.append(x)
            return torch.zeros(1, 11)

    of_photos(Network())(x)
    expected = torch.ones(1, 3, 128, 128)
    expected[..., 18:28, 38:48] = 0
    assert torch.equal(asked[0], expected)
