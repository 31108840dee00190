"""The closest training images: by hand on a tiny network, and on the committed ones."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import fashion_model
from fashion_model import CLASSES, DataError, checkpoint, datasets, retrieval
from fashion_model.networks import NETWORKS, NeuralNetwork
from fashion_model.training.embeddings import BATCH, as_kind


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


def tiny():
    """Ten images, one of each class, whose first two pixels are (255, 20 i)."""
    images = np.zeros((10, 28, 28), np.uint8)
    images[:, 0, 0] = 255
    images[:, 0, 1] = 20 * np.arange(10)
    return retrieval.Subset(images, [3, 1, 6, 0, 2, 4, 7, 9, 8, 5])


@pytest.fixture
def tiny_subset(tmp_path, two_pixels, monkeypatch):
    """That of tiny, with what two_pixels makes of it, is looked through."""
    subset = tiny()
    monkeypatch.setattr(retrieval, "load_subset", lambda: subset)
    monkeypatch.setattr(retrieval, "EMBEDDINGS", tmp_path / "embeddings.safetensors")
    made = retrieval.embed(two_pixels, torch.from_numpy(subset.images).unsqueeze(1) / 255)
    retrieval.write_embeddings({checkpoint.digest(two_pixels): made}, retrieval.EMBEDDINGS)
    return subset


def test_neighbors_and_distances_by_hand(two_pixels, tiny_subset):
    found = retrieval.nearest(two_pixels, picture(1, 0), 3)
    assert [n.label for n in found] == ["T-shirt/top", "Trouser", "Pullover"]
    assert [n.index for n in found] == [3, 1, 6]  # of 0, 1 and 2, see tiny
    cosines = [255 / math.hypot(255, 20 * i) for i in range(3)]
    assert [n.distance for n in found] == pytest.approx([1 - c for c in cosines], abs=0.004)
    (across,) = retrieval.nearest(two_pixels, picture(0, 1), 1)
    assert across.label == "Ankle boot"  # the steepest of them
    assert across.distance == pytest.approx(1 - 180 / math.hypot(255, 180), abs=0.004)
    assert across.pixels[0, :3].tolist() == [255, 180, 0]


def test_at_most_as_many_as_there_are(two_pixels, tiny_subset):
    assert len(retrieval.nearest(two_pixels, picture(1, 1), 50)) == 10
    assert len(retrieval.nearest(two_pixels, picture(1, 1))) == 5
    assert retrieval.describe_subset(two_pixels) == {"subset": 10, "each": 1, "size": 2}


def test_embeddings_are_kept_as_bytes_of_unit_length(tmp_path):
    path = tmp_path / "embeddings.safetensors"
    made = nn.functional.normalize(torch.randn(6, 40, generator=torch.Generator().manual_seed(0)))
    retrieval.write_embeddings({"a": made}, path)
    assert load_file(path)["a"].dtype == torch.int8
    kept = retrieval._stored(path)["a"]
    assert torch.allclose(kept.norm(dim=1), torch.ones(6))
    assert (kept - made).abs().max() < 0.01


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_image_is_its_own_nearest_neighbor(name):
    network = fashion_model.load(name, "cpu").network
    subset = retrieval.load_subset()
    for i in (0, 7, 321, len(subset.indices) - 1):
        pixels = torch.from_numpy(subset.images[i]).float().view(1, 1, 28, 28) / 255
        first, *rest = retrieval.nearest(network, pixels)
        assert (first.index, first.label) == (subset.indices[i], CLASSES[i % 10])
        assert first.distance == pytest.approx(0, abs=2e-3)  # of int8
        assert np.array_equal(first.pixels, subset.images[i])
        distances = [n.distance for n in (first, *rest)]
        assert len(distances) == 5
        assert distances == sorted(distances)


@pytest.mark.parametrize("kind", ["dataset", "drawing", "photo"])
def test_the_kept_embeddings_are_those_of_the_committed_networks(kind):
    network = fashion_model.load("cnn", "cpu").networks[kind]
    images, kept = retrieval.load_subset().images, retrieval.embeddings_of(network)
    assert len(kept) == len(images)
    assert checkpoint.digest(network) in load_file(retrieval.EMBEDDINGS)
    same_batch = torch.from_numpy(images[:BATCH])  # lines are sketched by chance, batch by batch
    fresh = retrieval.embed(network, as_kind(same_batch, kind)[:6])
    assert (kept[:6] - fresh).abs().max() < 0.02
    assert retrieval.describe_subset(network)["subset"] == len(images)


def test_each_network_of_the_tutorials_form_is_asked_anew():
    """Also one that nobody has seen before."""
    torch.manual_seed(0)
    network = NeuralNetwork().eval()
    count = len(retrieval.load_subset().indices)
    assert retrieval.describe_subset(network) == {"subset": count, "each": count // 10, "size": 512}
    assert len(retrieval.nearest(network, torch.rand(1, 1, 28, 28), 3)) == 3


@pytest.mark.parametrize("name", NETWORKS)
def test_the_embedding_is_what_the_last_layer_decides_from(name):
    network = fashion_model.load(name, "cpu").network
    pixels = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    head = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    seen = []
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        network(pixels)
    hook.remove()
    expected = nn.functional.normalize(seen[0], dim=1)
    assert torch.allclose(retrieval.embed(network, pixels), expected, atol=1e-6)


@pytest.mark.dataset
def test_the_sheet_holds_training_images_evenly_drawn():
    if not datasets.DEBIAN.is_dir() and not datasets.DOWNLOADS.is_dir():
        pytest.skip("no Fashion-MNIST here: install Debian's package dataset-fashion-mnist")
    (images, labels), _ = datasets.split(*datasets.load_fashion_mnist(train=True))
    subset = retrieval.load_subset()
    assert len(set(subset.indices)) == len(subset.indices)
    assert labels[subset.indices].tolist() == [i % 10 for i in range(len(subset.indices))]
    assert np.array_equal(images[subset.indices].numpy(), subset.images)
    assert retrieval.SHEET.stat().st_size < 4_000_000


def test_what_is_missing_or_damaged_is_told(two_pixels, tmp_path, monkeypatch):
    for name in ("none.png", "bad.png"):
        with pytest.raises(DataError, match="missing, damaged or no sheet"):
            retrieval.load_subset(tmp_path / name)
        (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"no embeddings by this network.*--network embeddings"):
        retrieval.nearest(two_pixels, picture(1, 0))
    monkeypatch.setattr(retrieval, "EMBEDDINGS", tmp_path / "bad.png")
    with pytest.raises(DataError, match=r"missing or damaged.*--network embeddings"):
        retrieval.nearest(two_pixels, picture(1, 0))


def test_a_network_without_a_last_linear_is_refused():
    with pytest.raises(ValueError, match="last Linear"):
        retrieval.embed(nn.Sequential(nn.Flatten(), nn.ReLU()), torch.zeros(1, 1, 28, 28))
