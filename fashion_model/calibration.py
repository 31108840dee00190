"""Logits -> confidences that are as high as they are right, and how likely it is none of the ten.

One formula for all networks: confidence = (1 - b) * softmax(logits / T) + b / 10, where b is the
probability that the picture shows a thing of none of the ten classes. It is that of the
background class of a network that was trained with one (11 logits), else 0.
"""

import math
from dataclasses import dataclass

import torch

from fashion_model.networks import CLASSES

TEMPERATURES = 0.05, 20.0  # where the one of least NLL is searched
OUT_OF_DISTRIBUTION = 0.5  # the probability of none of the ten from which a picture counts as such
TINY = 1e-12  # a probability of 0 would have no logarithm


@dataclass(frozen=True)
class Calibration:
    """What fit finds for one kind of picture; asdict makes it an entry of a checkpoint's card."""

    temperature: float = 1.0


def apply(logits: torch.Tensor, calibration: Calibration) -> tuple[torch.Tensor, torch.Tensor]:
    """Confidences (N, 10), whose rows sum to 1, and b (N,), of logits (N, 10) or (N, 11); float64.

    The last of 11 logits is that of the background. A picture is in distribution where b is
    below OUT_OF_DISTRIBUTION.
    """
    logits = logits.double()
    garments = logits[:, : len(CLASSES)]
    if logits.shape[1] > len(CLASSES):
        b = torch.softmax(logits / calibration.temperature, dim=1)[:, -1]
    else:
        b = logits.new_zeros(len(logits))
    p = torch.softmax(garments / calibration.temperature, dim=1)
    return (1 - b[:, None]) * p + b[:, None] / len(CLASSES), b


def fit(logits: torch.Tensor, targets: torch.Tensor) -> Calibration:
    """The Calibration of one kind of picture, from held-out logits (N, 10 or 11) and their targets.

    targets: bool (N, 10). A row without any is a thing of none of the ten, which teaches nothing:
    the temperature makes the targets likeliest in what apply returns, b included (Guo et al. 2017,
    arXiv 1706.04599).
    """
    from scipy.optimize import minimize_scalar  # slow to import, and predictions never fit

    garment = targets.any(dim=1).cpu()
    if not garment.any():
        return Calibration()
    known = logits.detach().double().cpu()[garment]
    accepted = targets.cpu()[garment]

    def loss(log_temperature: float) -> float:
        confidences, _ = apply(known, Calibration(math.exp(log_temperature)))
        right = (confidences * accepted).sum(dim=1)
        return -float(right.clamp(min=TINY).log().mean())

    least, most = TEMPERATURES
    bounds = math.log(least), math.log(most)
    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return Calibration(math.exp(found.x))
