"""EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946): ReLU6, no squeeze-and-excitation.

It is a chain of named stages, so that each can be looked at by itself. Its batch norm is there in
training alone, and folded into the convolutions after it: see training.initialization.
"""

from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F


class StageConfig(NamedTuple):
    """A stage of inverted residual blocks; stride is that of its first block."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int


STAGES = (
    StageConfig(1, 16, 1, 1, 3),
    StageConfig(6, 24, 2, 2, 3),
    StageConfig(6, 40, 2, 2, 5),
    StageConfig(6, 80, 3, 2, 3),
    StageConfig(6, 112, 3, 1, 5),
    StageConfig(6, 192, 4, 2, 5),
    StageConfig(6, 320, 1, 1, 3),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280


class Normalize(nn.Module):
    """Pixels in [0, 1] -> [-1, 1], as ImageNet's weights expect them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x - 1


class Convolution(nn.Module):
    """A convolution, and ReLU6 unless linear; padded as TensorFlow's "same", where the weights
    come from: an odd pixel of padding goes to the right and to the bottom."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        padding = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)
        self.kernel, self.stride, self.linear = kernel, stride, linear

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride > 1:
            height, width = (
                max((-(-side // self.stride) - 1) * self.stride + self.kernel - side, 0)
                for side in x.shape[-2:]
            )
            x = F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))
        x = self.conv(x)
        return x if self.linear else F.relu6(x)


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow; the input is added where the shape allows."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = Convolution(inputs, wide) if expansion > 1 else nn.Identity()
        self.depthwise = Convolution(wide, wide, kernel, stride, groups=wide)
        self.project = Convolution(wide, outputs, linear=True)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class Stage(nn.Module):
    """A row of inverted residual blocks with the same number of output channels."""

    def __init__(self, inputs: int, config: StageConfig) -> None:
        super().__init__()
        self.blocks = nn.Sequential()
        for number in range(config.blocks):
            stride = config.stride if number == 0 else 1
            channels = inputs if number == 0 else config.channels
            self.blocks.append(
                InvertedResidual(channels, config.channels, config.expansion, config.kernel, stride)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x)


class EfficientNetLite0(nn.Module):
    """RGB pictures (N, 3, S, S) in [0, 1] -> logits (N, 11), the last for none of the ten."""

    def __init__(self, outputs: int = 11) -> None:
        super().__init__()
        channels = [STEM_CHANNELS, *(config.channels for config in STAGES)]
        stages = {f"stage{i}": Stage(channels[i - 1], config) for i, config in enumerate(STAGES, 1)}
        self.stages = nn.Sequential(
            OrderedDict[str, nn.Module](
                normalize=Normalize(),
                stem=Convolution(3, STEM_CHANNELS, 3, stride=2),  # (N, 32, S/2, S/2)
                **stages,  # (N, 16, S/2, S/2) to (N, 320, S/32, S/32)
                head=Convolution(channels[-1], HEAD_CHANNELS),  # (N, 1280, S/32, S/32)
                pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),  # (N, 1280)
                classifier=nn.Linear(HEAD_CHANNELS, outputs),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stages(x)
