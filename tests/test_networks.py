"""The networks: the seed's to the letter, and what every registered one promises."""

import pytest
import torch
from torch import nn

from fashion_model.networks import (
    ARCHITECTURES,
    CLASSES,
    CLASSIFIERS,
    NETWORKS,
    NeuralNetwork,
    coupled,
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


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_network_takes_both_shapes_and_gives_ten_logits(name):
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


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_network_learns(name):
    """Every weight gets a gradient, and a few steps on four pictures lower the loss."""
    torch.manual_seed(0)
    network = ARCHITECTURES[name]()
    x, y = torch.rand(4, 1, 28, 28), torch.tensor([0, 3, 7, 9])
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


def test_coupled_networks_answer_with_the_mean_of_their_logits():
    torch.manual_seed(0)
    networks = [NETWORKS["cnn"]().eval() for _ in range(2)]
    both = coupled(networks)
    assert str(both) == str(ARCHITECTURES["coupled"]())
    x = torch.rand(5, 1, 28, 28)
    with torch.inference_mode():
        torch.testing.assert_close(both(x), (networks[0](x) + networks[1](x)) / 2)
        assert not torch.allclose(both(x), networks[0](x), atol=1e-3)
    assert sum(p.numel() for p in both.parameters()) <= 2_500_000
