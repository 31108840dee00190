"""What a network and its steps have to say, in sentences for somebody who has never seen one."""

import torch
from torch import nn

from fashion_model.calibration import OUT_OF_DISTRIBUTION
from fashion_model.efficientnet import Convolution, Normalize, Stage
from fashion_model.networks import CLASSES, Residual, parameter_count

ENGLISH = {
    "input": "The picture as the network reads it: 28 rows of 28 numbers, from 0 (black) to 1 "
    "(white).",
    "flatten": "The numbers are laid end to end, as one list of {count}. None changes.",
    "logits": "One number for each class, called its logit: the {inputs} numbers before it, each "
    "times a weight, added up. The higher it is, the more the network leans to that class.",
    "logits and none": "One number for each class, called its logit, and one for a picture of none "
    "of the ten: the {inputs} numbers before it, each times a weight, added up. The higher it is, "
    "the more the network leans to it.",
    "linear": "Each of {outputs} units multiplies the {inputs} numbers by weights of its own and "
    "adds them up. Training has found these weights: {learned} numbers, with one to start from "
    "(the bias) for each unit.",
    "relu": "What is below 0 becomes 0: {off} of the units are off. Without this step, all layers "
    "together could do no more than a single one.",
    "unshuffle": "Each {side}x{side} square of pixels becomes one place with {square} numbers. "
    "None changes, and the layers to come have fewer places to visit.",
    "convolution": "Each of {outputs} filters slides over the {inputs} maps, and notes how well "
    "each {size} spot fits its pattern. Training has found these patterns: {learned} numbers.",
    "strided": "Each of {outputs} filters slides over the {inputs} maps in steps of {step}, so "
    "that the maps shrink, and notes how well each {size} spot fits its pattern. Training has "
    "found these patterns: {learned} numbers.",
    "grouped": "Here {groups} networks lie side by side, whose logits are averaged in the end: "
    "each of {outputs} filters slides over the {inputs} maps of its own one, and notes how well "
    "each {size} spot fits its pattern. Training has found these patterns: {learned} numbers.",
    "grouped strided": "Each of {outputs} filters slides over the {inputs} maps of its own network "
    "in steps of {step}, so that the maps shrink, and notes how well each {size} spot fits its "
    "pattern. Training has found these patterns: {learned} numbers.",
    "residual": "Two convolutions, each with a ReLU, look at the {inputs} maps; what they find "
    "is added to the maps, so that nothing seen before is lost. Training has found their "
    "patterns: {learned} numbers.",
    "pool": "Of each map only the largest number stays: how clearly its pattern shows anywhere in "
    "the picture. That makes {outputs} numbers.",
    "average": "Of each map only the mean stays. That makes {outputs} numbers.",
    "normalize": "The numbers are stretched to go from -1 to 1, as in the pictures from which this "
    "network learned first.",
    "stem": "Each of {outputs} filters slides over the {inputs} maps in steps of {step}, so that "
    "the maps shrink, and notes how well each {size} spot fits its pattern; below 0 becomes "
    "0, above 6 becomes 6. Training has found these patterns: {learned} numbers.",
    "head": "{outputs} sums of the {inputs} maps, each with weights of its own; below 0 "
    "becomes 0, above 6 becomes 6. Training has found these weights: {learned} numbers.",
    "stage": "Blocks in a row: {blocks}. Each slides one small filter over each of its maps, and "
    "mixes what these filters find. {inputs} maps become {outputs}. Training has found these "
    "patterns: {learned} numbers.",
    "input color": "The picture as the network reads it: {side} rows of {side} colors, each of "
    "three numbers (red, green, blue) from 0 to 1.",
    "input lines": "The drawing as the network reads it: {side} rows of {side} numbers for its "
    "lines, and as many for what they enclose.",
    "other": "{inputs} numbers become {outputs}.",
    "softmax": "e (about 2.718) to the power of each logit, divided by the sum of all ten: ten "
    "confidences that add up to 1.",
    "tempered": "Each logit is divided by {temperature}, the temperature; then e (about 2.718) to "
    "that power is divided by the sum of all ten: ten confidences that add up to 1. The "
    "temperature was chosen after training, on pictures that the network had not seen, so that it "
    "is right about 80 times out of 100 when it says 80%.",
    "none": "The picture shows none of the ten classes with a probability of {p}. That much of the "
    "confidence is spread evenly over all ten.",
    "argmax": "The answer is the class with the highest confidence: {label}.",
    "unknown": "None of these ({none}). The closest of the ten classes is {first}.",
    "perhaps": "Perhaps {first} ({p}), or else {second} ({q}).",
    "over 99": "{first}, with over 99% confidence.",
    "sure": "{first}, with {p} confidence.",
}


class Sentence(str):
    """A sentence in English; key of ENGLISH and values are what other languages make it from."""

    key: str
    values: dict[str, str]


def say(key: str, **values: str | int) -> Sentence:
    """The sentence key with values filled in; whole numbers get their thousands separated."""
    texts = {k: f"{v:,}" if isinstance(v, int) else v for k, v in values.items()}
    sentence = Sentence(ENGLISH[key].format(**texts))
    sentence.key, sentence.values = key, texts
    return sentence


def of_module(module: nn.Module, before: torch.Tensor, after: torch.Tensor, last: bool) -> Sentence:
    """What module did to before to make after; last where these are the logits."""
    learned = parameter_count(module)
    if isinstance(module, nn.Flatten):
        return say("flatten", count=str(after.numel()))
    if isinstance(module, nn.Linear) and last:
        key = "logits" if after.shape[-1] == len(CLASSES) else "logits and none"
        return say(key, inputs=str(before.shape[-1]))
    if isinstance(module, nn.Linear):
        units = {"outputs": str(after.shape[-1]), "inputs": str(before.shape[-1])}
        return say("linear", **units, learned=learned)
    if isinstance(module, nn.ReLU):
        return say("relu", off=f"{off(after):.0%}")
    if isinstance(module, nn.PixelUnshuffle):
        side = module.downscale_factor
        return say("unshuffle", side=side, square=side * side)
    if isinstance(module, nn.Conv2d):
        step, (height, width) = module.stride[0], module.kernel_size
        groups = module.groups
        alone, grouped = ("convolution", "grouped") if step == 1 else ("strided", "grouped strided")
        key = alone if groups == 1 else grouped
        maps = {"outputs": module.out_channels, "inputs": module.in_channels // groups}
        size = f"{height}x{width}"
        return say(key, **maps, groups=groups, step=step, size=size, learned=learned)
    if isinstance(module, Residual):
        return say("residual", inputs=str(before.shape[1]), learned=learned)
    if isinstance(module, nn.AdaptiveMaxPool2d):
        return say("pool", outputs=str(after.numel()))
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return say("average", outputs=str(after.numel()))
    if isinstance(module, Normalize):
        return say("normalize")
    if isinstance(module, Convolution | Stage):
        return _of_efficientnet(module, before, after, learned)
    return say("other", inputs=str(before.numel()), outputs=str(after.numel()))


def _of_efficientnet(
    module: Convolution | Stage, before: torch.Tensor, after: torch.Tensor, learned: int
) -> Sentence:
    maps = {"inputs": before.shape[1], "outputs": after.shape[1]}
    if isinstance(module, Stage):
        return say("stage", blocks=len(module.blocks), **maps, learned=learned)
    step, (height, width) = module.conv.stride[0], module.conv.kernel_size
    if height == 1:
        return say("head", **maps, learned=learned)
    return say("stem", **maps, step=step, size=f"{height}x{width}", learned=learned)


def of_input(tensor: torch.Tensor) -> Sentence:
    """What a network reads, (1, C, H, W)."""
    key = {1: "input", 2: "input lines", 3: "input color"}[tensor.shape[1]]
    return say(key, side=tensor.shape[-1])


def softmax(temperature: float) -> Sentence:
    if temperature == 1:
        return say("softmax")
    return say("tempered", temperature=f"{temperature:.4g}")


def answer(confidences: dict[str, float], out_of_distribution: float) -> Sentence:
    """The answer in words; confidences most confident first, both as in Prediction."""
    (first, p), (second, q) = list(confidences.items())[:2]
    if out_of_distribution >= OUT_OF_DISTRIBUTION:
        none = "over 99%" if out_of_distribution > 0.99 else f"{out_of_distribution:.0%}"
        return say("unknown", first=first, none=none)
    if p < 0.5 or p - q < 0.2:
        return say("perhaps", first=first, p=f"{p:.0%}", second=second, q=f"{q:.0%}")
    if p > 0.99:
        return say("over 99", first=first)
    return say("sure", first=first, p=f"{p:.0%}")


def off(activations: torch.Tensor) -> float:
    """The share of units that a ReLU switched off."""
    return (activations == 0).float().mean().item()
