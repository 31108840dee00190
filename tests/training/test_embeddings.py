"""What networks make of the training images, as each kind of picture."""

import numpy as np
import pytest
import torch

from fashion_model import checkpoint, retrieval
from fashion_model.efficientnet import EfficientNetLite0
from fashion_model.networks import ConvolutionalNetwork, DrawingNetwork
from fashion_model.preprocessing.photo import COLOR_SIDE
from fashion_model.training import embeddings as module
from fashion_model.training.embeddings import as_kind, embeddings, in_gray
from fashion_model.training.job import Job
from fashion_model.training.recipes import train

NETWORKS = {
    "dataset": ConvolutionalNetwork,
    "drawing": DrawingNetwork,
    "photo": EfficientNetLite0,
}


@pytest.fixture
def images(sheet):
    return torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet[:4]])


@pytest.fixture
def few(monkeypatch, images):
    subset = retrieval.Subset(images.numpy(), list(range(len(images))))
    monkeypatch.setattr(retrieval, "load_subset", lambda: subset)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("dataset", (4, 1, 28, 28)),
        ("drawing", (4, 2, 112, 112)),
        ("photo", (4, 3, COLOR_SIDE, COLOR_SIDE)),
    ],
)
def test_images_are_read_as_pictures_of_each_kind(images, kind, shape):
    found = as_kind(images, kind)
    assert found.shape == shape
    assert found.dtype == torch.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert found.flatten(1).amax(1).min() > 0.5
    assert torch.equal(as_kind(images, kind), found)


def test_a_photo_is_gray_on_white_and_the_negative(images):
    pixels = torch.zeros(28, 28, dtype=torch.uint8)
    pixels[5:23, 8:20] = 200
    photo = np.asarray(in_gray(pixels.numpy(), (pixels > 0).byte().numpy()))
    assert photo.shape == (84, 84, 3)
    assert photo[42, 42].tolist() == [55, 55, 55]
    assert photo[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", NETWORKS)
def test_embeddings_are_what_nearest_compares(few, images, kind, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 3)
    torch.manual_seed(0)
    network = NETWORKS[kind]().eval()
    found = embeddings(network, kind)
    parts = [retrieval.embed(network, as_kind(part, kind)) for part in images.split(3)]
    torch.testing.assert_close(found, torch.cat(parts))


def test_the_recipe_keeps_those_of_each_network(few, images, tmp_path, monkeypatch):
    networks = {kind: make().eval() for kind, make in NETWORKS.items()}

    class Loaded:
        def __init__(self):
            self.networks = networks

    monkeypatch.setattr("fashion_model.training.recipes.load", lambda *_: Loaded())
    path = tmp_path / "embeddings.safetensors"
    assert train(Job(network="embeddings", out=path)) == path
    kept = retrieval._stored(path)
    assert kept.keys() == {checkpoint.digest(network) for network in networks.values()}
    for kind, network in networks.items():
        expected = retrieval.embed(network, as_kind(images, kind))
        angle = (kept[checkpoint.digest(network)] * expected).sum(1)
        assert angle.min() > 0.99  # of int8
