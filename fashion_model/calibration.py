"""Confidences that mean what they say: a temperature for each kind of picture, and caution on top.

One temperature cannot make up for a network that is too timid where it hesitates and too bold
where it does not, as on drawings: so the confidence in the answer is mapped, by two numbers for
each kind, to how often such answers are right, and each picture gets the temperature that does it.
That is learnt from garments alone, and most other things are below all but DOUBT of these: there
the map goes down to equal confidences, which stay equal, and it is learnt from those above. Where
other things are many, as among drawings, SPREAD tells more of them apart than a confidence does.

A network that is right 85 times of 100 and honest about it still says "95 %" of many a wrong
answer. So what is above SURE has to be earned: temperatures rise for pictures whose confidence
would be, to just below it, until only SURE_AND_WRONG of the wrong answers are above, as far as the
calibration error stays within COST.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from fashion_model.evaluation.metrics import expected_calibration_error, reliability

DOUBT = 0.04  # share of the held-out garments that are as unsure as most other things
KEPT = 0.92  # share of held-out garments that should be answered without "unsure"
SURE = 0.9
SURE_AND_WRONG = 0.035  # share of the wrong answers that may be above SURE: 0.05, and some to spare
COST = 0.05  # expected calibration error up to which there may be caution
KNEE = 0.89  # the confidence up to which there is no caution
SUREST = 0.9999
SPREAD = {"drawing": 3.0}  # how much it counts that logits lie apart; of photos it is less honest
MOST_ODDS = 15.0  # log-odds of a confidence, on either side, that are told apart
STEPS = 30  # at most, for the temperature of a wanted confidence


def learnt(kind: str, logits: torch.Tensor, accept: torch.Tensor) -> dict[str, Any]:
    """A card's entries on this kind of picture, from held-out ones: logits and accept (N, 10).

    "temperature", "spread" of those in SPREAD, "doubt_below" of all but Fashion-MNIST's images, in
    whose form there is nothing else, "platt", "sure_from" and "unsure_below".
    """
    divisor = round(temperature(logits, accept), 4)
    made: dict[str, Any] = {"temperature": divisor}
    spread, doubt = SPREAD.get(kind, 0.0), 0.0
    if spread:
        made["spread"] = spread
    if kind != "dataset":
        doubt = round(doubt_below(logits, accept, divisor, spread), 6)
        made["doubt_below"] = doubt
    line = platt(logits, accept, divisor, doubt, spread)
    made["platt"] = [round(number, 4) for number in line]
    card = {key: {kind: value} for key, value in made.items()}
    kinds = [kind] * len(logits)
    sure = sure_from(logits, accept, temperatures(card, kinds, logits)[:, None])
    made["sure_from"] = affordable(card, kind, logits, accept, sure)
    card["sure_from"] = {kind: made["sure_from"]}
    limit = unsure_below(logits, accept, temperatures(card, kinds, logits))
    return {**made, "unsure_below": round(limit, 4)}


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


def platt(
    logits: torch.Tensor,
    accept: torch.Tensor,
    divisor: float,
    least: float = 0.0,
    spread: float = 0.0,
) -> tuple[float, float]:
    """Slope and intercept that make log-odds of being right of the evidence.

    That is of the answer of logits / divisor (N, 10) (Platt 1999, of the top label as in Gupta and
    Ramdas 2022, arXiv 2107.08353), where as a confidence it is least or more. Most likely, with as
    much belief in 1 and 0 as one picture has.
    """
    _, right = _answers(logits, accept, divisor)
    odds = _evidence(logits, accept, divisor, spread)
    kept = odds.sigmoid() >= least
    odds, right = odds[kept], right[kept]
    x = torch.stack([odds, torch.ones_like(odds)], 1)
    believed = torch.tensor([1.0, 0.0], dtype=torch.float64)
    w = believed.clone()
    for _ in range(50):  # Newton's
        p = torch.sigmoid(x @ w)
        slope = x.T @ (p - right.double()) + (w - believed)
        curve = (x * (p * (1 - p))[:, None]).T @ x + torch.eye(2).double()
        step = torch.linalg.solve(curve, slope).clamp(-1, 1)
        w = w - step
        if step.abs().max() < 1e-9:
            break
    return max(0.1, w[0].item()), w[1].item()  # who is surer is right more often


def _answers(
    logits: torch.Tensor, accept: torch.Tensor, divisors: torch.Tensor | float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The confidence in each answer, float64 (M,), and whether it is right, of those that have a
    right one; divisors as sure_from takes them."""
    known = accept.any(dim=1)
    top, answer = F.softmax(logits.double() / divisors, dim=1)[known].max(1)
    return top, accept[known].gather(1, answer[:, None])[:, 0]


def sure_from(logits: torch.Tensor, accept: torch.Tensor, divisors: torch.Tensor | float) -> float:
    """The confidence of logits / divisors (N, 10) above which lie SURE_AND_WRONG of the mistakes.
    divisors: one, or (N, 1).

    Counted twice, and the mean taken, since few mistakes are held out: once as the wrong answers
    that there were, once as those that the confidences themselves lead to expect. SURE to SUREST.
    """
    top, right = _answers(logits, accept, divisors)
    top, order = top.sort(descending=True)
    limits = []
    for mistakes in ((~right[order]).double(), 1 - top):
        share = mistakes.cumsum(0) / mistakes.sum().clamp(min=1e-9)
        within = int((share <= SURE_AND_WRONG).sum())  # so many of the most confident may stay
        limits.append(float(top[min(within, len(top) - 1)]))
    return min(max(SURE, sum(limits) / 2), SUREST)


def affordable(
    card: Mapping[str, Any], kind: str, logits: torch.Tensor, accept: torch.Tensor, sure: float
) -> float:
    """The most of sure_from, up to sure, with which the calibration error is COST at most, or SURE.

    card: as temperatures takes it, without a "sure_from" for kind.
    """
    for tried in np.arange(sure, SURE, -0.002):
        told = {**card, "sure_from": {kind: float(tried)}}
        rows = temperatures(told, [kind] * len(logits), logits)[:, None]
        top, right = _answers(logits, accept, rows)
        if (expected_calibration_error(reliability(top.tolist(), right.tolist())) or 0) <= COST:
            return round(float(tried), 4)
    return SURE


def doubt_below(
    logits: torch.Tensor, accept: torch.Tensor, divisor: float, spread: float = 0.0
) -> float:
    """The evidence of logits (N, 10) / divisor that all garments but DOUBT of them reach, as a
    confidence."""
    odds = _evidence(logits, accept, divisor, spread)
    return min(float(odds.sigmoid().quantile(DOUBT)), SUREST)


def _evidence(
    logits: torch.Tensor, accept: torch.Tensor, divisor: float, spread: float
) -> torch.Tensor:
    """evidence's of those that have a right answer, float64 (M,)."""
    known = logits[accept.any(dim=1)].double().numpy()
    return torch.from_numpy(evidence(known, np.float64(divisor), spread)[1])


def unsure_below(logits: torch.Tensor, accept: torch.Tensor, divisors: torch.Tensor) -> float:
    """The confidence that KEPT of the garments among logits (N, 10) over divisors (N,) reach."""
    known = accept.any(dim=1)
    top = F.softmax(logits[known] / divisors[known, None], dim=1).amax(1)
    return float(top.quantile(1 - KEPT))


def temperatures(
    card: Mapping[str, Any], kinds: Sequence[str], logits: torch.Tensor
) -> torch.Tensor:
    """What to divide each row of logits (N, 10) by, float64 (N,), given its kind of picture.

    card: a checkpoint's, with what learnt makes by kind; where it says nothing of a kind, 1. What
    platt makes of the evidence at doubt_below goes down in a straight line to the confidence of ten
    equal logits; what it makes of more, from KNEE to sure_from, is brought to between KNEE and
    SURE, in a straight line; above it, the confidence soon is what it was. The temperature is found
    that does it, or the nearest from a sixteenth to sixteen times the kind's.
    """
    keys = ("temperature", "sure_from", "platt", "doubt_below", "spread")
    by_kind, sure, line, doubt, apart = (card.get(key, {}) for key in keys)
    divisors = np.array([by_kind.get(kind, 1.0) for kind in kinds], dtype=np.float64)
    limits = np.array([sure.get(kind, SURE) for kind in kinds], dtype=np.float64)
    lines = np.array([line.get(kind, (1.0, 0.0)) for kind in kinds], np.float64).reshape(-1, 2)
    spread = np.array([apart.get(kind, 0.0) for kind in kinds], dtype=np.float64)
    least = 1 / logits.shape[1]  # the confidence of equal logits
    equal = np.where(spread > 0, 0.0, least)  # and what their evidence is as one
    doubts = np.array([doubt.get(kind, least) for kind in kinds], dtype=np.float64)
    # NumPy, for one picture is the rule: a step of it costs a third of what it costs in PyTorch
    scores = logits.double().numpy()
    scores = scores - scores.max(1, keepdims=True)
    top, odds = evidence(scores, divisors[:, None], spread)
    told = 1 / (1 + np.exp(-odds))
    honest = _by(lines, odds)
    honest = np.where((lines == (1, 0)).all(1) & (spread == 0), top, honest)
    room = np.maximum(doubts - equal, 1e-9)
    limit = _by(lines, np.log(doubts.clip(min=1e-12)) - np.log1p(-doubts))
    rise = (limit - least).clip(min=0) / room
    honest = np.where(told < doubts, least + (told - equal).clip(min=0) * rise, honest)
    below = KNEE + (honest - KNEE) * (SURE - KNEE) / (limits - KNEE)
    above = honest - (limits - SURE) * ((1 - honest) / (1 - limits)) ** 3
    wary = np.where(honest <= limits, below, above)
    wanted = np.where((honest > KNEE) & (limits > SURE), wary, honest)
    other = ((wanted != top) & (scores.min(1) < 0)).nonzero()[0]  # equal logits stay equal
    if len(other):
        wanted = wanted[other].clip(min=1.01 / scores.shape[1])  # no answer is less likely
        few, sharp = scores[other], 1 / divisors[other]  # what few is multiplied by
        found = sharp / 2
        for _ in range(STEPS):  # Newton's, for log(1 / confidence), which is convex
            terms = np.exp(found[:, None] * few)
            total = terms.sum(1)
            step = np.log(total * wanted) * total / (terms * few).sum(1).clip(max=-1e-300)
            last, found = found, (found - step).clip(sharp / 16, sharp * 16)
            if np.abs(found - last).max() < 1e-9:
                break
        divisors[other] = 1 / found
    return torch.from_numpy(divisors)


def evidence(
    logits: np.ndarray, divisors: np.ndarray | np.float64, spread: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """The confidence of logits (N, 10) / divisors, one or (N, 1), in their answer, and what speaks
    for that: its log-odds, and spread times the logarithm of how far the logits lie apart; float64
    (N,) each, the second within MOST_ODDS of 0.

    Of things that are no garment networks learn to say little, which a Softmax does not show where
    one logit of ten small ones is largest. That one itself does (Hendrycks et al. 2022, arXiv
    1911.11132), and their standard deviation does better on all five folds of drawings.
    """
    scores = logits / divisors
    scores = scores - scores.max(1, keepdims=True)
    top = 1 / np.exp(scores).sum(1)
    odds = np.log(top) - np.log1p(-top.clip(max=1 - 1e-12))
    odds = odds + spread * np.log(scores.std(1).clip(min=1e-12))
    return top, odds.clip(-MOST_ODDS, MOST_ODDS)


def _by(lines: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """What platt's lines (N, 2) make of log-odds (N,)."""
    honest: np.ndarray = 1 / (1 + np.exp(-(lines[:, 0] * odds + lines[:, 1])))
    return honest
