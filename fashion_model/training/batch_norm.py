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


class Normed(nn.Sequential):
    """A Linear or Conv2d with the batch norm that folding multiplies into it."""


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


@torch.no_grad()
def unfold(plain: nn.Module, x: torch.Tensor) -> nn.Module:
    """A twin with batch norm, in eval mode, that computes what plain does: it can train on.

    x is what the twin will train on, a batch (N, 1, 28, 28) for a network of pictures: the norms
    start with its statistics. Batch norm makes the weights of a unit free of scale, so each
    unit's are scaled to norm one.
    """
    twin = with_batch_norm(plain).to(x.device).eval()

    def measure(layer: nn.Module, _: object, y: torch.Tensor) -> None:
        norm = norms[layer]
        every = [axis for axis in range(y.ndim) if axis != 1]
        variance, mean = torch.var_mean(y, every, correction=0)
        state = norm.state_dict()  # views of what the norm computes with
        state["weight"].copy_((variance + norm.eps).sqrt())
        state["bias"].copy_(mean)
        state["running_mean"].copy_(mean)
        state["running_var"].copy_(variance)

    norms = {module[0]: cast(nn.BatchNorm2d, module[1]) for module in _normed(twin)}
    hooks = [layer.register_forward_hook(measure) for layer in norms]
    twin(x)
    for hook in hooks:
        hook.remove()
    for layer, norm in norms.items():
        own, state = layer.state_dict(), norm.state_dict()
        scale = own["weight"].flatten(1).norm(dim=1)
        scale[scale == 0] = 1
        own["weight"].div_(scale.view(-1, *[1] * (own["weight"].ndim - 1)))
        own["bias"].div_(scale)
        state["running_mean"].div_(scale)
        # so that the norm divides by what it did before, in units of the scaled weights
        state["running_var"].add_(norm.eps).div_(scale**2).sub_(norm.eps)
    return twin


def _normed(twin: nn.Module) -> list[Normed]:
    return [module for module in twin.modules() if isinstance(module, Normed)]
