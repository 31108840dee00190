"""Calibration on logits whose right temperature is known, and by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from fashion_model import calibration
from fashion_model.calibration import temperature, unsure_below


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
    assert unsure_below(both, accepts, 1.5) == unsure_below(logits, accept, 1.5)


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
    assert unsure_below(logits, accept, 1.0) == pytest.approx(0.4)
    monkeypatch.setattr(calibration, "KEPT", 0.875)  # half way between the 4th and the 5th
    assert unsure_below(logits, accept, 1.0) == pytest.approx(0.35)


def test_unsure_below_is_on_the_scale_of_the_divided_logits():
    logits = torch.tensor([[2 * math.log(9)] + [0.0] * 9])  # halved: 9 to 1 against each other
    accept = F.one_hot(torch.tensor([0]), 10).bool()
    assert unsure_below(logits, accept, 2.0) == pytest.approx(9 / 18)
