"""Logits -> confidences that are as high as they are right, and how likely it is none of the ten.

One formula for all networks: confidence = (1 - b) * softmax(logits / T) + b / 10, where b is the
probability that the picture shows a thing of none of the ten classes. It comes from the background
class of a network that was trained with one (11 logits), else from the energy of its ten.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from fashion_model.networks import CLASSES

TEMPERATURES = 0.05, 20.0  # where the one of least NLL is searched
TINY = 1e-12  # a probability of 0 would have no logarithm


@dataclass(frozen=True)
class Calibration:
    """What fit finds for one kind of picture; asdict makes it an entry of a checkpoint's card."""

    temperature: float = 1.0
    energy: tuple[float, float] | None = None  # weight and bias in log-odds; None: b is 0


def apply(logits: torch.Tensor, calibration: Calibration) -> tuple[torch.Tensor, torch.Tensor]:
    """Confidences (N, 10), whose rows sum to 1, and b (N,), of logits (N, 10) or (N, 11); float64.

    The last of 11 logits is that of the background. A picture is in distribution where b < 0.5.
    """
    logits = logits.double()
    garments = logits[:, : len(CLASSES)]
    if logits.shape[1] > len(CLASSES):
        b = torch.softmax(logits / calibration.temperature, dim=1)[:, -1]
    elif calibration.energy is not None:
        weight, bias = calibration.energy
        b = torch.sigmoid(weight * energy(garments) + bias)
    else:
        b = logits.new_zeros(len(logits))
    p = torch.softmax(garments / calibration.temperature, dim=1)
    return (1 - b[:, None]) * p + b[:, None] / len(CLASSES), b


def energy(logits: torch.Tensor) -> torch.Tensor:
    """-log(sum(exp(logits))) (N,), high where nothing speaks for any class (N, K).

    Liu et al. 2020, arXiv 2010.03759, whose temperature is 1 here.
    """
    return -torch.logsumexp(logits, dim=1)


def fit(logits: torch.Tensor, targets: torch.Tensor) -> Calibration:
    """The Calibration of one kind of picture, from held-out logits (N, 10 or 11) and their targets.

    targets: bool (N, 10). A row without any is a thing of none of the ten: only the energy's weight
    and bias learn from it. The temperature makes the targets likeliest in what apply returns (Guo
    et al. 2017, arXiv 1706.04599), b included, so it is fit last.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and predictions never fit

    logits = logits.detach().double().cpu()
    garment = targets.any(dim=1).cpu()
    line = None
    if not garment.any():
        return Calibration()
    if logits.shape[1] == len(CLASSES) and not garment.all():
        scores = energy(logits)
        line = logistic_regression(scores[~garment].numpy(), scores[garment].numpy())
    known, accepted = logits[garment], targets.cpu()[garment]

    def loss(log_temperature: float) -> float:
        confidences, _ = apply(known, Calibration(math.exp(log_temperature), line))
        right = (confidences * accepted).sum(dim=1)
        return -float(right.clamp(min=TINY).log().mean())

    least, most = TEMPERATURES
    bounds = math.log(least), math.log(most)
    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return Calibration(math.exp(found.x), line)


def logistic_regression(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float]:
    """Weight and bias of the log-odds that a score is one of positive (N,), not negative (M,).

    Fit to the targets of Platt 1999, (N + 1) / (N + 2) and 1 / (M + 2), so that it stays finite
    where a threshold parts the two. Both sides weigh the same, however many of each there are.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    x = np.concatenate([positive, negative])
    high, low = (len(positive) + 1) / (len(positive) + 2), 1 / (len(negative) + 2)
    counts = len(positive), len(negative)
    target = np.repeat([high, low], counts)
    weight_of = np.repeat([0.5 / count for count in counts], counts)
    center, scale = x.mean(), x.std() or 1.0  # the search is well conditioned in units of both
    x = (x - center) / scale

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        odds = line[0] * x + line[1]
        error = expit(odds) - target
        value = np.logaddexp(0, odds) - target * odds
        error = error * weight_of
        return float((value * weight_of).sum()), np.array([(error * x).sum(), error.sum()])

    weight, bias = minimize(loss, np.zeros(2), jac=True, method="BFGS").x
    return float(weight / scale), float(bias - weight * center / scale)
