"""Teaching by a stronger network: the views, and the loss by hand."""

import math

import pytest
import torch
from torch import nn

from fashion_model.training import distillation
from fashion_model.training.distillation import Views, distillation_loss, make_views


class Brightest(nn.Module):
    """Says the tenth of the rows that is brightest, and can be called by nobody who trains it."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(20.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = nn.functional.adaptive_avg_pool2d(x, (10, 1)).flatten(1)
        return self.sharpness * rows


def bars(count: int) -> torch.Tensor:
    images = torch.zeros(count, 28, 28, dtype=torch.uint8)
    for number, image in enumerate(images):
        top = round(2.8 * (number % 10))
        image[top : top + 3, 4:20] = 220
    return images


def test_views_are_what_the_teacher_was_asked_about():
    pixels, teacher = bars(30), Brightest()
    views = make_views(
        pixels, teacher, 3, lambda x: x.roll(1, 3) * 0.5, bfloat16=False, progress=False
    )
    assert views.copies == 3
    assert (views.pixels.dtype, tuple(views.pixels.shape)) == (torch.uint8, (90, 28, 28))
    assert torch.equal(views.pixels, (pixels.roll(1, 2) // 2).repeat(3, 1, 1))
    with torch.no_grad():
        said = teacher(views.pixels.unsqueeze(1).float() / 255)
    torch.testing.assert_close(views.logits.float(), said, rtol=1e-3, atol=1e-3)
    assert not views.logits.requires_grad


def test_pictures_that_follow_each_other_are_changed_in_other_company(monkeypatch):
    """Blending is with those of the batch, and twelve in a row may be of one photo."""
    monkeypatch.setattr(distillation, "BATCH", 12)
    pixels = torch.arange(120, dtype=torch.uint8).view(120, 1, 1).repeat(1, 28, 28)
    batches = []

    def change(x):
        batches.append({int(tone) for tone in (x[:, 0, 0, 0] * 255).round()})
        return x

    views = make_views(pixels, Brightest(), 1, change, bfloat16=False, progress=False)
    assert torch.equal(views.pixels, pixels)
    assert sum(map(len, batches)) == 120
    apart = [max(batch) - min(batch) for batch in batches]
    assert min(apart) > 40


def test_what_is_drawn_is_a_view_of_the_picture_that_was_asked_for():
    """Each picture is one number, each copy another row of them."""
    pixels = torch.arange(12, dtype=torch.uint8).view(12, 1, 1).repeat(1, 28, 28)
    pixels[:, :, 0] = 200  # the left edge, to tell a mirror image
    views = Views(pixels, torch.arange(12).view(12, 1).repeat(1, 10).half(), copies=3)
    index = torch.tensor([0, 1, 2, 3] * 50)
    x, logits = views.sample(index, torch.Generator().manual_seed(0))
    assert tuple(x.shape) == (200, 1, 28, 28)
    rows = (x[:, 0, 14, 14] * 255).round().long()
    assert torch.equal(rows % 4, index)
    assert torch.equal(logits[:, 0].long(), rows)
    assert set((rows // 4).tolist()) == {0, 1, 2}
    left, right = x[:, 0, 0, 0] > 0.5, x[:, 0, 0, 27] > 0.5
    assert (left ^ right).all()
    assert 60 < left.sum() < 140


def test_the_loss_by_hand():
    teacher = torch.tensor([[0.75, 0.25] + [1e-30] * 8]).log()
    even = torch.zeros(1, 10)
    assert distillation_loss(even, teacher).item() == pytest.approx(math.log(10))
    least = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert distillation_loss(teacher, teacher).item() == pytest.approx(least)
    assert distillation_loss(teacher.flip(1), teacher) > distillation_loss(even, teacher)
