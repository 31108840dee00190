"""Temperature and none-of-the-ten against logits whose truth is known, and by hand."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fashion_model.calibration import Calibration, apply, fit


def drawn(temperature: float, count: int = 20_000, seed: int = 0):
    """Logits (N, 10) and targets bool (N, 10) that are drawn with the probabilities of these
    logits over temperature: so it is the right one."""
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(count, 10, generator=generator)
    p = torch.softmax(logits / temperature, dim=1)
    return logits, F.one_hot(torch.multinomial(p, 1, generator=generator)[:, 0], 10).bool()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_logits_is_recovered(temperature):
    found = fit(*drawn(temperature))
    assert found.temperature == pytest.approx(temperature, rel=0.02)


def test_the_temperature_is_the_best_of_a_grid():
    logits, targets = drawn(1.7, count=500)
    targets[::3] |= targets[::3].roll(1, dims=1)  # two classes count as right
    grid = torch.logspace(-1, 1, 401, dtype=torch.float64)  # steps of 1.2 %
    right = [(torch.softmax(logits.double() / t, 1) * targets).sum(1) for t in grid]
    best = float(grid[torch.stack([p.log().mean() for p in right]).argmax()])
    assert fit(logits, targets).temperature == pytest.approx(best, rel=0.012)


def test_apply_by_hand():
    logits = torch.zeros(1, 10)
    logits[0, 3] = 2 * math.log(9)
    confidences, b = apply(logits, Calibration(temperature=2.0))
    assert b.tolist() == [0]
    assert confidences[0, 3].item() == pytest.approx(9 / 18)


def test_a_background_class_takes_its_share_and_spreads_it_evenly():
    logits = torch.zeros(1, 11)
    logits[0, 0], logits[0, 10] = math.log(11), math.log(20)  # weights 11, nine of 1, 20
    confidences, b = apply(logits, Calibration())
    assert b.item() == pytest.approx(20 / 40)
    assert confidences[0, 0].item() == pytest.approx(0.5 * 11 / 20 + 0.05)
    assert confidences[0, 1].item() == pytest.approx(0.5 * 1 / 20 + 0.05)


@pytest.mark.parametrize("classes", [10, 11])
@pytest.mark.parametrize("calibration", [Calibration(), Calibration(0.3)])
def test_confidences_sum_to_1_and_keep_the_order_of_logits(classes, calibration):
    logits = 30 * torch.randn(200, classes, generator=torch.Generator().manual_seed(1))
    confidences, b = apply(logits, calibration)
    assert confidences.shape == (200, 10)
    assert torch.allclose(confidences.sum(dim=1), torch.ones(200, dtype=torch.float64))
    assert ((b >= 0) & (b <= 1)).all()
    clear = b < 0.99  # above, all that differs is lost in 1 / 10
    assert torch.equal(confidences.argmax(1)[clear], logits[:, :10].argmax(1)[clear])


def test_the_background_is_calibrated_by_what_apply_returns():
    """No temperature of a fine grid makes the garments' targets likelier."""
    generator = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(800, 11, generator=generator)
    logits[:, 10] -= 2
    targets = F.one_hot(torch.randint(0, 10, (800,), generator=generator), 10).bool()
    targets[::2] = F.one_hot(logits[::2, :10].argmax(1), 10).bool()
    targets[::5] = False

    def loss(temperature: float) -> float:
        right = (apply(logits, Calibration(temperature))[0] * targets).sum(1)
        return -right[targets.any(1)].log().mean().item()

    found = fit(logits, targets)
    grid = [loss(t) for t in np.geomspace(0.05, 20, 600)]
    assert loss(found.temperature) <= min(grid) + 1e-6


def test_without_a_garment_the_temperature_stays_1():
    assert fit(torch.randn(4, 10), torch.zeros(4, 10).bool()) == Calibration()
