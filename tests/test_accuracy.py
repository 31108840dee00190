"""The committed networks are as good as their cards say, on real test images."""

import io

import pytest
import torch

import fashion_model
from fashion_model import checkpoint
from fashion_model.networks import CLASSES, NETWORKS

NAMES = [name for name in NETWORKS if checkpoint.resolve(name).is_file()]
FLOOR = 0.92

pytestmark = pytest.mark.dataset


@pytest.mark.parametrize("name", NAMES)
def test_the_cards_accuracy_is_true(name, fashion_mnist_test):
    """The cnn would take a minute for all, and gets a tenth: three standard errors from all."""
    network, card = checkpoint.load(name, device="cpu")
    step = 1 if name == "mlp" else 10
    images, labels = (part[::step] for part in fashion_mnist_test)
    with torch.inference_mode():
        logits = torch.cat([network(part.unsqueeze(1) / 255) for part in images.split(500)])
    accuracy = (logits.argmax(1) == labels).double().mean().item()
    whole = card["accuracy"]["test"]
    error = ((1 - 1 / step) * whole * (1 - whole) / len(labels)) ** 0.5
    assert accuracy == pytest.approx(whole, abs=0.001 + 3 * error)  # hardware rounds
    assert accuracy >= FLOOR


@pytest.mark.parametrize("name", NAMES)
def test_uploaded_as_png_they_get_the_same_labels_as_their_tensors(name, fashion_mnist_test):
    from PIL import Image

    classifier = fashion_model.load(name, device="cpu")
    images = fashion_mnist_test[0][:100]
    with torch.inference_mode():
        expected = classifier.network(images.unsqueeze(1) / 255).argmax(1)
    uploads = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image.numpy()).save(file, "PNG")
        uploads.append(file.getvalue())
    labels = [next(iter(answer)) for answer in classifier.predict_batch(uploads)]
    assert labels == [CLASSES[i] for i in expected]


def test_there_is_a_network_to_test():
    assert fashion_model.DEFAULT in NAMES
