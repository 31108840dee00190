"""The networks that look first: where the garment is, and what kind of picture it lies in."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from fashion_model.blocks import stage


class Finder(nn.Module):
    """Where the garment is, and whether the picture is a drawing.

    RGB pictures (N, 3, 96, 96) in [0, 1] -> mask logits (N, 1, 96, 96) and drawing logits (N,).
    A small U-Net (Ronneberger et al. 2015, arXiv 1505.04597) that works at a quarter of the
    picture's size and less, so that a photo takes a few milliseconds on one core.
    """

    side = 96

    def __init__(self, stem: int = 16, widths: tuple[int, ...] = (32, 64, 96)) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, stride=2, padding=1), nn.ReLU())
        ins = (stem, *widths[:-1])
        self.down = nn.ModuleList(stage(i, o, 2) for i, o in zip(ins, widths, strict=True))
        self.middle = stage(widths[-1], widths[-1], 1)
        self.drawing = nn.Linear(2 * (stem + sum(widths) + widths[-1]), 1)
        pairs = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(stage(deep + skip, skip, 1) for deep, skip in pairs)
        self.mask = nn.Sequential(nn.Conv2d(widths[0], 4, 1), nn.PixelShuffle(2))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        looks = self.looked(x)
        drawing = self.drawing(self.summary(looks)).squeeze(1)
        x = looks[-1]
        for up, skip in zip(self.up, reversed(looks[1:-2]), strict=True):
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), skip], 1))
        mask = F.interpolate(self.mask(x), scale_factor=2.0, mode="bilinear")
        return mask, drawing

    def looked(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What the layers down to the deepest make of x (N, 3, 96, 96), as forward takes it."""
        looks = [self.stem(x)]  # (N, 16, 48, 48)
        for down in self.down:  # (N, 32, 24, 24), (N, 64, 12, 12), (N, 96, 6, 6)
            looks.append(down(looks[-1]))
        return [*looks, self.middle(looks[-1])]

    @staticmethod
    def summary(looks: Sequence[torch.Tensor]) -> torch.Tensor:
        """The mean and the largest value of each channel of looks, (N, D)."""
        return torch.cat([part for x in looks for part in (x.mean((2, 3)), x.amax((2, 3)))], 1)


class LineTeller(nn.Module):
    """Whether pictures are line drawings rather than images of Fashion-MNIST.

    Pictures (N, 28, 28) or (N, 1, 28, 28) in [0, 1] -> logits (N,), high for lines. Small enough
    to be asked before every 28x28 picture is read.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            nn.PixelUnshuffle(2),  # (N, 4, 14, 14)
            nn.Conv2d(4, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),  # (N, 16, 7, 7)
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(2 * width, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.stages(x.view(-1, 1, 28, 28)).squeeze(1)
        return logits
