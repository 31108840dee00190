"""The networks: the seed's to the letter, and what every registered one promises."""

import pytest
import torch
from torch import nn

from fashion_model.networks import (
    ARCHITECTURES,
    CLASSES,
    CLASSIFIERS,
    NETWORKS,
    READ_28X28,
    ConvolutionalNetwork,
    DrawingNetwork,
    LineDetector,
    NeuralNetwork,
    Residual,
    Segmenter,
    ensemble,
)

PRINTED = """\
NeuralNetwork(
  (flatten): Flatten(start_dim=1, end_dim=-1)
  (linear_relu_stack): Sequential(
    (0): Linear(in_features=784, out_features=512, bias=True)
    (1): ReLU()
    (2): Linear(in_features=512, out_features=512, bias=True)
    (3): ReLU()
    (4): Linear(in_features=512, out_features=10, bias=True)
  )
)"""
OF_28X28 = [name for name in CLASSIFIERS if isinstance(CLASSIFIERS[name](), READ_28X28)]


def pictures(network: nn.Module, count: int) -> torch.Tensor:
    """What network reads, (count, C, S, S)."""
    if isinstance(network, READ_28X28):
        return torch.rand(count, 1, 28, 28)
    lines = isinstance(network, DrawingNetwork)
    return torch.rand(count, *((2, 112, 112) if lines else (3, 64, 64)))


def test_the_seeds_network_to_the_letter():
    network = NeuralNetwork()
    assert str(network) == PRINTED
    assert {key: tuple(t.shape) for key, t in network.state_dict().items()} == {
        "linear_relu_stack.0.weight": (512, 784),
        "linear_relu_stack.0.bias": (512,),
        "linear_relu_stack.2.weight": (512, 512),
        "linear_relu_stack.2.bias": (512,),
        "linear_relu_stack.4.weight": (10, 512),
        "linear_relu_stack.4.bias": (10,),
    }
    assert NETWORKS["mlp"] is NeuralNetwork


def test_the_seeds_network_computes_what_its_layers_say():
    """By hand: relu(relu(x A' + a) B' + b) C' + c."""
    network = NeuralNetwork()
    x = torch.rand(3, 28, 28)
    a, b, c = (layer for layer in network.linear_relu_stack if isinstance(layer, nn.Linear))
    hidden = (x.flatten(1) @ a.weight.T + a.bias).clamp(min=0)
    hidden = (hidden @ b.weight.T + b.bias).clamp(min=0)
    torch.testing.assert_close(network(x), hidden @ c.weight.T + c.bias)


def test_the_ten_classes_in_the_published_order():
    from torchvision.datasets import FashionMNIST

    assert list(CLASSES) == FashionMNIST.classes


def test_what_is_chosen_from_classifies_and_what_classifies_may_be_in_a_checkpoint():
    assert NETWORKS.items() <= CLASSIFIERS.items() <= ARCHITECTURES.items()
    assert ARCHITECTURES.keys() - CLASSIFIERS.keys() == {"segmenter", "line-detector"}
    assert OF_28X28 == ["mlp", "cnn", "cnn-ensemble"]


@pytest.mark.parametrize("name", OF_28X28)
def test_networks_of_28x28_take_both_shapes_and_give_ten_logits(name):
    torch.manual_seed(0)
    network = ARCHITECTURES[name]().eval()
    x = torch.rand(5, 28, 28)
    with torch.inference_mode():
        logits = network(x)
        torch.testing.assert_close(network(x.unsqueeze(1)), logits)
        torch.testing.assert_close(network(x[2:3]), logits[2:3], rtol=1e-4, atol=1e-5)
    assert logits.shape == (5, 10)
    assert logits.dtype == torch.float32
    probabilities = nn.Softmax(dim=1)(logits)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(5))
    assert torch.equal(probabilities.argmax(1), logits.argmax(1))


@pytest.mark.parametrize("side", [64, 75])
@torch.inference_mode()
def test_efficientnet_takes_color_of_any_size_and_gives_eleven_logits(side):
    torch.manual_seed(0)
    network = ARCHITECTURES["efficientnet-lite0"]().eval()
    x = torch.rand(3, 3, side, side)
    logits = network(x)
    assert (logits.shape, logits.dtype) == ((3, 11), torch.float32)
    torch.testing.assert_close(network(x[1:2]), logits[1:2], rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_the_drawing_network_takes_lines_and_what_they_enclose():
    torch.manual_seed(0)
    network = ARCHITECTURES["drawing"]().eval()
    x = torch.rand(3, 2, 112, 112)
    logits = network(x)
    assert (logits.shape, logits.dtype) == ((3, 11), torch.float32)
    torch.testing.assert_close(network(x[1:2]), logits[1:2], rtol=1e-4, atol=1e-5)
    # by hand: eight 3x3 convolutions of 96 and 192 channels, and the head
    pairs = [(32, 96), (96, 96), (96, 96), (96, 192), *[(192, 192)] * 4]
    filters = sum(9 * inputs * outputs + outputs for inputs, outputs in pairs)
    assert sum(p.numel() for p in network.parameters()) == filters + 192 * 11 + 11


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_network_learns(name):
    """Every weight gets a gradient, and a few steps on four pictures lower the loss."""
    torch.manual_seed(0)
    network = ARCHITECTURES[name]()
    x, y = pictures(network, 4), torch.tensor([0, 3, 7, 9])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(10):
        loss = nn.functional.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.any() for p in network.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@torch.no_grad()
def test_a_residual_adds_what_its_two_convolutions_find():
    residual = Residual(4)
    x = torch.randn(2, 4, 7, 7)
    torch.testing.assert_close(residual(x), x + residual.body(x))
    assert not torch.equal(residual(x), x)
    residual.body[2].weight.zero_()
    residual.body[2].bias.fill_(0.5)
    torch.testing.assert_close(residual(x), x + 0.5)


def test_an_ensemble_answers_with_the_mean_of_its_members_logits():
    torch.manual_seed(0)
    members = [NETWORKS["cnn"]().eval() for _ in range(2)]
    both = ensemble(members)
    assert str(both) == str(ARCHITECTURES["cnn-ensemble"]())
    x = torch.rand(5, 1, 28, 28)
    with torch.inference_mode():
        torch.testing.assert_close(both(x), (members[0](x) + members[1](x)) / 2)
        assert not torch.allclose(both(x), members[0](x), atol=1e-3)
    assert sum(p.numel() for p in both.parameters()) <= 2_500_000


def test_an_ensemble_of_three():
    torch.manual_seed(0)
    members = [ConvolutionalNetwork().eval() for _ in range(3)]
    x = torch.rand(2, 28, 28)
    with torch.inference_mode():
        mean = torch.stack([member(x) for member in members]).mean(0)
        torch.testing.assert_close(ensemble(members)(x), mean)


@torch.inference_mode()
def test_the_segmenter_says_where_and_whether_it_is_a_drawing():
    torch.manual_seed(0)
    network = Segmenter().eval()
    x = torch.rand(3, 3, 96, 96)
    mask, drawing = network(x)
    assert (mask.shape, drawing.shape) == ((3, 1, 96, 96), (3,))
    single = network(x[1:2])
    torch.testing.assert_close(single[0], mask[1:2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(single[1], drawing[1:2], rtol=1e-4, atol=1e-5)
    shapes = [tuple(feature.shape[1:]) for feature in network.features(x)]
    assert shapes == [(16, 48, 48), (32, 24, 24), (64, 12, 12), (96, 6, 6), (96, 6, 6)]


def test_the_summary_of_features_by_hand():
    features = [torch.tensor([1.0, 3.0]).view(1, 1, 1, 2), torch.tensor([-2.0]).view(1, 1, 1, 1)]
    assert Segmenter.summary(features).tolist() == [[2, 3, -2, -2]]


@torch.inference_mode()
def test_the_line_detector_takes_both_shapes_and_gives_one_logit():
    torch.manual_seed(0)
    network = LineDetector().eval()
    x = torch.rand(4, 28, 28)
    logits = network(x)
    assert logits.shape == (4,)
    torch.testing.assert_close(network(x[:, None]), logits)
    torch.testing.assert_close(network(x[2]), logits[2:3], rtol=1e-4, atol=1e-5)
