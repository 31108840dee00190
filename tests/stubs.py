"""Networks whose answers are known without training."""

from collections.abc import Sequence

import torch
from torch import nn

from fashion_model.networks import NeuralNetwork


class DarkSegmenter(nn.Module):
    """Finds what is darker than threshold; drawing is its logit for "this is a drawing"."""

    def __init__(self, drawing: float = 0.0, threshold: float = 0.5) -> None:
        super().__init__()
        self.drawing, self.threshold = drawing, threshold

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        dark = self.threshold - pictures.mean(1, keepdim=True)
        return 40 * dark, torch.full((len(pictures),), self.drawing)


class Unused(nn.Module):
    """Fails the test that calls it."""

    def forward(self, *_: torch.Tensor) -> torch.Tensor:
        raise AssertionError("this network has no business here")


class FixedLineDetector(nn.Module):
    """Answers with logit, and keeps what it was asked about in calls."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit, self.calls = logit, []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.calls.append(pixels)
        return torch.full((len(pixels),), self.logit)


@torch.no_grad()
def constant(logits: Sequence[float]) -> NeuralNetwork:
    """A network for 28x28 pictures that answers each with logits, 10 or 11 of them."""
    network = NeuralNetwork()
    network.linear_relu_stack[4] = nn.Linear(512, len(logits))
    for parameter in network.parameters():
        parameter.zero_()
    network.linear_relu_stack[4].bias.copy_(torch.tensor(logits))
    return network.eval()
