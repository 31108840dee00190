"""The networks: pictures (N, 28, 28) or (N, 1, 28, 28) in [0, 1] -> logits (N, 10)."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

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


class Residual(nn.Module):
    """Two convolutions whose result is added to what went in (He et al. 2015, arXiv 1512.03385)."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        super().__init__()
        self.body = _stage(channels, channels, 1, groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = x + self.body(x)
        return added


class ConvolutionalNetwork(nn.Module):
    """A small convolutional network with three residual blocks, as a Sequential of named stages.

    The first stage folds each 2x2 square of pixels into four channels, so that nothing runs at
    28x28, where a CPU would spend most of its time. groups: so many networks side by side, which
    see nothing of each other between the first convolution and the last layer; width and wide
    are the channels of each.
    """

    def __init__(self, width: int = 64, wide: int = 160, groups: int = 1) -> None:
        super().__init__()
        width, wide = width * groups, wide * groups
        self.stages = nn.Sequential(
            OrderedDict(
                unshuffle=nn.PixelUnshuffle(2),  # (N, 4, 14, 14)
                local=_stage(4, width, 1, groups, first=1),  # (N, 64, 14, 14)
                lines=Residual(width, groups),  # (N, 64, 14, 14)
                shrink=nn.Sequential(
                    nn.Conv2d(width, wide, 3, stride=2, padding=1, groups=groups),  # (N, 160, 7, 7)
                    nn.ReLU(),
                ),
                parts=Residual(wide, groups),  # (N, 160, 7, 7)
                whole=Residual(wide, groups),  # (N, 160, 7, 7)
                pool=nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),  # (N, 160)
                head=nn.Linear(wide, len(CLASSES)),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.stages(x.view(-1, 1, 28, 28))
        return logits


class CloserNetwork(nn.Module):
    """What a photo shows, from the garment and its outline, as logits to add to another's.

    (N, 2, 64, 64) in [0, 1], images.Prepared.fine -> logits (N, 10). It errs otherwise than a
    network does that learnt from Fashion-MNIST, drawings and photos together: it learnt its
    garments from photos alone, and sees where white cloth ends. Once it is trained, it answers with
    the mean for the picture and its mirror image, for garments have no left and right.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 192)) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.stages = nn.Sequential(
            OrderedDict(
                lines=_halved(2, first),  # (N, 32, 32, 32)
                local=_halved(first, second),  # (N, 64, 16, 16)
                shapes=Residual(second),  # (N, 64, 16, 16)
                shrink=_halved(second, third),  # (N, 128, 8, 8)
                parts=Residual(third),  # (N, 128, 8, 8)
                join=_halved(third, fourth),  # (N, 192, 4, 4)
                whole=Residual(fourth),  # (N, 192, 4, 4)
                pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),  # (N, 192)
                drop=nn.Dropout(0.3),
                head=nn.Linear(fourth, len(CLASSES)),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            seen: torch.Tensor = self.stages(x)
            return seen
        logits: torch.Tensor = self.stages(torch.cat([x, x.flip(3)]))
        return logits.view(2, len(x), -1).mean(0)


class PlainNetwork(nn.Module):
    """Six convolutions in a row: a teacher that errs otherwise than ConvolutionalNetwork does."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            OrderedDict(
                unshuffle=nn.PixelUnshuffle(2),  # (N, 4, 14, 14)
                local=_stage(4, width, 1),  # (N, 64, 14, 14)
                parts=_stage(width, 2 * width, 2),  # (N, 128, 7, 7)
                whole=_stage(2 * width, 2 * width, 1),  # (N, 128, 7, 7)
                pool=nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),  # (N, 128)
                head=nn.Linear(2 * width, len(CLASSES)),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.stages(x.view(-1, 1, 28, 28))
        return logits


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
        self.down = nn.ModuleList(_stage(i, o, 2) for i, o in zip(ins, widths, strict=True))
        self.middle = _stage(widths[-1], widths[-1], 1)
        self.drawing = nn.Linear(2 * (stem + sum(widths) + widths[-1]), 1)
        pairs = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(_stage(deep + skip, skip, 1) for deep, skip in pairs)
        self.mask = nn.Sequential(nn.Conv2d(widths[0], 4, 1), nn.PixelShuffle(2))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        looks = self.looked(x)
        drawing = self.drawing(self.summary(looks)).squeeze(1)
        x = looks[-1]
        for stage, skip in zip(self.up, reversed(looks[1:-2]), strict=True):
            x = stage(torch.cat([F.interpolate(x, scale_factor=2.0), skip], 1))
        mask = F.interpolate(self.mask(x), scale_factor=2.0, mode="bilinear")
        return mask, drawing

    def looked(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What the layers down to the deepest make of x (N, 3, 96, 96), as forward takes it."""
        looks = [self.stem(x)]  # (N, 16, 48, 48)
        for stage in self.down:  # (N, 32, 24, 24), (N, 64, 12, 12), (N, 96, 6, 6)
            looks.append(stage(looks[-1]))
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


def _halved(channels: int, out: int) -> nn.Sequential:
    """A convolution that halves height and width."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride=2, padding=1), nn.ReLU())


def _stage(
    channels: int, out: int, stride: int, groups: int = 1, first: int | None = None
) -> nn.Sequential:
    """Two convolutions of so many groups, the first of another number if that is given."""
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride=stride, padding=1, groups=first or groups),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1, groups=groups),
        nn.ReLU(),
    )


@torch.no_grad()
def coupled(networks: Sequence[ConvolutionalNetwork]) -> ConvolutionalNetwork:
    """One network that answers with the mean of networks' logits, their weights side by side.

    A coupled ensemble (Dutt et al. 2017, arXiv 1709.06053), as grouped convolutions.
    """
    made = ConvolutionalNetwork(groups=len(networks)).eval()
    states = [network.state_dict() for network in networks]
    for key, tensor in made.state_dict().items():  # views of what made computes with
        if key == "stages.head.weight":
            tensor.copy_(torch.cat([state[key] for state in states], 1) / len(states))
        elif key == "stages.head.bias":
            tensor.copy_(torch.stack([state[key] for state in states]).mean(0))
        else:
            tensor.copy_(torch.cat([state[key] for state in states]))
    return made


# The networks that people choose from, by name; those that answer with a class; and all that a
# checkpoint may hold
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": NeuralNetwork,
    "cnn": ConvolutionalNetwork,
}
CLASSIFIERS: dict[str, Callable[[], nn.Module]] = {
    **NETWORKS,
    "coupled": partial(ConvolutionalNetwork, groups=2),
    "plain": PlainNetwork,
}
ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    **CLASSIFIERS,
    "closer": CloserNetwork,
    "finder": Finder,
    "lines": LineTeller,
}
