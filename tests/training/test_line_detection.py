"""Line drawings of 28x28: shrunk, learned to be told from images of Fashion-MNIST, and told."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import fashion_model
from fashion_model import datasets as data
from fashion_model.preprocessing import LINES
from fashion_model.preprocessing.dataset_image import exact_dataset_image
from fashion_model.training import line_detection
from fashion_model.training.initialization import fuse_batch_norm, untrained
from fashion_model.training.line_detection import LineTask, accuracies, bitmap
from fashion_model.training.synthesis.garments import Garments
from fashion_model.training.synthesis.sketches import sketches
from fashion_model.training.trainer import TrainConfig, Trainer

MANY = 200


@pytest.fixture(scope="module")
def drawn(sheet):
    """Bitmaps of drawings: five of each test image."""
    pixels = np.stack([np.asarray(picture) for picture, _ in sheet]).repeat(5, 0)
    garments = Garments.from_images(pixels, np.zeros(len(pixels)))
    rng, generator = np.random.default_rng(3), torch.Generator().manual_seed(3)
    return np.stack([bitmap(line, rng) for line, _ in sketches(garments, generator)])


def test_a_drawing_shrinks_to_a_bright_picture_on_black():
    sheet = Image.new("L", (224, 224), 255)
    ImageDraw.Draw(sheet).rectangle((40, 20, 180, 200), outline=0, width=9)
    rng = np.random.default_rng(0)
    made = np.stack([bitmap(sheet, rng) for _ in range(MANY)])
    assert made.shape == (MANY, 28, 28)
    assert made.dtype == np.uint8
    assert (made[:, 13:15, 13:15] == 0).all()  # nothing fills it
    assert made.max((1, 2)).min() > 100
    widths = np.count_nonzero(made.max(1) > 50, axis=1)
    assert widths.min() < 18  # with a border
    assert widths.max() == 28  # and without
    again = np.random.default_rng(0)
    assert all(np.array_equal(bitmap(sheet, again), one) for one in made)


@pytest.fixture
def few(monkeypatch, sheet):
    monkeypatch.setattr(line_detection, "SKETCHES", 30)
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    return (images[:30], torch.zeros(30)), images[30:]


def test_a_few_epochs_tell_lines_from_images(few, real_folder, drawn):
    images, validation = few
    labeled = data.load_labeled(real_folder)
    config = TrainConfig(epochs=60, batch_size=32, learning_rate=4e-3)
    lines = LineTask(labeled, images, config)
    assert len(lines.lines) == 4 * 4 + 30
    assert lines.steps == 2 * 46 // 32
    trainer = Trainer(untrained("line-detector", 0, torch.device("cpu")), config)
    network = fuse_batch_norm(trainer.fit(lines.batches, lines.loss, lines.steps))
    found = network(torch.from_numpy(drawn).float() / 255)
    others = network(validation.float() / 255)
    assert (found[:, None] > others).float().mean() > 0.9
    shares = accuracies(network, labeled, validation)
    right = network(validation.float() / 255) <= LINES
    assert shares["validation"] == pytest.approx(right.float().mean().item())
    assert set(shares) == {"drawings", "validation"}
    assert set(accuracies(network, [], validation)) == {"validation"}  # no drawing was held out


def test_drawings_that_look_like_the_data_set_are_read_as_drawings(sheet, drawn):
    """The committed one: a drawing as a bitmap is told, and no image of Fashion-MNIST is taken for
    one."""
    classifier = fashion_model.load(device="cpu")
    assert {classifier.preprocess(picture).kind for picture, _ in sheet} == {"dataset"}
    alike = [Image.fromarray(array) for array in drawn if exact_dataset_image(array) is not None]
    assert len(alike) > MANY / 2
    kinds = [classifier.preprocess(picture).kind for picture in alike]
    assert kinds.count("drawing") > 0.9 * len(kinds)
    classifier.detectors = dataclasses.replace(classifier.detectors, line_detector=None)
    assert {classifier.preprocess(picture).kind for picture in alike} == {"dataset"}
