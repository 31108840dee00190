"""The networks: pictures (N, 28, 28) or (N, 1, 28, 28) in [0, 1] -> logits (N, 10)."""

from collections.abc import Callable

import torch
from torch import nn

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class NeuralNetwork(nn.Module):
    """The network of the PyTorch tutorial "build the neural network", to the letter.

    Source: https://docs.pytorch.org/tutorials/beginner/basics/buildmodel_tutorial.html
    """

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 512),
            nn.ReLU(),
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Linear(512, len(CLASSES)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.flatten(x)
        logits: torch.Tensor = self.linear_relu_stack(x)
        return logits


NETWORKS: dict[str, Callable[[], nn.Module]] = {"mlp": NeuralNetwork}
