"""How classes are learned: the loss by hand, the batches, and students that learn."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from fashion_model import datasets as data
from fashion_model.preprocessing import drawing, photo
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.geometry import as_rgb
from fashion_model.training.augment import Augmentation
from fashion_model.training.classification import (
    LabelConfig,
    LabelTask,
    PeopleConfig,
    PeopleTask,
    accuracy,
    calibrations,
    held_out_inputs,
    held_out_scores,
    label_loss,
    logits_of,
)
from fashion_model.training.initialization import fuse_batch_norm, untrained
from fashion_model.training.pictures import PixelDataset
from fashion_model.training.trainer import Trainer
from stubs import DarkSegmenter, Unused

CPU = torch.device("cpu")
STILL = Augmentation(affine_chance=0.0, shift=0)


def loss_of(
    logits: torch.Tensor, accepted: torch.Tensor, label_smoothing: float = 0.0
) -> torch.Tensor:
    return label_loss(logits, accepted, label_smoothing).mean()


def one_each(labels: torch.Tensor) -> torch.Tensor:
    return nn.functional.one_hot(labels, 10).bool()


def targets(*rows: tuple[int, ...]) -> torch.Tensor:
    table = torch.zeros(len(rows), 10, dtype=torch.bool)
    for row, classes in enumerate(rows):
        table[row, list(classes)] = True
    return table


def bars(count: int, seed: int = 0) -> PixelDataset:
    """Ten classes anybody can tell: a bright bar at the height of the class, with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    images = torch.randint(0, 60, (count, 28, 28), generator=generator, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 + 2 * int(label) : 6 + 2 * int(label), 4:24] = 220
    return PixelDataset.from_labels(images, labels)


def test_loss_with_one_class_is_cross_entropy():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 10), torch.tensor([0, 3, 9, 9, 1, 5])
    expected = nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(loss_of(logits, one_each(labels)), expected)


def test_smoothing_is_that_of_cross_entropy():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 10), torch.tensor([0, 3, 9, 9, 1, 5])
    expected = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    loss = loss_of(logits, one_each(labels), label_smoothing=0.1)
    torch.testing.assert_close(loss, expected)


def test_loss_with_several_classes_counts_their_confidence_together():
    logits = torch.tensor([[0.3, 0.2, 0.1] + [0.4 / 7] * 7]).log()
    assert loss_of(logits, targets((0, 2))).item() == pytest.approx(-math.log(0.3 + 0.1))


def test_loss_with_no_class_is_least_for_a_tenth_each():
    even, sure = torch.zeros(1, 10), torch.tensor([[5.0] + [0.0] * 9])
    assert loss_of(even, targets(())).item() == pytest.approx(math.log(10))
    assert loss_of(sure, targets(())) > loss_of(even, targets(()))
    sure.requires_grad_()
    loss_of(sure, targets(())).backward()
    assert sure.grad.isfinite().all()
    assert sure.grad[0, 0] > 0  # downhill is less sure


class Says(nn.Module):
    """A network of one parameter whose logits are these, one row a picture."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits[: len(x)]


class Brightest(nn.Module):
    """Says the tenth of the rows that is brightest."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(20.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sharpness * nn.functional.adaptive_avg_pool2d(x, (10, 1)).flatten(1)


def test_accuracy_counts_any_target_and_leaves_out_what_has_none():
    network = Says(torch.eye(10)[[0, 1, 2]])
    pictures = PixelDataset(torch.zeros(4, 28, 28).byte(), targets((0,), (2,), (2, 5), ()))
    assert accuracy(network, pictures) == pytest.approx(2 / 3)


def test_confidences_are_calibrated_for_kinds_with_garments():
    network = Says(4 * torch.eye(10)[[0, 1, 2, 3] * 5])
    kinds = {
        "dataset": PixelDataset(
            torch.zeros(20, 28, 28).byte(), targets((0,), (1,), (2,), (4,)).repeat(5, 1)
        ),
        "photo": PixelDataset(torch.zeros(2, 28, 28).byte(), targets((), ())),
    }
    found = calibrations(network, kinds)["calibration"]
    assert set(found) == {"dataset"}
    # right three times of four, so that e^(4/t) / (e^(4/t) + 9) is 3/4
    assert found["dataset"]["temperature"] == pytest.approx(4 / math.log(27), rel=0.02)


def tones(first: int, count: int) -> PixelDataset:
    """Pictures of one tone each."""
    pixels = torch.arange(first, first + count, dtype=torch.uint8).view(-1, 1, 1).repeat(1, 28, 28)
    return PixelDataset.from_labels(pixels, torch.arange(count) % 10)


def seen(batches) -> list[int]:
    return [int(tone) for x, *_ in batches for tone in (x[:, 0, 14, 14] * 255).round()]


def test_an_epoch_takes_each_picture_once():
    config = LabelConfig(epochs=1, batch_size=8, learning_rate=0.01, augmentation=STILL)
    source = LabelTask(tones(0, 30), config, CPU)
    generator = torch.Generator().manual_seed(0)
    first, second = (seen(source.batches(generator)) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(30))
    assert first != second
    assert source.steps == 4


def test_of_fashion_mnist_a_share_is_drawn_anew_beside_peoples_pictures():
    config = PeopleConfig(
        epochs=1, batch_size=8, learning_rate=0.01, fashion_mnist=0.25, augmentation=STILL
    )
    source = PeopleTask(tones(0, 40), tones(100, 20), config, CPU)
    generator = torch.Generator().manual_seed(0)
    epochs = [seen(source.batches(generator)) for epoch in (0, 1)]
    own = [{tone for tone in epoch if tone < 100} for epoch in epochs]
    assert [len(some) for some in own] == [10, 10]
    assert own[0] != own[1]
    assert all(set(range(100, 120)) <= set(epoch) for epoch in epochs)
    assert source.steps == 4


def test_teacher_and_labels_have_a_say_by_trust_where_somebody_was_asked():
    config = PeopleConfig(
        epochs=1, batch_size=8, learning_rate=0.01, label_smoothing=0.0, teacher_weight=0.75
    )
    source = PeopleTask(tones(0, 4), tones(100, 2), config, CPU)
    logits = torch.randn(2, 10, generator=torch.Generator().manual_seed(0))
    asked = torch.tensor([[0.5, 0.5] + [0.0] * 8, [0.0] * 10])
    x, right = torch.zeros(2, 1, 28, 28), targets((3,), (4,))
    log_p = logits.log_softmax(1)
    first = -0.25 * log_p[0, 3] - 0.75 * (log_p[0, 0] + log_p[0, 1]) / 2
    expected = (first - log_p[1, 4]) / 2
    torch.testing.assert_close(source.loss(Says(logits), (x, right, asked)), expected)


def trained(source, config) -> nn.Module:
    trainer = Trainer(untrained("mlp", 0, CPU), config)
    return fuse_batch_norm(trainer.fit(source.batches, source.loss, source.steps))


def test_labels_are_learned():
    config = LabelConfig(epochs=6, batch_size=32, learning_rate=2e-3, ema=0.9, augmentation=STILL)
    network = trained(LabelTask(bars(600), config, CPU), config)
    assert accuracy(network, bars(100, seed=1)) > 0.95


def test_logits_are_those_of_one_pass_for_any_count():
    network = Brightest()
    pictures = bars(30)
    with torch.no_grad():
        expected = network(pictures.pixels[:, None].float() / 255)
    torch.testing.assert_close(logits_of(network, pictures.pixels), expected)


@pytest.fixture
def labeled(real_folder):
    """Pants, a polo that is too vague to score, a dress; two shoes and two cats drawn."""
    return data.load_labeled(real_folder)


def test_pictures_are_scored_as_they_are_read_in_use(labeled):
    photos = list(held_out_inputs(labeled, "photo", DarkSegmenter()))
    assert [targets for _, targets in photos] == [(1,), (3,)]
    picture = decode(labeled[0].path)
    mask = photo.coarse_mask(photo.mask_logits(as_rgb(np.asarray(picture)), DarkSegmenter())[0])
    assert torch.equal(photos[0][0], photo.in_color(picture, mask=mask)[0])
    drawings = list(held_out_inputs(labeled, "drawing", Unused()))
    assert [targets for _, targets in drawings] == [(5, 7), ()] * 2
    assert {tuple(x.shape) for x, _ in drawings} == {(1, 2, drawing.SIDE, drawing.SIDE)}


class SaysInTurn(nn.Module):
    """The logits that it is made with, one row after the other."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.rows, self.weight = iter(logits), nn.Parameter(torch.zeros(1))

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return next(self.rows)[None]


def test_the_accuracy_is_of_garments_alone():
    """Right by either target, wrong, and a thing, whatever is said of that."""
    logits = 5 * torch.eye(11)[[7, 10, 2, 0]]
    logits[1, 4] = 3.0  # sure that it is none, but the best of the ten is right
    inputs = [(torch.zeros(1, 2, 4, 4), targets) for targets in ((5, 7), (4,), (3,), ())]
    found = held_out_scores(SaysInTurn(logits), "drawing", inputs)
    assert found["accuracy"] == {"drawing": pytest.approx(2 / 3)}
    assert found["calibration"]["drawing"]["temperature"] > 0


def test_without_a_garment_there_are_no_scores():
    inputs = [(torch.zeros(1, 2, 4, 4), ())]
    nothing = {"accuracy": {}, "calibration": {}}
    assert held_out_scores(SaysInTurn(torch.zeros(1, 11)), "photo", inputs) == nothing
    assert held_out_scores(SaysInTurn(torch.zeros(1, 11)), "photo", []) == nothing
