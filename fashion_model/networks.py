"""The networks, and ARCHITECTURES: how each is constructed, by the name that checkpoints give.

Those that classify take pictures in [0, 1] and return logits (N, 10), or (N, 11) where the last one
is for a picture that is none of the ten classes. EfficientNetLite0 has a file of its own.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from fashion_model.efficientnet import EfficientNetLite0

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
        logits = self.linear_relu_stack(x)
        return logits  # noqa: RET504 - to the letter


def convolutions(
    inputs: int, outputs: int, stride: int = 1, groups: int = 1, first_groups: int | None = None
) -> nn.Sequential:
    """Two 3x3 convolutions, each with a ReLU; the first one has the stride."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, groups=first_groups or groups),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, groups=groups),
        nn.ReLU(),
    )


def downsample(inputs: int, outputs: int, groups: int = 1) -> nn.Sequential:
    """A 3x3 convolution that halves height and width, with a ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, groups=groups), nn.ReLU()
    )


class Residual(nn.Module):
    """Two convolutions whose result is added to what went in (He et al. 2015, arXiv 1512.03385)."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        super().__init__()
        self.body = convolutions(channels, channels, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class ConvolutionalNetwork(nn.Module):
    """A small convolutional network with three residual blocks, as a Sequential of named stages.

    The first stage folds each 2x2 square of pixels into four channels, so that nothing runs at
    28x28, where a CPU would spend most of its time. members: so many networks side by side, as
    grouped convolutions; between the first convolution and the last layer they are independent.
    width and wide: the channels of each.
    """

    def __init__(self, width: int = 64, wide: int = 160, members: int = 1) -> None:
        super().__init__()
        groups, width, wide = members, width * members, wide * members
        self.stages = nn.Sequential(
            OrderedDict[str, nn.Module](
                unshuffle=nn.PixelUnshuffle(2),  # (N, 4, 14, 14)
                local=convolutions(4, width, groups=groups, first_groups=1),  # (N, 64, 14, 14)
                lines=Residual(width, groups),  # (N, 64, 14, 14)
                shrink=downsample(width, wide, groups),  # (N, 160, 7, 7)
                parts=Residual(wide, groups),  # (N, 160, 7, 7)
                whole=Residual(wide, groups),  # (N, 160, 7, 7)
                pool=nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),  # (N, 160)
                head=nn.Linear(wide, len(CLASSES)),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stages(x.view(-1, 1, 28, 28))


class DrawingNetwork(nn.Module):
    """Names the garment in a drawing: a chain of named stages, whose shapes are noted behind them.

    Lines and what they enclose (N, 2, 112, 112) in [0, 1] -> logits (N, 11), the last for none of
    the ten. width and wide: the channels of the stages.
    """

    def __init__(self, width: int = 96, wide: int = 192) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            OrderedDict[str, nn.Module](
                unshuffle=nn.PixelUnshuffle(4),  # (N, 32, 28, 28)
                lines=downsample(32, width),  # (N, 96, 14, 14)
                local=Residual(width),  # (N, 96, 14, 14)
                shrink=downsample(width, wide),  # (N, 192, 7, 7)
                parts=Residual(wide),  # (N, 192, 7, 7)
                whole=Residual(wide),  # (N, 192, 7, 7)
                pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),  # (N, 192)
                head=nn.Linear(wide, len(CLASSES) + 1),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stages(x)


@torch.no_grad()
def ensemble(networks: Sequence[ConvolutionalNetwork]) -> ConvolutionalNetwork:
    """One network that answers with the mean of the logits of networks, its members.

    A coupled ensemble (Dutt et al. 2017, arXiv 1709.06053), as grouped convolutions.
    """
    together = ConvolutionalNetwork(members=len(networks)).eval()
    states = [network.state_dict() for network in networks]
    for key, tensor in together.state_dict().items():  # views of the weights themselves
        if key == "stages.head.weight":
            tensor.copy_(torch.cat([state[key] for state in states], 1) / len(states))
        elif key == "stages.head.bias":
            tensor.copy_(torch.stack([state[key] for state in states]).mean(0))
        else:
            tensor.copy_(torch.cat([state[key] for state in states]))
    return together


class Segmenter(nn.Module):
    """Where the garment is, and whether the picture is a drawing.

    RGB pictures (N, 3, 96, 96) in [0, 1] -> mask logits (N, 1, 96, 96) and drawing logits (N,).
    A small U-Net (Ronneberger et al. 2015, arXiv 1505.04597) that works at a quarter of the
    picture's size and less, so that a photo takes a few milliseconds on one core.
    """

    def __init__(self) -> None:
        super().__init__()
        stem, widths = 16, (32, 64, 96)  # channels
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, stride=2, padding=1), nn.ReLU())
        ins = (stem, *widths[:-1])
        self.down = nn.ModuleList(convolutions(i, o, 2) for i, o in zip(ins, widths, strict=True))
        self.middle = convolutions(widths[-1], widths[-1])
        self.drawing = nn.Linear(2 * (stem + sum(widths) + widths[-1]), 1)
        pairs = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(convolutions(deep + skip, skip) for deep, skip in pairs)
        self.mask = nn.Sequential(nn.Conv2d(widths[0], 4, 1), nn.PixelShuffle(2))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.features(x)
        drawing = self.drawing(self.summary(features)).squeeze(1)
        x = features[-1]
        for up, skip in zip(self.up, reversed(features[1:-2]), strict=True):
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), skip], 1))
        mask = F.interpolate(self.mask(x), scale_factor=2.0, mode="bilinear")
        return mask, drawing

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The feature maps of x (N, 3, 96, 96), from the first to the deepest."""
        features = [self.stem(x)]  # (N, 16, 48, 48)
        for down in self.down:  # (N, 32, 24, 24), (N, 64, 12, 12), (N, 96, 6, 6)
            features.append(down(features[-1]))
        return [*features, self.middle(features[-1])]

    @staticmethod
    def summary(features: Sequence[torch.Tensor]) -> torch.Tensor:
        """The mean and the maximum of each channel of features, (N, D)."""
        return torch.cat([part for x in features for part in (x.mean((2, 3)), x.amax((2, 3)))], 1)


class LineDetector(nn.Module):
    """Whether pictures are line drawings rather than images of Fashion-MNIST.

    Pictures (N, 28, 28) or (N, 1, 28, 28) in [0, 1] -> logits (N,), high for lines. Small enough
    to be asked before every 28x28 picture is read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            nn.PixelUnshuffle(2),  # (N, 4, 14, 14)
            nn.Conv2d(4, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, stride=2, padding=1),  # (N, 16, 7, 7)
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),  # (N, 32, 7, 7)
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stages(x.view(-1, 1, 28, 28)).squeeze(1)


def parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


READ_28X28 = (NeuralNetwork, ConvolutionalNetwork)  # whatever the kind of picture

# Those a user chooses from, and all that a checkpoint may hold
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": NeuralNetwork,
    "cnn": ConvolutionalNetwork,
}
CLASSIFIERS: dict[str, Callable[[], nn.Module]] = {
    **NETWORKS,
    "cnn-ensemble": partial(ConvolutionalNetwork, members=2),
    "drawing": DrawingNetwork,
    "efficientnet-lite0": EfficientNetLite0,
}
ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    **CLASSIFIERS,
    "segmenter": Segmenter,
    "line-detector": LineDetector,
}
