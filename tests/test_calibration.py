"""Calibration on logits whose right temperature is known, and by hand."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fashion_model import calibration
from fashion_model.calibration import (
    affordable,
    doubt_below,
    evidence,
    platt,
    sure_from,
    temperature,
    temperatures,
    unsure_below,
)
from fashion_model.evaluation.metrics import expected_calibration_error, reliability


def drawn(count: int = 3_000, sharp: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, 10), and labels drawn from just the confidences that these logits claim."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(count, 10, generator=generator) * sharp
    labels = torch.multinomial(F.softmax(logits, 1), 1, generator=generator)[:, 0]
    return logits, F.one_hot(labels, 10).bool()


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_temperature_undoes_a_factor(factor):
    logits, accept = drawn()
    assert temperature(logits * factor, accept) == pytest.approx(factor, rel=0.06)


def test_several_accepted_classes_count_together():
    """Two right classes of ten, each as good as the other: what is claimed is their sum."""
    logits, _ = drawn()
    claimed = F.softmax(logits, 1)
    either = torch.multinomial(claimed, 1, generator=torch.Generator().manual_seed(1))[:, 0] // 2
    pairs = F.one_hot(either, 5).bool().repeat_interleave(2, 1)
    assert temperature(logits * 3, pairs) == pytest.approx(3, rel=0.06)


def test_pictures_of_no_class_do_not_count():
    logits, accept = drawn(1_000)
    garbage = torch.zeros(1_000, 10)
    garbage[:, 0] = 50
    nothing = torch.zeros(1_000, 10, dtype=torch.bool)
    both, accepts = torch.cat([logits, garbage]), torch.cat([accept, nothing])
    assert temperature(both, accepts) == temperature(logits, accept)
    assert unsure_below(both, accepts, torch.full((2_000,), 1.5)) == unsure_below(
        logits, accept, torch.full((1_000,), 1.5)
    )


def test_temperature_is_bounded():
    _, accept = drawn(200)
    certain = accept.float() * 4  # always right: the colder, the better
    assert temperature(certain, accept) == pytest.approx(0.1)
    assert temperature(-certain, accept) == pytest.approx(10)


def test_unsure_below_by_hand(monkeypatch):
    """Five garments with confidences 0.3, 0.4, 0.6, 0.8 and 0.9: 3/4 of them reach 0.4."""
    tops = torch.tensor([0.6, 0.9, 0.3, 0.8, 0.4])
    confidences = ((1 - tops) / 9)[:, None].repeat(1, 10)
    confidences[torch.arange(5), torch.tensor([1, 2, 3, 4, 5])] = tops
    logits = confidences.log()
    accept = F.one_hot(torch.tensor([1, 2, 9, 4, 5]), 10).bool()  # right or wrong: no matter
    monkeypatch.setattr(calibration, "KEPT", 0.75)
    assert unsure_below(logits, accept, torch.ones(5)) == pytest.approx(0.4)
    monkeypatch.setattr(calibration, "KEPT", 0.875)  # half way between the 4th and the 5th
    assert unsure_below(logits, accept, torch.ones(5)) == pytest.approx(0.35)


def test_doubt_below_by_hand(monkeypatch):
    """Five garments with confidences 0.3 to 0.9, and what is none: a quarter of them is below."""
    logits = claiming(0.6, 0.9, 0.3, 0.8, 0.4, 0.2)
    accept = F.one_hot(torch.tensor([1, 2, 9, 4, 5, 0]), 10).bool()
    accept[5] = False
    monkeypatch.setattr(calibration, "DOUBT", 0.25)
    assert doubt_below(logits, accept, 1.0) == pytest.approx(0.4)
    assert doubt_below(2 * logits, accept, 2.0) == pytest.approx(0.4)
    assert doubt_below(1e3 * logits, accept, 1.0) == calibration.SUREST


def test_what_is_in_doubt_goes_down_to_equal_confidences_in_a_straight_line():
    """A line of slope 0.3 makes 0.7 of 0.3 (log-odds -0.85), and would make 0.6 of 0.12."""
    lift = math.log(0.7 / 0.3) - 0.3 * math.log(0.3 / 0.7)
    card = {"platt": {"drawing": (0.3, lift)}, "doubt_below": {"drawing": 0.3}}
    tops = [0.1001, 0.12, 0.2, 0.25, 0.2999, 0.3001, 0.6]
    logits = claiming(*tops)
    found = F.softmax(logits / temperatures(card, ["drawing"] * 7, logits)[:, None], 1)[:, 0]
    wanted = [0.1 + (top - 0.1) * 0.6 / 0.2 for top in tops[:5]]
    assert found[1:5].tolist() == pytest.approx(wanted[1:], abs=1e-3)
    assert found[0] < 0.11
    assert found[5].item() == pytest.approx(0.7, abs=1e-3)
    assert (found.diff() > 0).all()
    told = {"platt": card["platt"]}
    lifted = F.softmax(logits / temperatures(told, ["drawing"] * 7, logits)[:, None], 1)[:, 0]
    torch.testing.assert_close(lifted[5:], found[5:])
    assert lifted[1] > 0.55


def test_evidence_by_hand():
    """Logits 4, 2, 0 ... halved: 2, 1, 0 ..., which lie apart by the root of 0.5 - 0.3 squared."""
    logits = np.array([[4.0, 2.0] + [0.0] * 8])
    apart = math.sqrt(0.5 - 0.3**2)
    confidence = math.exp(2) / (math.exp(2) + math.exp(1) + 8)
    odds = math.log(confidence / (1 - confidence))
    for spread in (0.0, 3.0):
        top, found = evidence(logits, np.float64(2), spread)
        assert top[0] == pytest.approx(confidence)
        assert found[0] == pytest.approx(odds + spread * math.log(apart))
    again, many = evidence(np.concatenate([logits, logits]), np.array([[2.0], [4.0]]), 1.0)
    assert again[0] == top[0] > again[1]
    assert many[0] == pytest.approx(odds + math.log(apart))
    assert evidence(np.zeros((1, 10)), np.float64(1), 3.0)[1] == -calibration.MOST_ODDS
    assert evidence(logits * 1e6, np.float64(1), 3.0)[1] == calibration.MOST_ODDS


def test_who_says_little_is_in_doubt_however_sure():
    """Twice as likely as all others together, once by a logit of 2.9 and once by one of 9.4 among
    others that lie far apart: by its confidence, neither would be less sure than the other."""
    faint = [math.log(18)] + [0.0] * 9
    others = [8.0, 8.0] + [0.0] * 7
    loud = [math.log(2 * (2 * math.exp(8) + 7)), *others]
    logits = torch.tensor([faint, loud, [0.0] * 10], dtype=torch.float64)
    card = {"spread": {"drawing": 3.0}, "doubt_below": {"drawing": 0.99}, "platt": {}}
    told, plain = (
        F.softmax(logits / temperatures(c, ["drawing"] * 3, logits)[:, None], 1).amax(1).tolist()
        for c in (card, {})
    )
    assert plain == pytest.approx([2 / 3, 2 / 3, 0.1])
    assert told[0] < 0.62 < 0.9 < told[1]
    assert told[2] == pytest.approx(0.1)
    odds = [math.log(2) + 3 * math.log(row.std(correction=0).item()) for row in logits[:2]]
    below, above = (1 / (1 + math.exp(-o)) for o in odds)
    assert below < 0.99 < above
    assert told == pytest.approx([0.1 + below * 0.89 / 0.99, above, 0.1], abs=1e-6)


def test_what_is_learnt_of_drawings_counts_how_far_logits_lie_apart():
    """Where that says how often answers are right, confidences are told by it of drawings alone,
    and are honest but for caution and for what is in doubt."""
    generator = torch.Generator().manual_seed(0)
    size = torch.exp(torch.randn(20_000, 1, generator=generator, dtype=torch.float64) / 2)
    logits = torch.randn(20_000, 10, generator=generator, dtype=torch.float64) * size
    chance = torch.from_numpy(evidence(logits.numpy(), np.float64(1), 3.0)[1] / 2).sigmoid()
    right = torch.rand(20_000, generator=generator, dtype=torch.float64) < chance
    accept = F.one_hot(torch.where(right, *logits.topk(2, dim=1)[1].T), 10).bool()
    errors = {}
    for kind in ("drawing", "photo"):
        made = calibration.learnt(kind, logits, accept)
        assert made.get("spread", 0.0) == {"drawing": 3.0, "photo": 0.0}[kind]
        card = {key: {kind: value} for key, value in made.items() if key != "sure_from"}
        rows = temperatures(card, [kind] * len(logits), logits)
        top = F.softmax(logits / rows[:, None], 1).amax(1)
        errors[kind] = (top - chance)[chance > 0.3].abs().mean().item()
    assert errors["drawing"] < errors["photo"] / 2
    assert errors["drawing"] < 0.05


@pytest.mark.parametrize("kind", ["dataset", "drawing", "photo"])
def test_what_is_learnt_is_what_each_of_these_says(kind):
    logits, accept = drawn(3_000, sharp=4.0)
    made = calibration.learnt(kind, logits, accept)
    spread = {"drawing": 3.0}.get(kind, 0.0)
    divisor, doubt = made["temperature"], made.get("doubt_below", 0.0)
    assert ("doubt_below" in made, "spread" in made) == (kind != "dataset", kind == "drawing")
    assert divisor == pytest.approx(temperature(logits, accept), abs=1e-4)
    if kind != "dataset":
        assert doubt == pytest.approx(doubt_below(logits, accept, divisor, spread), abs=1e-6)
        told = torch.from_numpy(evidence(logits.double().numpy(), np.float64(divisor), spread)[1])
        assert (told.sigmoid() < doubt).double().mean() == pytest.approx(0.04, abs=0.002)
    line = platt(logits, accept, divisor, doubt, spread)
    assert made["platt"] == pytest.approx(line, abs=1e-4)
    card = {key: {kind: made[key]} for key in made if key not in ("sure_from", "unsure_below")}
    rows = temperatures(card, [kind] * 3_000, logits)
    sure = sure_from(logits, accept, rows[:, None])
    assert made["sure_from"] == affordable(card, kind, logits, accept, sure)
    card["sure_from"] = {kind: made["sure_from"]}
    rows = temperatures(card, [kind] * 3_000, logits)
    assert made["unsure_below"] == pytest.approx(unsure_below(logits, accept, rows), abs=1e-4)


def test_enormous_logits_are_as_unsure_as_they_can_be_made():
    logits = torch.zeros(2, 10, dtype=torch.float64)
    logits[:, 0] = torch.tensor([1e3, 1e5])
    found = temperatures({"platt": {"photo": (0.1, 0.0)}}, ["photo"] * 2, logits)
    assert found.tolist() == [16.0, 16.0]


def test_equal_logits_stay_equal_and_no_confidence_falls_below_them():
    """Also where a line makes less than equal confidences of what is in doubt: 0.02 of 0.3."""
    for lift, apart in product((2.0, -4.0), (0.0, 3.0)):
        card = {"platt": {"photo": (0.3, lift)}, "doubt_below": {"photo": 0.3}}
        card["spread"] = {"photo": apart}
        logits = torch.cat([torch.zeros(1, 10, dtype=torch.float64), claiming(0.12, 0.2)])
        divisors = temperatures(card, ["photo"] * 3, logits)
        found = F.softmax(logits / divisors[:, None], 1)
        assert found[0].tolist() == pytest.approx([0.1] * 10)
        assert (found.amax(1) >= 0.1).all()
        assert found.isfinite().all()


def test_unsure_below_is_on_the_scale_of_the_divided_logits():
    logits = torch.tensor([[2 * math.log(9)] + [0.0] * 9])  # halved: 9 to 1 against each other
    accept = F.one_hot(torch.tensor([0]), 10).bool()
    assert unsure_below(logits, accept, torch.tensor([2.0])) == pytest.approx(9 / 18)


def claiming(*tops: float) -> torch.Tensor:
    """Logits (N, 10) whose Softmax gives class 0 these confidences, the others the rest."""
    top = torch.tensor(tops, dtype=torch.float64)[:, None]
    return torch.cat([top, (1 - top) / 9 * torch.ones(1, 9, dtype=torch.float64)], 1).log()


def test_sure_from_by_hand(monkeypatch):
    """Of three mistakes one may be above: those at 0.99, 0.96 and 0.6 leave the limit at 0.96. The
    confidences themselves expect 0.01 + 0.02 + 0.04 + 0.08 + 0.4: a third of that at 0.92 and
    above, so it would be at 0.6."""
    logits = claiming(0.6, 0.96, 0.98, 0.99, 0.92)
    accept = F.one_hot(torch.tensor([1, 1, 0, 1, 0]), 10).bool()
    monkeypatch.setattr(calibration, "SURE_AND_WRONG", 0.34)
    assert sure_from(logits, accept, 1.0) == pytest.approx(0.9)  # (0.96 + 0.6) / 2 is too little
    monkeypatch.setattr(calibration, "SURE", 0.5)
    assert sure_from(logits, accept, 1.0) == pytest.approx((0.96 + 0.6) / 2)


def test_what_is_above_it_has_its_share_of_the_mistakes():
    logits, accept = drawn(20_000, sharp=8.0)
    limit = sure_from(logits, accept, 1.0)
    top, answer = F.softmax(logits, 1).max(1)
    wrong = ~accept.gather(1, answer[:, None])[:, 0]
    assert limit > 0.9
    assert (wrong & (top > limit)).sum() / wrong.sum() == pytest.approx(
        calibration.SURE_AND_WRONG, abs=0.01
    )
    nothing = torch.zeros(5, 10, dtype=torch.bool)
    more = torch.cat([logits, claiming(*[0.999] * 5)]), torch.cat([accept, nothing])
    assert sure_from(*more, 1.0) == limit  # pictures of no class do not count


def test_always_right_and_always_sure_is_sure():
    logits = claiming(*[1 - 1e-9] * 50)
    accept = F.one_hot(torch.zeros(50, dtype=torch.long), 10).bool()
    limit = sure_from(logits, accept, 1.0)
    assert limit == 0.9999
    several = claiming(limit, 1 - 1e-9)
    divisors = temperatures({"sure_from": {"photo": limit}}, ["photo"] * 2, several)
    tempered = F.softmax(several / divisors[:, None], 1)[:, 0]
    assert tempered.tolist() == pytest.approx([0.9, 1 - 1e-9], abs=1e-6)


def test_confidences_near_sure_have_to_be_earned():
    """With sure_from at 0.96, half way from 0.89 up to it is 0.895, and half way from it to 1 an
    eighth of the 0.06 is still missing."""
    before = [0.2, 0.5, 0.89, 0.925, 0.96, 0.98, 1 - 1e-12]
    wanted = [0.2, 0.5, 0.89, 0.895, 0.90, 0.98 - 0.06 / 8, 1.0]
    card = {"temperature": {"photo": 2.0}, "sure_from": {"photo": 0.96}}
    logits = claiming(*before) * 2
    divisors = temperatures(card, ["photo"] * len(before), logits)
    tempered = F.softmax(logits / divisors[:, None], 1)
    assert tempered[:, 0].tolist() == pytest.approx(wanted, abs=1e-5)
    assert divisors[:3].tolist() == [2.0] * 3
    assert (divisors[3:6] > 2).all()


def test_each_row_gets_what_its_kind_needs():
    card = {"temperature": {"photo": 2.0, "drawing": 0.5}, "sure_from": {"photo": 0.95}}
    logits = claiming(0.9, 0.9, 0.9, 0.3)
    found = temperatures(card, ["photo", "drawing", "dataset", "photo"], logits).tolist()
    assert found == [2.0, 0.5, 1.0, 2.0]  # a halved logit of 0.9 is below the knee
    assert temperatures({}, ["photo"], logits[:1]).tolist() == [1.0]


def test_the_order_of_pictures_by_confidence_stays():
    logits, accept = drawn(2_000, sharp=3.0)
    card = {"sure_from": {"photo": sure_from(logits, accept, 1.0)}}
    divisors = temperatures(card, ["photo"] * len(logits), logits)
    before, after = F.softmax(logits, 1).amax(1), F.softmax(logits / divisors[:, None], 1).amax(1)
    assert (after[before.argsort()].diff() > -1e-5).all()


def bent(slope: float, intercept: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits whose answer is right as often as a line through its log-odds says, else class 1."""
    generator = torch.Generator().manual_seed(0)
    top = 0.15 + 0.84 * torch.rand(20_000, generator=generator, dtype=torch.float64)
    honest = torch.sigmoid(slope * torch.logit(top) + intercept)
    right = torch.rand(20_000, generator=generator, dtype=torch.float64) < honest
    logits = claiming(*top.tolist())
    return logits, F.one_hot((~right).long(), 10).bool()


@pytest.mark.parametrize("line", [(1.0, 0.0), (0.5, 0.9), (1.4, -0.6)])
def test_platt_finds_how_often_answers_are_right(line):
    logits, accept = bent(*line)
    assert platt(logits, accept, 1.0) == pytest.approx(line, abs=0.08)
    assert platt(logits * 3, accept, 3.0) == pytest.approx(line, abs=0.08)
    nothing = torch.zeros(9, 10, dtype=torch.bool)
    more = torch.cat([logits, logits[:9]]), torch.cat([accept, nothing])
    assert platt(*more, 1.0) == platt(logits, accept, 1.0)


def test_platt_is_of_what_is_not_in_doubt():
    """Whoever is below 0.4 is always wrong: the line of the others stays what it was."""
    logits, accept = bent(0.5, 0.9)
    low = F.softmax(logits, 1)[:, 0] < 0.4
    accept[low] = F.one_hot(torch.ones(int(low.sum()), dtype=torch.long), 10).bool()
    assert platt(logits, accept, 1.0, 0.4) == pytest.approx((0.5, 0.9), abs=0.08)
    assert platt(logits * 3, accept, 3.0, 0.4) == pytest.approx((0.5, 0.9), abs=0.08)
    assert platt(logits, accept, 1.0)[0] > 0.8
    assert platt(logits, accept, 1.0, 1.1) == (1, 0)  # of none


def test_platt_of_few_pictures_stays_near_what_they_claim():
    """Three right answers at 0.7 do not make it certain, and none says nothing."""
    accept = F.one_hot(torch.tensor([0, 0, 0]), 10).bool()
    slope, intercept = platt(claiming(0.7, 0.7, 0.7), accept, 1.0)
    assert 0.7 < 1 / (1 + math.exp(-slope * math.log(7 / 3) - intercept)) < 0.9
    assert platt(claiming(0.7), torch.zeros(1, 10, dtype=torch.bool), 1.0) == (1, 0)
    wrong = torch.cat([F.one_hot(torch.zeros(50).long(), 10), F.one_hot(torch.ones(50).long(), 10)])
    assert platt(claiming(*[0.3] * 50, *[0.99] * 50), wrong.bool(), 1.0)[0] == 0.1  # never falls


def test_confidences_become_what_platt_makes_of_them():
    """By hand: odds of 3 to 1 and of 1 to 4, to the power of a half, times 2."""
    logits = claiming(0.75, 0.2) * 3
    card = {"temperature": {"photo": 3.0}, "platt": {"photo": [0.5, math.log(2)]}}
    divisors = temperatures(card, ["photo"] * 2, logits)
    told = F.softmax(logits / divisors[:, None], 1)
    odds = [2 * math.sqrt(3), 2 * math.sqrt(1 / 4)]
    assert told[:, 0].tolist() == pytest.approx([o / (1 + o) for o in odds], abs=1e-6)
    assert (told.argmax(1) == 0).all()
    assert temperatures(card, ["drawing"] * 2, logits).tolist() == [1.0] * 2
    beyond = {"platt": {"photo": [1.0, -9.0]}}  # no answer is less likely than a tenth
    low = temperatures(beyond, ["photo"], claiming(0.2))
    assert 0.1 < F.softmax(claiming(0.2) / low[:, None], 1)[0, 0] < 0.13


def test_answers_that_platt_was_fitted_to_are_honest():
    logits, accept = bent(0.5, 0.9)
    told = {"temperature": {"photo": 1.0}, "platt": {"photo": list(platt(logits, accept, 1.0))}}
    errors = []
    for card in ({}, told):
        rows = temperatures(card, ["photo"] * len(logits), logits)
        top, answer = F.softmax(logits / rows[:, None], 1).max(1)
        right = accept.gather(1, answer[:, None])[:, 0]
        errors.append(expected_calibration_error(reliability(top.tolist(), right.tolist())))
    assert errors[0] > 0.1
    assert errors[1] < 0.02


def test_caution_costs_what_it_may(monkeypatch):
    """All of it where that is cheap, none where honesty costs too much already."""
    logits, accept = drawn(20_000, sharp=8.0)
    card = {"temperature": {"photo": 1.0}}
    full = sure_from(logits, accept, 1.0)
    found = []
    for cost in (1.0, 0.01, 0.0):
        monkeypatch.setattr(calibration, "COST", cost)
        found.append(affordable(card, "photo", logits, accept, full))
    assert found[0] == pytest.approx(full, abs=1e-4)
    assert full > found[1] > found[2] == calibration.SURE
    rows = temperatures({**card, "sure_from": {"photo": found[1]}}, ["photo"] * 20_000, logits)
    top, answer = F.softmax(logits / rows[:, None], 1).max(1)
    right = accept.gather(1, answer[:, None])[:, 0]
    assert expected_calibration_error(reliability(top.tolist(), right.tolist())) <= 0.01
