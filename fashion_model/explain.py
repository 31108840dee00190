"""What each layer did with one picture, and which of its pixels decided.

classifier = fashion_model.load()
model_input = classifier.preprocess("shirt.png")
network = classifier.networks[model_input.kind]
steps = explain.steps_of(classifier, model_input)
marks = explain.saliency(network, model_input.tensor, 6)
visualization.overlay(model_input.picture, model_input.box, marks).show()
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from fashion_model import calibration, script, sentences
from fashion_model.calibration import Calibration
from fashion_model.classifier import Classifier
from fashion_model.efficientnet import Convolution, Stage
from fashion_model.networks import CLASSES, Residual
from fashion_model.preprocessing import ModelInput

VERSIONS = 12  # of the picture, for one saliency map; 16 move no figure of saliency by over 0.02
VERSIONS_PER_PASS = 3  # versions: of a photo, each holds 27 MB until its gradient is known
PATCHES = 7  # a side, of the noise by which parts of the picture fade
BLUR = 0.025  # of the side of the picture; lone pixels are hard to see on it
LARGEST = 700.0  # exponent of e that a float still holds
UNCALIBRATED = Calibration()


@dataclass(frozen=True)
class Term:
    """One class in softmax: probability = exponential / total, exponential = e ** scaled, and
    confidence = (1 - b) * probability + b / 10, where b is how likely none of the ten is."""

    label: str
    logit: float
    scaled: float  # logit / temperature
    exponential: float
    total: float  # of all ten exponentials
    probability: float
    confidence: float


@dataclass(frozen=True)
class Step:
    """One step from the picture to the answer.

    name: the module's name in the network, or "input", "softmax", "none" or "argmax". title: what
    people call it. module: the module in one line, "" for the input. code: the line of PyTorch that
    does it, from x. shape: that of activations, as text. activations: what came out, float32.
    message: what happened, for a newcomer, a str. off: the share of units that are 0, of a ReLU;
    else None. terms: the arithmetic of softmax, most confident first; else empty.
    """

    name: str
    title: str
    module: str
    code: str
    shape: str
    activations: np.ndarray
    message: sentences.Sentence
    off: float | None = None
    terms: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Unit:
    """A unit, or a channel, that fired: its number, how strongly, and a picture of it (H, W)."""

    index: int
    strength: float
    picture: np.ndarray


def steps_of(classifier: Classifier, model_input: ModelInput) -> list[Step]:
    """layers of the network that reads model_input, with the calibration of its kind."""
    kind = model_input.kind
    return layers(classifier.networks[kind], model_input.tensor, classifier.calibrations[kind])


@torch.inference_mode()
def layers(
    network: nn.Module, tensor: torch.Tensor, calibrated: Calibration = UNCALIBRATED
) -> list[Step]:
    """The steps of network, a chain of modules, on tensor (1, C, H, W), what it reads.

    calibrated: that of the picture's kind. Raises ValueError if the modules, one after the other,
    are not what the network computes.
    """
    x = _on_device(network, tensor)
    wanted = network(x)
    steps = [_step("input", "Input", "", script.READ, x, sentences.of_input(x))]
    for name, module in named_layers(network):
        before, x = x, module(x)
        last = x.shape == wanted.shape
        message = sentences.of_module(module, before, x, last)
        title = "Logits" if last else type(module).__name__
        off = sentences.off(x) if isinstance(module, nn.ReLU) else None
        code = script.call(name, last)
        steps.append(_step(name, title, summarize(module), code, x, message, off=off))
    if x.shape != wanted.shape or not torch.allclose(x, wanted, rtol=1e-4, atol=1e-4):
        raise ValueError(f"{type(network).__name__} is no chain of its modules: no steps to show.")
    return steps + _last_steps(wanted, calibrated)


def _last_steps(logits: torch.Tensor, calibrated: Calibration) -> list[Step]:
    """From the logits (1, 10 or 11) to the answer."""
    confidences, none = calibration.apply(logits.cpu(), calibrated)
    softmax = nn.Softmax(dim=1)
    x = softmax(logits[:, : len(CLASSES)] / calibrated.temperature)
    terms, code = softmax_terms(logits[0], calibrated), script.softmax(logits.shape[1], calibrated)
    message = sentences.softmax(calibrated.temperature)
    steps = [_step("softmax", "Softmax", repr(softmax), code, x, message, terms=terms)]
    if none.item() > 0:
        module, code = "(1 - b) * p + b / 10", script.none(calibrated)
        message = sentences.say("none", p=f"{none.item():.0%}")
        steps.append(_step("none", "None of the ten", module, code, confidences, message))
    message, y = sentences.say("argmax", label=terms[0].label), confidences.argmax(1)
    return [*steps, _step("argmax", "Argmax", "argmax(1)", script.ANSWER, y, message)]


def softmax_terms(logits: torch.Tensor, calibrated: Calibration = UNCALIBRATED) -> tuple[Term, ...]:
    """Softmax of logits (10,) or (11,), written out for the ten classes; most confident first."""
    confidences = calibration.apply(logits[None].cpu(), calibrated)[0][0].tolist()
    temperature = calibrated.temperature
    values = logits[: len(CLASSES)].double().cpu().tolist()
    exponentials = [math.exp(min(value / temperature, LARGEST)) for value in values]
    total = sum(exponentials)
    rows = zip(CLASSES, values, exponentials, confidences, strict=True)
    terms = [Term(k, v, v / temperature, e, total, e / total, c) for k, v, e, c in rows]
    return tuple(sorted(terms, key=lambda term: -term.confidence))


def templates(network: nn.Module, steps: Sequence[Step], count: int) -> list[Unit]:
    """What the first layers looked for and found, strongest first. steps: what layers gave.

    Where the first layer is Linear: its units that fired most, each with its weights as a 28x28
    picture (positive where a bright pixel speaks for the unit). Else the strongest of the first
    feature maps, the last ones of their size.
    """
    found = {step.name: step.activations[0] for step in steps}
    modules = list(named_layers(network))
    linear = next((m for _, m in modules if not isinstance(m, nn.Flatten)), None)
    if isinstance(linear, nn.Linear):
        pictures: Any = linear.weight.detach().float().cpu().view(-1, 28, 28).numpy()
        (_, _), (relu, _) = next(
            pair for pair in pairwise(modules) if isinstance(pair[1][1], nn.ReLU)
        )
        strengths = found[relu]
    else:
        gives_maps = nn.ReLU | Residual | Convolution | Stage
        maps = [found[name] for name, module in modules if isinstance(module, gives_maps)]
        pictures = [each for each in maps if each.shape[-2:] == maps[0].shape[-2:]][-1]
        strengths = pictures.max((1, 2))
    order = np.argsort(-strengths, kind="stable")[:count]
    return [Unit(int(i), float(strengths[i]), pictures[i]) for i in order]


def saliency(network: nn.Module, tensor: torch.Tensor, label: int) -> np.ndarray[Any, Any]:
    """How much each pixel of tensor (1, C, H, W) speaks for class label: float32 (H, W) in [0, 1].

    1 is the pixel that says most; all are 0 if none speaks for the class. What is measured is the
    gradient of the class's log odds times the pixel, over versions of the picture from which
    smooth random patches fade, from hardly to almost all: integrated gradients (Sundararajan et
    al. 2017, arXiv 1703.01365) along the paths of RISE's masks (Petsiuk et al. 2018, arXiv
    1806.07421). A picture in color fades to the median color of its rim,
    so that the background says nothing, others to black. It was chosen by how far
    confidence falls when the 40 marked pixels turn black, the mean of
    tests/data/fashion_mnist_sheet.png: by 0.58 (mlp) and 0.32 (cnn), where 40 random pixels of the
    garment cost 0.06 and 0.11.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = _on_device(network, tensor).clone()
        nothing = _rim(x) if x.shape[1] == 3 else torch.zeros_like(x)
        versions = nothing + (x - nothing) * _fading(x.shape[-2:]).to(x.device)
        gradients = []
        for part in versions.split(VERSIONS_PER_PASS):
            logits = network(part.requires_grad_())
            others = logits[:, [i for i in range(logits.shape[1]) if i != label]]
            odds = (logits[:, label] - others.logsumexp(1)).sum()
            gradients += torch.autograd.grad(odds, part)
    gradient = torch.cat(gradients).mean(0, keepdim=True)
    marks = (gradient * (x - nothing)).detach().float().cpu()
    width = BLUR * marks.shape[-1]
    radius = math.ceil(2.5 * width)
    strength = marks.sum(1)[0].clamp(min=0).numpy()
    shown = ndimage.gaussian_filter(strength, width, radius=radius, mode="constant")
    return np.asarray(shown / (shown.max() or 1.0))


def _rim(x: torch.Tensor) -> torch.Tensor:
    """The median color of the rim of x (1, C, H, W): (1, C, 1, 1)."""
    wide = max(1, x.shape[-1] // 16)
    rim = torch.ones(x.shape[-2:], dtype=torch.bool, device=x.device)
    rim[wide:-wide, wide:-wide] = False
    return x[..., rim].median(-1).values[..., None, None]


def _fading(size: torch.Size) -> torch.Tensor:
    """How much of each pixel is left in each of VERSIONS: (VERSIONS, 1, H, W) in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    patches = torch.rand(VERSIONS, 1, PATCHES, PATCHES, generator=generator)
    shares = (torch.arange(VERSIONS) + 0.5).view(-1, 1, 1, 1) / VERSIONS
    smooth = F.interpolate(patches, list(size), mode="bilinear")
    return (smooth + shares - 0.5).clamp(0, 1)


def named_layers(network: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules that compute, in order, with their names in network."""
    for name, child in network.named_children():
        if type(child) is nn.Sequential:
            yield from named_layers(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def summarize(module: nn.Module) -> str:
    """module in one line: its own repr, or its name with those of its parts."""
    if not any(True for _ in module.children()):
        return repr(module)
    parts = [p for p in module.modules() if not [*p.children()] and type(p) is not nn.Identity]
    return f"{type(module).__name__}({', '.join(type(part).__name__ for part in parts)})"


def _on_device(network: nn.Module, tensor: torch.Tensor) -> torch.Tensor:
    if tensor.ndim != 4 or len(tensor) != 1:
        raise ValueError(f"one picture must be (1, C, H, W), not {tuple(tensor.shape)}.")
    return tensor.to(next(network.parameters()).device, torch.float32)


def _step(
    name: str,
    title: str,
    module: str,
    code: str,
    x: torch.Tensor,
    message: sentences.Sentence,
    **more: Any,
) -> Step:
    shape, values = f"torch.Size({list(x.shape)})", x.float().cpu().numpy()
    return Step(name, title, module, code, shape, values, message, **more)
