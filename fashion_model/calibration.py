"""Confidences that mean what they say: a temperature for each kind of picture, and caution on top.

A network that is right 85 times of 100 and honest about it still says "95 %" of many a wrong
answer. So what is above SURE has to be earned: temperatures rise for pictures whose confidence
would come near it, until only SURE_AND_WRONG of the wrong answers are above.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

KEPT = 0.92  # share of held-out garments that should be answered without "unsure"
SURE = 0.9
SURE_AND_WRONG = 0.05  # share of the wrong answers that may be above SURE
KNEE = 0.8  # the confidence up to which the temperature of the kind is left alone
SUREST = 0.9999
STEPS = 30  # at most, for the temperature of a wanted confidence; four are the rule


def temperature(logits: torch.Tensor, accept: torch.Tensor) -> float:
    """The divisor of logits (N, 10) for which the right classes are likeliest.

    accept: bool (N, 10); rows without a class do not count. Guo et al. 2017, arXiv 1706.04599.
    """
    known = accept.any(dim=1)
    logits, accept = logits[known].double(), accept[known]
    candidates = torch.logspace(-1, 1, 401, dtype=torch.float64)  # 0.1 to 10, 1.2 % apart
    losses = [
        -torch.logsumexp(
            F.log_softmax(logits / t, dim=1).masked_fill(~accept, -torch.inf), 1
        ).mean()
        for t in candidates
    ]
    return float(candidates[torch.stack(losses).argmin()])


def sure_from(logits: torch.Tensor, accept: torch.Tensor, divisor: float) -> float:
    """The confidence of logits / divisor (N, 10) above which lie SURE_AND_WRONG of the mistakes.

    Counted twice, and the mean taken, since few mistakes are held out: once as the wrong answers
    that there were, once as those that the confidences themselves lead to expect. SURE to SUREST.
    """
    known = accept.any(dim=1)
    top, answer = F.softmax(logits[known].double() / divisor, dim=1).max(1)
    right = accept[known].gather(1, answer[:, None])[:, 0]
    top, order = top.sort(descending=True)
    limits = []
    for mistakes in ((~right[order]).double(), 1 - top):
        share = mistakes.cumsum(0) / mistakes.sum().clamp(min=1e-9)
        within = int((share <= SURE_AND_WRONG).sum())  # so many of the most confident may stay
        limits.append(float(top[min(within, len(top) - 1)]))
    return min(max(SURE, sum(limits) / 2), SUREST)


def unsure_below(logits: torch.Tensor, accept: torch.Tensor, divisors: torch.Tensor) -> float:
    """The confidence that KEPT of the garments among logits (N, 10) over divisors (N,) reach."""
    known = accept.any(dim=1)
    top = F.softmax(logits[known] / divisors[known, None], dim=1).amax(1)
    return float(top.quantile(1 - KEPT))


def temperatures(
    card: Mapping[str, Any], kinds: Sequence[str], logits: torch.Tensor
) -> torch.Tensor:
    """What to divide each row of logits (N, 10) by, float64 (N,), given its kind of picture.

    card: a checkpoint's, with "temperature" and "sure_from" by kind; where it says nothing of a
    kind, 1. A confidence from KNEE to sure_from is brought to between KNEE and SURE, in a straight
    line; above it, the confidence soon is what it was. The temperature is found that does it.
    """
    by_kind, sure = card.get("temperature", {}), card.get("sure_from", {})
    divisors = np.array([by_kind.get(kind, 1.0) for kind in kinds], dtype=np.float64)
    limits = np.array([sure.get(kind, SURE) for kind in kinds], dtype=np.float64)
    # NumPy, for one picture is the rule: a step of it costs a third of what it costs in PyTorch
    scores = logits.double().numpy()
    scores = scores - scores.max(1, keepdims=True)
    top = 1 / np.exp(scores / divisors[:, None]).sum(1)
    high = ((top > KNEE) & (limits > SURE)).nonzero()[0]
    if len(high):
        top, limits = top[high], limits[high]
        below = KNEE + (top - KNEE) * (SURE - KNEE) / (limits - KNEE)
        above = top - (limits - SURE) * ((1 - top) / (1 - limits)) ** 3
        wanted = np.where(top <= limits, below, above)
        few, sharp = scores[high], 1 / divisors[high]  # what few is multiplied by
        found = sharp / 2
        for _ in range(STEPS):  # Newton's, for log(1 / confidence), which is convex
            terms = np.exp(found[:, None] * few)
            total = terms.sum(1)
            step = np.log(total * wanted) * total / (terms * few).sum(1)
            found = (found - step).clip(sharp / 16, sharp)
            if np.abs(step).max() < 1e-9:
                break
        divisors[high] = 1 / found
    return torch.from_numpy(divisors)
