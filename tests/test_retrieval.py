"""The closest training images: by hand on a tiny network, and on the committed ones."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import fashion_model
from fashion_model import CLASSES, DataError
from fashion_model import datasets as data
from fashion_model import retrieval as similar
from fashion_model.networks import NETWORKS


@pytest.fixture
def two_pixels():
    """A network whose embedding is the first two pixels of the picture."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 2), nn.ReLU(), nn.Linear(2, 10)).eval()
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].bias.zero_()
        network[1].weight[0, 0] = network[1].weight[1, 1] = 1
    return network


def picture(first, second):
    pixels = torch.zeros(1, 1, 28, 28)
    pixels[0, 0, 0, 0], pixels[0, 0, 0, 1] = first, second
    return pixels


@pytest.fixture
def tiny_sheet(tmp_path):
    """Ten images, one of each class, whose first two pixels are (255, 20 i)."""
    images = torch.zeros(10, 28, 28, dtype=torch.uint8)
    images[:, 0, 0] = 255
    images[:, 0, 1] = 20 * torch.arange(10)
    order = torch.tensor([3, 1, 4, 0, 5, 9, 2, 6, 8, 7])  # a data set is in no order
    similar.write(images[order], order, 1, tmp_path / "tiny.png")
    return tmp_path / "tiny.png"


def test_neighbours_and_distances_by_hand(two_pixels, tiny_sheet):
    found = similar.SimilarImages(two_pixels, tiny_sheet).nearest(picture(1, 0), 3)
    assert [n.label for n in found] == ["T-shirt/top", "Trouser", "Pullover"]
    assert [n.index for n in found] == [3, 1, 6]  # where 0, 1 and 2 stand in the order above
    cosines = [255 / math.hypot(255, 20 * i) for i in range(3)]
    assert [n.distance for n in found] == pytest.approx([1 - c for c in cosines], abs=1e-6)
    across = similar.SimilarImages(two_pixels, tiny_sheet).nearest(picture(0, 1), 1)
    assert across[0].label == "Ankle boot"  # the steepest of them
    assert across[0].distance == pytest.approx(1 - 180 / math.hypot(255, 180), abs=1e-6)
    assert across[0].pixels[0, :3].tolist() == [255, 180, 0]


def test_at_most_as_many_as_there_are(two_pixels, tiny_sheet):
    images = similar.SimilarImages(two_pixels, tiny_sheet)
    assert len(images.nearest(picture(1, 1), 50)) == 10
    assert images.ready()
    assert images.about() == {"subset": 10, "each": 1, "size": 2}


def test_the_work_is_done_in_the_background(two_pixels, tiny_sheet, monkeypatch):
    """ready() says no while the images are embedded, and does not wait."""
    from threading import Event

    go, embed = Event(), similar.embed

    def held(network, pixels):
        assert go.wait(20)
        return embed(network, pixels)

    monkeypatch.setattr(similar, "embed", held)
    images = similar.SimilarImages(two_pixels, tiny_sheet)
    assert not images.ready()
    assert not images.ready()
    go.set()
    assert images.nearest(picture(1, 0), 1)[0].label == "T-shirt/top"
    assert images.ready()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_image_is_its_own_nearest_neighbour(name):
    network = fashion_model.load(name, "cpu").network
    images = similar.SimilarImages(network)
    subset = similar.read()
    for i in (0, 7, len(subset.indices) - 1):
        pixels = torch.from_numpy(subset.images[i]).float().view(1, 1, 28, 28) / 255
        first, *rest = images.nearest(pixels)
        assert (first.index, first.label) == (subset.indices[i], CLASSES[i % 10])
        assert first.distance == pytest.approx(0, abs=1e-6)
        assert np.array_equal(first.pixels, subset.images[i])
        distances = [n.distance for n in (first, *rest)]
        assert len(distances) == 5
        assert distances == sorted(distances)
        assert rest[0].distance > 1e-6


@pytest.mark.parametrize("name", NETWORKS)
def test_the_embedding_is_what_the_last_layer_decides_from(name):
    network = fashion_model.load(name, "cpu").network
    pixels = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    head = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    seen = []
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        network(pixels)
        found = similar.embed(network, pixels)
    hook.remove()
    expected = nn.functional.normalize(seen[0].double(), dim=1)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.dataset
def test_the_sheet_holds_training_images_evenly_drawn():
    if not data.DEBIAN.is_dir() and not data.DOWNLOADS.is_dir():
        pytest.skip("no Fashion-MNIST here: install Debian's package dataset-fashion-mnist")
    (images, labels), _ = data.split(*data.load_fashion_mnist(train=True))
    subset = similar.read()
    assert len(set(subset.indices)) == len(subset.indices)
    assert labels[subset.indices].tolist() == [i % 10 for i in range(len(subset.indices))]
    assert np.array_equal(images[subset.indices].numpy(), subset.images)
    assert similar.SHEET.stat().st_size < 4_000_000


def test_the_command_writes_a_sheet(made_up_data, tmp_path, monkeypatch):
    monkeypatch.setattr(similar, "write", sheet_at(tmp_path / "sheet.png", similar.write))
    similar.main(["--data", str(made_up_data), "--each", "7"])
    subset = similar.read(tmp_path / "sheet.png")
    assert subset.images.shape == (70, 28, 28)
    assert max(subset.indices) < 300  # the last 5,000 are held out


def sheet_at(path, write):
    return lambda images, labels, each: write(images, labels, each, path)


def test_no_sheet_and_too_few_images_are_told(two_pixels, tmp_path):
    with pytest.raises(DataError, match=r"python -m fashion_model\.retrieval"):
        similar.SimilarImages(two_pixels, tmp_path / "none.png").nearest(picture(1, 0))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="damaged"):
        similar.read(tmp_path / "bad.png")
    with pytest.raises(DataError, match="there are 1 images of T-shirt/top, not 2"):
        similar.write(torch.zeros(10, 28, 28), torch.arange(10), 2, tmp_path / "x.png")


def test_a_network_without_a_last_linear_is_refused():
    with pytest.raises(ValueError, match="last Linear"):
        similar.embed(nn.Sequential(nn.Flatten(), nn.ReLU()), torch.zeros(1, 1, 28, 28))
