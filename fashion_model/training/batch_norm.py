"""Batch norm for training only: put in before, multiplied into the weights after.

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

from fashion_model.networks import ARCHITECTURES


class Normed(nn.Sequential):
    """A Linear or Conv2d with the batch norm that folding multiplies into it."""


def untrained(architecture: str, seed: int, device: torch.device) -> nn.Module:
    """A network of ARCHITECTURES as the seed makes it, with batch norm, ready to train."""
    torch.manual_seed(seed)
    twin = with_batch_norm(ARCHITECTURES[architecture]()).to(device)
    # on a CPU, convolutions and batch norm are a sixth faster in this layout
    return twin.to(memory_format=torch.channels_last)


def with_batch_norm(network: nn.Module) -> nn.Module:
    """A copy of network that trains with batch norm; fold() makes it the plain network again."""
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


def fold(twin: nn.Module) -> nn.Module:
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
