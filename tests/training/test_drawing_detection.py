"""What tells drawings from photos: sheets and products made up, and the regression."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fashion_model import checkpoint
from fashion_model import datasets as data
from fashion_model.errors import CheckpointError
from fashion_model.preprocessing import photo as photos
from fashion_model.preprocessing.drawing import as_rgb
from fashion_model.segmenter import Finder
from fashion_model.training import drawing_detection as sheets
from fashion_model.training.synthesis.doodles import doodle
from fashion_model.training.synthesis.garments import Wardrobe


@pytest.fixture
def wardrobe(sheet):
    pixels = np.stack([np.array(picture) for picture, _ in sheet])
    return Wardrobe.of(pixels, np.array([label for _, label in sheet]))


@pytest.fixture
def images(sheet):
    pixels = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    return pixels, torch.tensor([label for _, label in sheet])


def test_a_sheet_shows_the_line_that_was_drawn():
    """With the line gone, what differs from it is where the ink was, and next to nothing else."""
    drawn = Image.new("L", (112, 112))
    ImageDraw.Draw(drawn).rectangle((30, 30, 80, 80), outline=255, width=5)
    line = np.asarray(drawn, np.float32) / 255
    seen, colours = 0, set()
    for seed in range(20):
        with_ink = sheets.on_sheet(line, np.random.default_rng(seed))
        assert (with_ink.mode, with_ink.size) == ("RGB", (112, 112))
        without = sheets.on_sheet(0 * line, np.random.default_rng(seed))
        apart = np.abs(np.asarray(with_ink, int) - np.asarray(without, int)).max(2)
        seen += 0.01 < (apart > 25).mean() < 0.5
        colours.add(tuple(np.median(np.asarray(with_ink).reshape(-1, 3), 0)))
    assert seen >= 17  # the others are pale
    assert len(colours) > 10


def test_a_product_is_whole_and_on_white(wardrobe):
    sizes = set()
    for seed in range(20):
        picture = sheets.product(np.random.default_rng(seed), wardrobe)
        sizes.add(picture.size)
        array = np.asarray(picture)
        assert 60 <= picture.width <= 120
        assert picture.height == picture.width * 4 // 3
        assert min(array[0].min(), array[-1].min(), array[:, 0].min(), array[:, -1].min()) > 220
        assert (np.abs(array.astype(int) - array[0, 0]).max(2) > 12).mean() > 0.03
    assert len(sizes) > 5


def test_the_regression_finds_what_told_two_kinds_apart():
    """By the odds of a and b a thousand times each: 0.8 and 0.2 of them are drawings."""
    x = torch.cat([torch.zeros(1000, 1), torch.ones(1000, 1)])
    y = torch.zeros(2000)
    y[:200], y[1000:1800] = 1, 1
    weight, bias = sheets._regressed(x, y, torch.ones(2000))
    assert torch.sigmoid(torch.tensor(bias)).item() == pytest.approx(0.2, abs=0.01)
    assert torch.sigmoid(weight[0] + bias).item() == pytest.approx(0.8, abs=0.01)
    # and where those that are drawings count a quarter, odds are a quarter
    _, bias = sheets._regressed(x, y, torch.where(y > 0, 0.25, 1.0))
    assert torch.sigmoid(torch.tensor(bias)).item() == pytest.approx(0.2 / 3.4, abs=0.01)


def test_only_what_tells_drawings_is_learnt(images, real_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "EACH", 12)
    labelled = data.load_labelled(real_folder)
    held = [item for item in labelled if data.fold_of(item) == 3]
    learn = [item for item in labelled if data.fold_of(item) != 3]
    torch.manual_seed(0)
    first = tmp_path / "first.safetensors"
    checkpoint.save(first, Finder(), {"architecture": "finder", "epochs": 7})
    options = {"out": tmp_path / "taught.safetensors", "progress": False}
    states = []
    for seed in (3, 3, 4):
        made = sheets.teach(first, learn, held, images, images, seed=seed, **options)
        assert made == options["out"]
        network, card = checkpoint.load(made, "cpu")
        states.append(network.state_dict())
        sources = {"sheets", "sheets as of the masks", "plain sheets", "photos"}
        sources |= {"products", "snapshots", "grounds"}
        assert (card["epochs"], set(card["accuracy"])) == (7, sources)
        assert np.mean(list(card["accuracy"].values())) > 0.6
        assert card["parameters"] == sum(p.numel() for p in network.parameters())
        assert card["taught_drawings"]["seed"] == seed
        assert card["taught_drawings"]["start"] == checkpoint.digest(
            checkpoint.load(first, "cpu")[0]
        )
    before = checkpoint.load(first, "cpu")[0].state_dict()
    changed = {key for key in before if not torch.equal(before[key], states[0][key])}
    assert changed == {"drawing.weight", "drawing.bias"}
    assert torch.equal(states[0]["drawing.weight"], states[1]["drawing.weight"])
    assert not torch.equal(states[0]["drawing.weight"], states[2]["drawing.weight"])


def test_what_is_no_finder_is_not_taught(images, tmp_path):
    with pytest.raises(CheckpointError, match="is no finder, but a mlp"):
        sheets.teach("mlp", [], [], images, images, out=tmp_path / "no.safetensors")


def test_the_committed_finder_tells_sheets_from_products(wardrobe):
    """Drawings by rule on sheets, and the test sheet's garments on white, none of them learnt."""
    finder, _ = checkpoint.load("finder", "cpu")
    rng = np.random.default_rng(12345)
    drawn = [doodle(rng, i % 10).convert("L").resize((112, 112)) for i in range(60)]
    lines = [1 - np.asarray(picture, np.float32) / 255 for picture in drawn]
    said = {
        name: np.mean(
            [photos.look_at(as_rgb(np.asarray(each)), finder)[1] > 0 for each in pictures]
        )
        for name, pictures in (
            ("sheets", [sheets.on_sheet(line, rng) for line in lines]),
            ("products", [sheets.product(rng, wardrobe) for _ in range(60)]),
        )
    }
    assert said["sheets"] >= 0.9
    assert said["products"] <= 0.05
