"""Confidences that mean what they say: a temperature for each kind of picture."""

import torch
from torch.nn import functional as F

KEPT = 0.92  # share of held-out garments that should be answered without "unsure"


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


def unsure_below(logits: torch.Tensor, accept: torch.Tensor, divisor: float) -> float:
    """The confidence that KEPT of the garments among logits / divisor (N, 10) reach."""
    known = accept.any(dim=1)
    top = F.softmax(logits[known] / divisor, dim=1).amax(1)
    return float(top.quantile(1 - KEPT))
