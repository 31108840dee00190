"""What convolutional networks are made of."""

import torch
from torch import nn


class Residual(nn.Module):
    """Two convolutions whose result is added to what went in (He et al. 2015, arXiv 1512.03385)."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        super().__init__()
        self.body = stage(channels, channels, 1, groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = x + self.body(x)
        return added


def halved(channels: int, out: int) -> nn.Sequential:
    """A convolution that halves height and width."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride=2, padding=1), nn.ReLU())


def stage(
    channels: int, out: int, stride: int, groups: int = 1, first: int | None = None
) -> nn.Sequential:
    """Two convolutions of so many groups, the first of another number if that is given."""
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride=stride, padding=1, groups=first or groups),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1, groups=groups),
        nn.ReLU(),
    )
