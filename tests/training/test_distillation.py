"""Teaching by a stronger network: the views, and the loss by hand."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fashion_model.networks import DrawingNetwork
from fashion_model.training import distillation
from fashion_model.training.augment import Augmentation
from fashion_model.training.classification import accuracy, logits_of
from fashion_model.training.distillation import (
    DistillationTask,
    TaughtConfig,
    ViewConfig,
    Views,
    distillation_loss,
    ensemble_confidences,
    make_views,
    mix_views,
    taught_loss,
)
from fashion_model.training.initialization import fuse_batch_norm, untrained
from fashion_model.training.pictures import PixelDataset
from fashion_model.training.trainer import Trainer

CPU = torch.device("cpu")
VIEWS = ViewConfig(epochs=1, batch_size=4, learning_rate=0.1, views=1)
LABELS = TaughtConfig(
    epochs=1, batch_size=4, steps=1, learning_rate=0.1, dropout=0.0, label_smoothing=0.0
)


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
    config = replace(VIEWS, views=3, augmentation=lambda x, _: x.roll(1, 3) * 0.5)
    views = make_views(pixels, teacher, config, torch.Generator())
    assert (views.pixels.dtype, tuple(views.pixels.shape)) == (torch.uint8, (3, 30, 28, 28))
    assert torch.equal(views.pixels, (pixels.roll(1, 2) // 2).expand(3, -1, -1, -1))
    with torch.no_grad():
        said = teacher(views.pixels.flatten(0, 1).unsqueeze(1).float() / 255)
    torch.testing.assert_close(views.logits.flatten(0, 1).float(), said, rtol=1e-3, atol=1e-3)
    assert not views.logits.requires_grad


def test_pictures_that_follow_each_other_are_changed_in_other_company(monkeypatch):
    """Blending is with those of the batch, and twelve in a row may be of one photo."""
    monkeypatch.setattr(distillation, "BATCH", 12)
    pixels = torch.arange(120, dtype=torch.uint8).view(120, 1, 1).repeat(1, 28, 28)
    batches = []

    def change(x, _):
        batches.append({int(tone) for tone in (x[:, 0, 0, 0] * 255).round()})
        return x

    config = replace(VIEWS, augmentation=change)
    views = make_views(pixels, Brightest(), config, torch.Generator())
    assert torch.equal(views.pixels[0], pixels)
    assert sum(map(len, batches)) == 120
    apart = [max(batch) - min(batch) for batch in batches]
    assert min(apart) > 40


def test_what_is_drawn_is_a_view_of_the_picture_that_was_asked_for():
    """Each picture is one number, each copy another row of them."""
    pixels = torch.arange(12, dtype=torch.uint8).view(3, 4, 1, 1).repeat(1, 1, 28, 28)
    pixels[..., 0] = 200  # the left edge, to tell a mirror image
    views = Views(pixels, torch.arange(12).view(3, 4, 1).repeat(1, 1, 10).half())
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


def views_and_targets() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.rand(4, 2, 112, 112), F.one_hot(torch.tensor([4, 8, 4, 10]), 11).bool()


def by_labels(network: nn.Module, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return -F.log_softmax(network(x), 1)[targets]


def test_without_teachers_the_labels_alone_count():
    network, (x, targets) = DrawingNetwork(8, 16).eval(), views_and_targets()
    expected = by_labels(network, x, targets).mean()
    torch.testing.assert_close(taught_loss(network(x), x, targets, LABELS), expected)
    smooth = replace(LABELS, label_smoothing=0.1)
    even = -F.log_softmax(network(x), 1).mean()
    found = taught_loss(network(x), x, targets, smooth)
    torch.testing.assert_close(found, 0.9 * expected + 0.1 * even)


def test_teachers_tell_of_mixed_views_and_count_beside_the_labels_of_the_rest():
    """Of four views the first is laid over the second; two teachers say a coat, and trousers."""
    network, (x, targets) = DrawingNetwork(8, 16).eval(), views_and_targets()
    one, other = (3.0 * F.one_hot(torch.tensor(label), 11) for label in (4, 1))
    teachers = [lambda x: one.expand(len(x), -1), lambda x: other.expand(len(x), -1)]
    confidences = ensemble_confidences(teachers, x)
    torch.testing.assert_close(confidences.sum(1), torch.ones(4))
    assert confidences[0].topk(2).indices.sort().values.tolist() == [1, 4]
    torch.manual_seed(5)
    config = replace(LABELS, mixed=0.25, teacher_weight=0.5)
    views = mix_views(x, config.mixed)
    torch.manual_seed(5)
    share = torch.rand(1, 1, 1, 1) / 2
    x = torch.cat([(1 - share) * x[:1] + share * x[1:2], x[1:]])
    torch.testing.assert_close(views, x)
    found = taught_loss(network(x), x, targets, config, teachers)
    by_teachers = -(confidences * F.log_softmax(network(x), 1)).sum(1)
    rest = 0.5 * by_labels(network, x, targets) + 0.5 * by_teachers
    torch.testing.assert_close(found, (by_teachers[0] + rest[1:].sum()) / 4)


def test_a_student_learns_what_its_teacher_says_of_views():
    """The labels are nowhere; the same views for the same seed, mixtures among them."""
    config = ViewConfig(
        epochs=30,
        batch_size=20,
        learning_rate=2e-3,
        views=2,
        mix_chance=0.5,
        ema=0.9,
        augmentation=Augmentation(affine_chance=0.0, shift=0),
    )
    pixels = bars(100)
    pictures = PixelDataset.from_labels(pixels, logits_of(Brightest(), pixels).argmax(1))
    source = DistillationTask(pictures.pixels, Brightest(), config)
    trainer = Trainer(untrained("mlp", 0, CPU), config)
    student = trainer.fit(source.batches, source.loss, source.steps)
    assert accuracy(fuse_batch_norm(student), pictures) > 0.9
    views = source.make(CPU)
    assert views is source.make(CPU)
    again = DistillationTask(pictures.pixels, Brightest(), config).make(CPU)
    assert torch.equal(again.pixels, views.pixels)
    plain = replace(config, mix_chance=0.0)
    unmixed = DistillationTask(pictures.pixels, Brightest(), plain).make(CPU).pixels
    own = {tuple(row) for row in pictures.pixels.flatten(1).tolist()}
    own |= {tuple(row) for row in pictures.pixels.flip(2).flatten(1).tolist()}
    assert {tuple(row) for row in unmixed.flatten(0, 1).flatten(1).tolist()} <= own
    assert not {tuple(row) for row in views.pixels.flatten(0, 1).flatten(1).tolist()} <= own
