"""What a step of a network does, in a sentence or two for somebody who has never seen one."""

import torch
from torch import nn

INPUT = "The picture as the network reads it: 28 rows of 28 numbers, from 0 (black) to 1 (white)."


def sentence(module: nn.Module, before: torch.Tensor, after: torch.Tensor, last: bool) -> str:
    """What module did to before to make after; last where these are the logits."""
    learned = sum(parameter.numel() for parameter in module.parameters())
    if isinstance(module, nn.Flatten):
        return f"The numbers are laid end to end, as one list of {after.numel()}. None changes."
    if isinstance(module, nn.Linear) and last:
        return (
            f"One number for each class, its logit: a weighted sum of the {before.shape[-1]} "
            f"numbers before it. The higher, the more the network leans to that class."
        )
    if isinstance(module, nn.Linear):
        return (
            f"Each of {after.shape[-1]} units multiplies the {before.shape[-1]} numbers with "
            f"weights of its own and adds them up. Training has found these weights: {learned:,} "
            f"numbers, with one to start from (the bias) for each unit."
        )
    if isinstance(module, nn.ReLU):
        return (
            f"What is below 0 becomes 0: {off(after):.0%} of the units are off. Without this bend, "
            f"all layers together could do no more than one."
        )
    if isinstance(module, nn.PixelUnshuffle):
        side = module.downscale_factor
        return (
            f"Each {side}x{side} square of pixels becomes one place with {side * side} numbers. "
            f"None changes, and the layers to come have fewer places to visit."
        )
    if isinstance(module, nn.Conv2d):
        step, (height, width) = module.stride[0], module.kernel_size
        stride = "" if step == 1 else f" in steps of {step}, so that the maps shrink"
        return (
            f"Each of {module.out_channels} filters slides over the {module.in_channels} maps"
            f"{stride}, and notes how well each {height}x{width} spot fits its pattern. Training "
            f"has found these patterns: {learned:,} numbers."
        )
    if isinstance(module, nn.AdaptiveMaxPool2d):
        return (
            f"Of each map only the largest number stays: how clearly its pattern shows anywhere "
            f"in the picture. That makes {after.numel()} numbers."
        )
    return f"{before.numel()} numbers become {after.numel()}."


def softmax(temperature: float) -> str:
    share = "divided by the sum of all ten: ten confidences that add up to 1."
    if temperature == 1:
        return f"e to the power of each logit, {share}"
    return (
        f"Each logit is divided by {temperature:.4g}, the temperature; then e to that power is "
        f"{share} The temperature was set after training, on pictures held out, so that of the "
        f"answers given with 80 % confidence about 80 % are right."
    )


def off(activations: torch.Tensor) -> float:
    """The share of units that a ReLU switched off."""
    return (activations == 0).float().mean().item()
