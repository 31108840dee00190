"""What a network and its steps have to say, in sentences for somebody who has never seen one."""

from typing import Any

import torch
from torch import nn

from fashion_model.blocks import Residual
from fashion_model.networks import Closer

ENGLISH = {
    "input": "The picture as the network reads it: 28 rows of 28 numbers, from 0 (black) to 1 "
    "(white).",
    "flatten": "The numbers are laid end to end, as one list of {count}. None changes.",
    "logits": "One number for each class, its logit: a weighted sum of the {inputs} numbers before "
    "it. The higher, the more the network leans to that class.",
    "linear": "Each of {outputs} units multiplies the {inputs} numbers with weights of its own and "
    "adds them up. Training has found these weights: {learned} numbers, with one to start from "
    "(the bias) for each unit.",
    "relu": "What is below 0 becomes 0: {off} of the units are off. Without this bend, all layers "
    "together could do no more than one.",
    "unshuffle": "Each {side}x{side} square of pixels becomes one place with {square} numbers. "
    "None changes, and the layers to come have fewer places to visit.",
    "convolution": "Each of {outputs} filters slides over the {inputs} maps, and notes how well "
    "each {size} spot fits its pattern. Training has found these patterns: {learned} numbers.",
    "strided": "Each of {outputs} filters slides over the {inputs} maps in steps of {step}, so "
    "that the maps shrink, and notes how well each {size} spot fits its pattern. Training has "
    "found these patterns: {learned} numbers.",
    "beside": "Here {groups} networks lie side by side, whose logits are averaged in the end: each "
    "of {outputs} filters slides over the {inputs} maps of its own one, and notes how well each "
    "{size} spot fits its pattern. Training has found these patterns: {learned} numbers.",
    "beside strided": "Each of {outputs} filters slides over the {inputs} maps of its own network "
    "in steps of {step}, so that the maps shrink, and notes how well each {size} spot fits its "
    "pattern. Training has found these patterns: {learned} numbers.",
    "residual": "Two convolutions, each with its bend, look at the {inputs} maps; what they find "
    "is added to the maps, so that nothing seen before is lost. Training has found their "
    "patterns: {learned} numbers.",
    "pool": "Of each map only the largest number stays: how clearly its pattern shows anywhere in "
    "the picture. That makes {outputs} numbers.",
    "closer photo": "A photo gets a closer look: another network reads the garment as {side} rows "
    "of {side} numbers, and beside it where the garment is and where not. It learned its "
    "garments from photos alone, in {learned} numbers, and has ten logits of its own.",
    "closer colour": "A photo gets a closer look in colour: another network reads it in red, green "
    "and blue, {side} rows of {side} numbers each, with the ground around the garment, and beside "
    "them where the garment is. It learned its garments from photos alone, in {learned} "
    "numbers, and has ten logits of its own.",
    "closer drawing": "A drawing gets a closer look: another network reads its lines, {side} rows "
    "of {side} numbers, and beside them what they enclose. It learned its garments from drawings "
    "by people alone, in {learned} numbers, and has ten logits of its own.",
    "sum": "The logits of all networks are added: each makes mistakes that the others do not.",
    "other": "{inputs} numbers become {outputs}.",
    "softmax": "e to the power of each logit, divided by the sum of all ten: ten confidences that "
    "add up to 1.",
    "tempered": "Each logit is divided by {temperature}, the temperature; then e to that power is "
    "divided by the sum of all ten: ten confidences that add up to 1. The temperature was set "
    "after training, on pictures held out, so that of the answers given with 80 % confidence "
    "about 80 % are right. It differs from picture to picture: higher where more than 90 % would "
    "be claimed too easily, so that hardly a wrong answer is given with more than 90 %; and such "
    "that the network stays unsure where its logits say less than those of nearly all garments.",
    "argmax": "The answer is the class with the highest confidence: {label}.",
    "unknown": "This looks like nothing the network knows. The closest of its ten classes is "
    "{first}, with only {p}.",
    "perhaps": "Perhaps {first} ({p}), or else {second} ({q}).",
    "over 99": "{first}, with over 99% confidence.",
    "sure": "{first}, with {p} confidence.",
}


class Said(str):
    """A sentence in English; key of ENGLISH and values are what other languages make it from."""

    key: str
    values: dict[str, str]

    def __deepcopy__(self, memo: Any) -> "Said":
        return self


def say(key: str, **values: str | int) -> Said:
    """The sentence key with values filled in; whole numbers get their thousands separated."""
    texts = {k: f"{v:,}" if isinstance(v, int) else v for k, v in values.items()}
    said = Said(ENGLISH[key].format(**texts))
    said.key, said.values = key, texts
    return said


def sentence(module: nn.Module, before: torch.Tensor, after: torch.Tensor, last: bool) -> Said:
    """What module did to before to make after; last where these are the logits."""
    learned = sum(parameter.numel() for parameter in module.parameters())
    if isinstance(module, nn.Flatten):
        return say("flatten", count=str(after.numel()))
    if isinstance(module, nn.Linear) and last:
        return say("logits", inputs=str(before.shape[-1]))
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
        alone, beside = ("convolution", "beside") if step == 1 else ("strided", "beside strided")
        key = alone if groups == 1 else beside
        maps = {"outputs": module.out_channels, "inputs": module.in_channels // groups}
        size = f"{height}x{width}"
        return say(key, **maps, groups=groups, step=step, size=size, learned=learned)
    if isinstance(module, Residual):
        return say("residual", inputs=str(before.shape[1]), learned=learned)
    if isinstance(module, nn.AdaptiveMaxPool2d):
        return say("pool", outputs=str(after.numel()))
    return say("other", inputs=str(before.numel()), outputs=str(after.numel()))


def closer(network: Closer, fine: torch.Tensor) -> Said:
    """What network does, which takes a closer look at fine (1, C, S, S)."""
    learned = sum(p.numel() for p in network.parameters())
    return say(f"closer {network.name}", side=fine.shape[-1], learned=learned)


def softmax(temperature: float) -> Said:
    if temperature == 1:
        return say("softmax")
    return say("tempered", temperature=f"{temperature:.4g}")


def answer(confidences: dict[str, float], known: bool) -> Said:
    """The answer in words; confidences most confident first, known as Answer has it."""
    (first, p), (second, q) = list(confidences.items())[:2]
    if not known:
        return say("unknown", first=first, p=f"{p:.0%}")
    if p < 0.5 or p - q < 0.2:
        return say("perhaps", first=first, p=f"{p:.0%}", second=second, q=f"{q:.0%}")
    if p > 0.99:
        return say("over 99", first=first)
    return say("sure", first=first, p=f"{p:.0%}")


def off(activations: torch.Tensor) -> float:
    """The share of units that a ReLU switched off."""
    return (activations == 0).float().mean().item()
