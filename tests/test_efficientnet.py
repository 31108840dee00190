"""EfficientNet-Lite0 against the table of the paper, and its padding by hand.

With timm's weights of tf_efficientnet_lite0, batch norm folded, it gave timm's logits to 1e-4 at
33, 64, 75 and 160 pixels (2026-11-29); timm is no requirement of this project.
"""

import pytest
import torch
from torch import nn

from fashion_model import explain
from fashion_model.efficientnet import (
    Convolution,
    EfficientNetLite0,
    InvertedResidual,
    Normalize,
    Stage,
    StageConfig,
)

# Expansion, channels, blocks, stride and kernel, as in Table 1 of the paper, with the stem and the
# head that Lite0 keeps: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
TABLE = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return EfficientNetLite0().eval()


@torch.no_grad()
def picking(row: int, column: int, kernel: int, stride: int, **options) -> Convolution:
    """A convolution whose output is the padded input's pixel at (row, column) of each window."""
    convolution = Convolution(1, 1, kernel, stride, **options)
    convolution.conv.weight.zero_()[0, 0, row, column] = 1
    convolution.conv.bias.zero_()
    return convolution


def counting(side: int) -> torch.Tensor:
    """(1, 1, side, side), whose pixels are 1, 2, 3, ..."""
    return torch.arange(1.0, side * side + 1).view(1, 1, side, side)


def test_same_padding_of_an_even_side_goes_right_and_down():
    """4 pixels at stride 2 with 3 taps: one pixel of padding, so that windows begin at 0 and 2."""
    x = counting(4)
    first = picking(0, 0, 3, 2, linear=True)(x)
    assert first[0, 0].tolist() == [[1, 3], [9, 11]]
    last = picking(2, 2, 3, 2, linear=True)(x)
    assert last[0, 0].tolist() == [[11, 0], [0, 0]]


def test_same_padding_of_an_odd_side_goes_to_both():
    """5 pixels at stride 2 with 3 taps: two pixels of padding, windows begin at -1, 1 and 3."""
    x = counting(5)
    first = picking(0, 0, 3, 2, linear=True)(x)
    assert first[0, 0].tolist() == [[0, 0, 0], [0, 7, 9], [0, 17, 19]]
    last = picking(2, 2, 3, 2, linear=True)(x)
    assert last[0, 0].tolist() == [[7, 9, 0], [17, 19, 0], [0, 0, 0]]


def test_same_padding_of_five_taps():
    """8 pixels at stride 2: three pixels of padding, one before; windows begin at -1, 1, 3, 5."""
    row = picking(0, 1, 5, 2, linear=True)(counting(8))[0, 0]
    assert row[1].tolist() == [9, 11, 13, 15]
    assert row[0].tolist() == [0, 0, 0, 0]
    row = picking(1, 4, 5, 2, linear=True)(counting(8))[0, 0, 0]
    assert row.tolist() == [4, 6, 8, 0]
    x = counting(6)
    assert torch.equal(picking(2, 2, 5, 1, linear=True)(x), x)


@pytest.mark.parametrize(("height", "width"), [(7, 8), (1, 1), (2, 9)])
def test_a_stride_of_two_halves_each_side_upwards(height, width):
    x = torch.rand(2, 1, height, width)
    for kernel in (3, 5):
        shape = Convolution(1, 4, kernel, 2)(x).shape
        assert shape == (2, 4, -(-height // 2), -(-width // 2))


def test_a_convolution_is_clipped_at_0_and_6_unless_linear():
    x = torch.tensor([-1.0, 0.5, 6.5]).view(1, 1, 1, 3)
    assert picking(0, 0, 1, 1)(x).flatten().tolist() == [0, 0.5, 6]
    assert picking(0, 0, 1, 1, linear=True)(x).flatten().tolist() == [-1, 0.5, 6.5]


def test_pixels_are_normalized_to_1_around_0():
    assert Normalize()(torch.tensor([0.0, 0.25, 1.0])).tolist() == [-1, -0.5, 1]


@torch.no_grad()
def test_a_block_adds_its_input_where_the_shape_stays():
    x = torch.rand(2, 8, 9, 9)
    for outputs, stride, added in ((8, 1, True), (8, 2, False), (12, 1, False)):
        block = InvertedResidual(8, outputs, 6, 3, stride)
        for parameter in block.project.parameters():
            parameter.zero_()
        y = block(x)
        assert y.shape == (2, outputs, -(-9 // stride), -(-9 // stride))
        assert torch.equal(y, x) if added else not y.any()


def test_a_block_widens_filters_and_narrows():
    block = InvertedResidual(8, 12, 6, 5, 2)
    convolutions = [block.expand.conv, block.depthwise.conv, block.project.conv]
    shapes = [tuple(convolution.weight.shape) for convolution in convolutions]
    assert shapes == [(48, 8, 1, 1), (48, 1, 5, 5), (12, 48, 1, 1)]
    assert [block.expand.linear, block.depthwise.linear, block.project.linear] == [0, 0, 1]
    assert type(InvertedResidual(8, 12, 1, 3, 1).expand) is nn.Identity


def test_only_the_first_block_of_a_stage_has_its_stride():
    stage = Stage(8, StageConfig(6, 12, 3, 2, 3))
    assert [block.depthwise.conv.stride for block in stage.blocks] == [(2, 2), (1, 1), (1, 1)]
    assert [block.residual for block in stage.blocks] == [False, True, True]


def convolution_parameters(inputs: int, outputs: int, kernel: int = 1, groups: int = 1) -> int:
    return inputs // groups * outputs * kernel**2 + outputs


def test_the_parameters_are_those_of_the_table(network):
    expected, inputs = convolution_parameters(3, 32, 3), 32
    for expansion, channels, blocks, _, kernel in TABLE:
        for _ in range(blocks):
            wide = inputs * expansion
            if expansion > 1:
                expected += convolution_parameters(inputs, wide)
            expected += convolution_parameters(wide, wide, kernel, wide)
            expected += convolution_parameters(wide, channels)
            inputs = channels
    expected += convolution_parameters(320, 1280) + 1280 * 11 + 11
    assert sum(p.numel() for p in network.parameters()) == expected == 3_364_091


@pytest.mark.parametrize("side", [64, 75])
@torch.inference_mode()
def test_each_stage_is_one_step_and_has_its_shape(network, side):
    names = [name.removeprefix("stages.") for name, _ in explain.named_layers(network)]
    stages = [f"stage{number}" for number in range(1, 8)]
    ends = ["head", "pool.0", "pool.1", "classifier"]
    assert names == ["normalize", "stem", *stages, *ends]
    x, expected = torch.rand(2, 3, side, side), {}
    side = -(-side // 2)
    expected["stem"] = (2, 32, side, side)
    for name, (_, channels, _, stride, _) in zip(stages, TABLE, strict=True):
        side = -(-side // stride)
        expected[name] = (2, channels, side, side)
    expected["head"] = (2, 1280, side, side)
    wanted = network(x)
    for (_, module), name in zip(explain.named_layers(network), names, strict=True):
        x = module(x)
        if name in expected:
            assert x.shape == expected[name], name
    assert torch.equal(x, wanted)
    assert wanted.shape == (2, 11)
