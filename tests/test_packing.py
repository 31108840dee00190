"""What answers on a CPU computes what the network does."""

import copy
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fashion_model
from fashion_model.networks import ARCHITECTURES, CLASSIFIERS
from fashion_model.packing import PackedConvolution, Ready, packed

EXAMPLE = torch.zeros(1, 1, 28, 28)
pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this PyTorch was built without oneDNN"
)


LOOKS = {
    f"closer-{kind}": (channels, side)
    for kind, channels, side in (("photo", 2, 64), ("colour", 4, 64), ("drawing", 2, 28))
}


@pytest.mark.parametrize("name", [*CLASSIFIERS, *LOOKS])
def test_a_packed_network_says_the_same(name):
    torch.manual_seed(0)
    network = ARCHITECTURES[name]().eval()
    channels, side = LOOKS.get(name, (1, 28))
    made = packed(network, torch.zeros(1, channels, side, side))
    convolutions = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    taken = sum(isinstance(module, PackedConvolution) for module in made.modules())
    assert taken == convolutions
    with torch.inference_mode():
        for count in (1, 2, 9):
            pixels = torch.rand(count, channels, side, side)
            torch.testing.assert_close(made(pixels), network(pixels), rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_only_a_relu_that_follows_is_taken_in():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, stride=2),
        nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1, bias=False)),
        nn.Conv2d(3, 3, 3, dilation=2),
        nn.Tanh(),
    ).eval()
    made = packed(network, EXAMPLE)
    pixels = torch.randn(4, 1, 28, 28)
    torch.testing.assert_close(made(pixels), network(pixels), rtol=1e-5, atol=1e-6)
    assert isinstance(made[1][0], nn.ReLU)
    assert (network(pixels) < 0).any()


@torch.inference_mode()
def test_pictures_of_another_size_are_answered_rightly_too():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU()).eval()
    pixels = torch.rand(2, 1, 40, 17)
    torch.testing.assert_close(packed(network, EXAMPLE)(pixels), network(pixels))


def test_the_network_itself_is_left_alone():
    network = CLASSIFIERS["cnn"]()
    before = {name: (value.clone(), value.stride()) for name, value in network.state_dict().items()}
    text = str(network)
    packed(network, EXAMPLE)
    assert str(network) == text
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name][0])
        assert value.stride() == before[name][1]


def test_what_has_no_convolutions_or_is_elsewhere_stays_itself():
    mlp, cnn = CLASSIFIERS["mlp"](), CLASSIFIERS["cnn"]()
    assert packed(mlp, EXAMPLE) is mlp
    assert packed(cnn, EXAMPLE.to("meta")) is cnn


def test_a_classifier_that_has_answered_can_be_copied_and_sent():
    classifier = fashion_model.load("cnn", "cpu")
    picture = np.asarray(Image.effect_noise((28, 28), 90))
    said = classifier.predict(picture)
    sent = pickle.loads(pickle.dumps(classifier))  # noqa: S301
    for other in (copy.deepcopy(classifier), sent):
        assert other.predict(picture) == said


def test_a_classifier_loaded_in_inference_mode_answers():
    picture = np.asarray(Image.effect_noise((28, 28), 90))
    with torch.inference_mode():
        classifier = fashion_model.load("cnn", "cpu")
    assert classifier.predict(picture) == classifier.predict(picture)


def test_a_classifier_answers_with_the_weights_that_its_network_has_now():
    classifier = fashion_model.load("cnn", "cpu")
    blank = torch.zeros(28, 28, dtype=torch.uint8)
    blank[4:24, 8:20] = torch.arange(20, 32) * 6
    picture = blank.numpy()
    before = classifier.predict(picture)
    assert classifier.predict(picture) == before
    with torch.no_grad():
        classifier.network.stages.head.bias[3] += 100
    assert next(iter(classifier.predict(picture))) == "Dress"
    classifier.network = fashion_model.load("cnn", "cpu").network
    assert classifier.predict(picture) == before


def test_what_is_ready_is_told_from_a_network_whose_weights_or_parts_were_replaced():
    def biased() -> nn.Linear:
        made = nn.Linear(160, 10)
        nn.init.zeros_(made.weight)
        nn.init.zeros_(made.bias)
        with torch.no_grad():
            made.bias[5] = 1
        return made

    network = CLASSIFIERS["cnn"]().eval()
    ready = Ready(network, EXAMPLE)
    assert ready.is_of(network)
    assert not ready.is_of(copy.deepcopy(network))
    state = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(state, assign=True)
    assert not ready.is_of(network)
    for replaced in range(20):  # again and again, as what is freed may lie at the same address
        ready = Ready(network, EXAMPLE)
        assert ready.is_of(network)
        network.stages.head = biased()
        assert not ready.is_of(network), replaced
        ready = Ready(network, EXAMPLE)
        for _ in range(2):
            network.stages.head.bias = nn.Parameter(network.stages.head.bias.detach().clone())
            assert not ready.is_of(network), replaced
    with torch.inference_mode():
        assert Ready(network, EXAMPLE).answers(EXAMPLE).argmax() == 5
