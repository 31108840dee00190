"""The networks: pictures (N, 28, 28) or (N, 1, 28, 28) in [0, 1] -> logits (N, 10)."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from fashion_model.blocks import Residual, halved, stage
from fashion_model.segmenter import Finder, LineTeller

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
                local=stage(4, width, 1, groups, first=1),  # (N, 64, 14, 14)
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


class Closer(nn.Module):
    """Logits to add to another network's, for a picture of one kind that somebody made.

    It errs otherwise than a network does that learnt from Fashion-MNIST, drawings and photos
    together: it learnt its garments from real pictures of its kind alone, and sees more of them.
    """

    name: str  # of this look
    kind: str  # of the pictures whose images.Prepared.fine it reads
    channels: slice  # of that
    rim: int  # pixels on each side of that, beyond what the 28x28 picture shows
    nothing: tuple[float, ...] = (0.0, 0.0)  # what these channels are where nothing is to be seen
    stages: nn.Sequential

    @classmethod
    def of(cls, fine: torch.Tensor) -> torch.Tensor:
        """What it reads of fine (N, C, H, W)."""
        return fine[:, cls.channels]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.stages(x)
        return logits


class PhotoNetwork(Closer):
    """A closer look at a photo: (N, 2, 64, 64) in [0, 1] -> logits (N, 10).

    The garment in finer detail, and where it is, so that it sees where white cloth ends. Once it is
    trained, it answers with the mean for the picture and its mirror image, for garments have no
    left and right.
    """

    name = kind = "photo"
    channels = slice(0, 2)
    rim = 4

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 192)) -> None:
        super().__init__()
        first, second, third, fourth = widths
        seen = self.channels.stop - self.channels.start
        self.stages = nn.Sequential(
            OrderedDict(
                lines=halved(seen, first),  # (N, 32, 32, 32)
                local=halved(first, second),  # (N, 64, 16, 16)
                shapes=Residual(second),  # (N, 64, 16, 16)
                shrink=halved(second, third),  # (N, 128, 8, 8)
                parts=Residual(third),  # (N, 128, 8, 8)
                join=halved(third, fourth),  # (N, 192, 4, 4)
                whole=Residual(fourth),  # (N, 192, 4, 4)
                pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),  # (N, 192)
                drop=nn.Dropout(0.3),
                head=nn.Linear(fourth, len(CLASSES)),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return super().forward(x)
        return super().forward(torch.cat([x, x.flip(3)])).view(2, len(x), -1).mean(0)


class ColourNetwork(PhotoNetwork):
    """The same at a photo's colours: (N, 4, 64, 64) in [0, 1] -> logits (N, 10).

    Where the garment is, and the photo there in red, green and blue, ground and all: where the
    garment was cut out badly, it sees what is missing.
    """

    name = "colour"
    channels = slice(2, 6)
    rim = 6
    nothing = (0.0, 0.5, 0.5, 0.5)


class DrawingNetwork(Closer):
    """A closer look at a drawing: (N, 2, 28, 28) in [0, 1] -> logits (N, 10).

    Its lines, and what they enclose: a bag is full, an arch is not.
    """

    name = kind = "drawing"
    channels = slice(0, 2)
    rim = 0

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        wide = 2 * width
        self.stages = nn.Sequential(
            OrderedDict(
                unshuffle=nn.PixelUnshuffle(2),  # (N, 8, 14, 14)
                lines=stage(8, width, 1),  # (N, 32, 14, 14)
                shrink=halved(width, wide),  # (N, 64, 7, 7)
                parts=Residual(wide),  # (N, 64, 7, 7)
                whole=Residual(wide),  # (N, 64, 7, 7)
                pool=nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),  # (N, 64)
                drop=nn.Dropout(0.3),
                head=nn.Linear(wide, len(CLASSES)),
            )
        )


class PlainNetwork(nn.Module):
    """Six convolutions in a row: a teacher that errs otherwise than ConvolutionalNetwork does."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            OrderedDict(
                unshuffle=nn.PixelUnshuffle(2),  # (N, 4, 14, 14)
                local=stage(4, width, 1),  # (N, 64, 14, 14)
                parts=stage(width, 2 * width, 2),  # (N, 128, 7, 7)
                whole=stage(2 * width, 2 * width, 1),  # (N, 128, 7, 7)
                pool=nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),  # (N, 128)
                head=nn.Linear(2 * width, len(CLASSES)),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.stages(x.view(-1, 1, 28, 28))
        return logits


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
    "closer-colour": ColourNetwork,
    "closer-drawing": DrawingNetwork,
    "closer-photo": PhotoNetwork,
    "finder": Finder,
    "lines": LineTeller,
}
