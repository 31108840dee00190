"""Line drawings of 28x28: shrunk, learnt to be told from images of Fashion-MNIST, and told."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import fashion_model
from fashion_model import checkpoint
from fashion_model import datasets as data
from fashion_model.preprocessing import LINES, as_dataset
from fashion_model.training import line_detection as bitmaps
from fashion_model.training.line_detection import shrunk, train_lines
from fashion_model.training.synthesis.doodles import doodle
from fashion_model.training.trainer import Recipe

MANY = range(200)


def test_a_drawing_shrinks_to_a_bright_picture_on_black():
    sheet = Image.new("L", (224, 224), 255)
    ImageDraw.Draw(sheet).rectangle((40, 20, 180, 200), outline=0, width=9)
    rng = np.random.default_rng(0)
    made = np.stack([shrunk(sheet, rng) for _ in MANY])
    assert made.shape == (len(MANY), 28, 28)
    assert made.dtype == np.uint8
    assert (made[:, 13:15, 13:15] == 0).all()  # nothing fills it
    assert made.max((1, 2)).min() > 100
    widths = np.count_nonzero(made.max(1) > 50, axis=1)
    assert widths.min() < 18  # with a border
    assert widths.max() == 28  # and without
    again = np.random.default_rng(0)
    assert all(np.array_equal(shrunk(sheet, again), one) for one in made)


@pytest.fixture
def few(monkeypatch, sheet):
    monkeypatch.setattr(bitmaps, "DOODLES", 30)
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    return images[:30], images[30:]


def test_a_run_that_stops_and_goes_on_tells_the_same_lines(
    few, real_folder, tmp_path, stopped_once
):
    images, validation = few
    labelled = data.load_labelled(real_folder)
    options = {"recipe": Recipe(epochs=2, batch=8), "seed": 1, "device": "cpu", "progress": False}
    given = (labelled, images, labelled, validation)
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    train_lines(*given, out=whole, card={"data": ["tiny"]}, **options)
    network, card = checkpoint.load(whole, "cpu")
    assert (card["architecture"], card["epochs"], card["data"]) == ("lines", 2, ["tiny"])
    assert set(card["accuracy"]) == {"drawings", "validation"}
    told = network(validation.float() / 255) <= LINES
    assert card["accuracy"]["validation"] == pytest.approx(told.float().mean().item())

    stopped_once(lambda: train_lines(*given, out=stopped, **options), stopped)
    again, _ = checkpoint.load(stopped, "cpu")
    pairs = zip(network.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_few_epochs_tell_lines_from_images(few, real_folder, tmp_path):
    images, validation = few
    recipe = Recipe(epochs=60, batch=32, learning_rate=4e-3)
    path = train_lines(
        data.load_labelled(real_folder),
        images,
        [],
        validation,
        recipe=recipe,
        out=tmp_path / "lines.safetensors",
        device="cpu",
        progress=False,
    )
    network, card = checkpoint.load(path, "cpu")
    assert set(card["accuracy"]) == {"validation"}  # no drawing was held out
    rng = np.random.default_rng(7)
    drawn = torch.from_numpy(np.stack([shrunk(doodle(rng, i % 10), rng) for i in range(50)]))
    lines, others = network(drawn.float() / 255), network(validation.float() / 255)
    assert (lines[:, None] > others).float().mean() > 0.9


def test_drawings_that_look_like_the_data_set_are_read_as_drawings(sheet):
    """The committed one: a drawing by rule as a bitmap is told, and no image of Fashion-MNIST is
    taken for one."""
    classifier = fashion_model.load(device="cpu")
    assert {classifier.prepare(picture)[1].kind for picture, _ in sheet} == {"dataset"}
    rng = np.random.default_rng(3)
    drawn = [shrunk(doodle(rng, i % 10), rng) for i in MANY]
    alike = [Image.fromarray(array) for array in drawn if as_dataset(array) is not None]
    assert len(alike) > len(MANY) / 2
    kinds = [classifier.prepare(picture)[1].kind for picture in alike]
    assert kinds.count("drawing") > 0.9 * len(kinds)
    classifier.lines = None
    assert {classifier.prepare(picture)[1].kind for picture in alike} == {"dataset"}
