"""Training on made-up pictures: the loss by hand, folding, augmentation, going on after a stop."""

import math

import pytest
import torch
from torch import nn

from fashion_model import checkpoint
from fashion_model.errors import CheckpointError
from fashion_model.networks import ARCHITECTURES
from fashion_model.training import train as training
from fashion_model.training.augment import affine, erase, mix, shift_and_flip
from fashion_model.training.batch_norm import fold, unfold, with_batch_norm
from fashion_model.training.train import Pictures, accuracy, loss_of, train
from fashion_model.training.trainer import Recipe, Run

ONE = Recipe(epochs=2, batch=32)


def accepts(*rows: tuple[int, ...]) -> torch.Tensor:
    table = torch.zeros(len(rows), 10, dtype=torch.bool)
    for row, classes in enumerate(rows):
        table[row, list(classes)] = True
    return table


def bars(count: int, seed: int = 0) -> Pictures:
    """Ten classes anybody can tell: a bright bar at the height of the class, with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    images = torch.randint(0, 60, (count, 28, 28), generator=generator, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 + 2 * int(label) : 6 + 2 * int(label), 4:24] = 220
    return Pictures.of(images, labels)


# The loss.


def test_loss_with_one_class_is_cross_entropy():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 10), torch.tensor([0, 3, 9, 9, 1, 5])
    expected = nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(loss_of(logits, Pictures.of(logits, labels).accept), expected)


def test_smoothing_is_that_of_cross_entropy():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 10), torch.tensor([0, 3, 9, 9, 1, 5])
    expected = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    loss = loss_of(logits, Pictures.of(logits, labels).accept, smoothing=0.1)
    torch.testing.assert_close(loss, expected)


def test_loss_with_several_classes_counts_their_confidence_together():
    logits = torch.tensor([[0.3, 0.2, 0.1] + [0.4 / 7] * 7]).log()
    assert loss_of(logits, accepts((0, 2))).item() == pytest.approx(-math.log(0.3 + 0.1))


def test_loss_with_no_class_is_least_for_a_tenth_each():
    even, sure = torch.zeros(1, 10), torch.tensor([[5.0] + [0.0] * 9])
    assert loss_of(even, accepts(())).item() == pytest.approx(math.log(10))
    assert loss_of(sure, accepts(())) > loss_of(even, accepts(()))
    sure.requires_grad_()
    loss_of(sure, accepts(())).backward()
    assert sure.grad.isfinite().all()
    assert sure.grad[0, 0] > 0  # downhill is less sure


def test_accuracy_counts_any_accepted_class():
    logits = torch.eye(10)[[0, 1, 2, 3]]
    assert accuracy(logits, accepts((0,), (2,), (2, 5), ())) == 0.5


# Batch norm, put in and folded away.


SHAPES = {
    "finder": (8, 3, 96, 96),
    "closer-photo": (8, 2, 64, 64),
    "closer-colour": (8, 4, 64, 64),
    "closer-drawing": (8, 2, 28, 28),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_folding_changes_nothing_but_the_form(name):
    torch.manual_seed(0)
    network = ARCHITECTURES[name]()
    twin = with_batch_norm(network)
    shape = SHAPES.get(name, (8, 1, 28, 28))
    for _ in range(3):
        twin(torch.rand(shape))  # the norms see some statistics
    x = torch.rand(shape)
    with torch.no_grad():
        torch.testing.assert_close(fold(twin)(x), twin.eval()(x), rtol=1e-3, atol=1e-4)
    assert str(fold(twin)) == str(network)
    assert fold(twin).state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize(("name", "layers"), [("cnn", 19), ("coupled", 19), ("mlp", 5)])
def test_in_bfloat16_every_layer_computes_what_it_does_in_float32(name, layers):
    """Layer by layer, so that one with a broken kernel shows; a bfloat16 has three digits."""
    torch.manual_seed(0)
    twin = with_batch_norm(ARCHITECTURES[name]()).to(memory_format=torch.channels_last)
    found: dict[bool, list[torch.Tensor]] = {False: [], True: []}
    x = torch.rand(16, 1, 28, 28)
    for bfloat16, outputs in found.items():
        hooks = [
            module.register_forward_hook(lambda _m, _x, y, kept=outputs: kept.append(y.float()))
            for module in twin.modules()
            if isinstance(module, nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d | nn.Linear)
        ]
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            twin(x)
        for hook in hooks:
            hook.remove()
    assert len(found[True]) == len(found[False]) == layers
    assert not torch.equal(found[True][-1], found[False][-1])
    for half, single in zip(found[True], found[False], strict=True):
        assert (half - single).norm() < 0.05 * single.norm()


def test_a_recipe_in_bfloat16_keeps_weights_and_loss_in_float32():
    run = Run("cnn", Recipe(epochs=1, bfloat16=True), device="cpu")
    seen = []

    def loss(network: nn.Module) -> torch.Tensor:
        logits = network(torch.rand(4, 1, 28, 28))
        seen.append(logits.dtype)
        value = loss_of(logits, bars(4).accept)
        seen.append(value.dtype)
        return value

    run.step(loss, last=10)
    assert seen == [torch.bfloat16, torch.float32]
    assert {p.dtype for p in run.twin.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in run.twin.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_unfolding_changes_nothing_but_the_form(name):
    torch.manual_seed(0)
    network = ARCHITECTURES[name]().eval()
    x = torch.rand(SHAPES.get(name, (32, 1, 28, 28)))
    twin = unfold(network, x)
    first = next(
        module for module in twin.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)
    )
    weight = next(twin.parameters())
    torch.testing.assert_close(weight.detach().flatten(1).norm(dim=1), torch.ones(len(weight)))
    assert not torch.equal(first.running_var, torch.ones(len(weight)))
    other = torch.rand_like(x)
    with torch.no_grad():
        torch.testing.assert_close(fold(twin)(other), network(other), rtol=1e-3, atol=1e-4)
        if name not in SHAPES:  # the norms start with the batch's own statistics
            torch.testing.assert_close(twin.train()(x), network(x), rtol=1e-2, atol=5e-3)
    assert twin.state_dict().keys() == with_batch_norm(network).state_dict().keys()


# Augmentation.


def test_shifts_move_whole_pixels_and_flip_at_most():
    x = torch.zeros(200, 1, 28, 28)
    x[:, 0, 10, 20] = 1
    moved = shift_and_flip(x, torch.Generator().manual_seed(0), shift=2)
    assert torch.equal(moved.sum((1, 2, 3)), torch.ones(200))
    places = moved[:, 0].nonzero()[:, 1:]
    assert set(places[:, 0].tolist()) == {8, 9, 10, 11, 12}
    assert set(places[:, 1].tolist()) == {*range(18, 23), *range(5, 10)}  # flipped: 27 - 20 = 7


@pytest.mark.parametrize("change", [affine, shift_and_flip, erase, mix])
def test_augmentation_is_seeded_keeps_the_shape_and_the_range(change):
    x = torch.rand(20, 1, 28, 28)
    before = x.clone()
    one = change(x, torch.Generator().manual_seed(1))
    same = change(x, torch.Generator().manual_seed(1))
    other = change(x, torch.Generator().manual_seed(2))
    assert one.shape == x.shape
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(x, before)
    assert one.min() >= 0
    assert one.max() <= 1 + 1e-5


def test_affine_with_nothing_to_change_only_flips():
    x = torch.rand(40, 1, 28, 28)
    moved = affine(x, torch.Generator().manual_seed(0), 0.0, 0.0, 0.0, 0.0)
    straight = (moved - x).abs().amax((1, 2, 3)) < 1e-4
    flipped = (moved - x.flip(3)).abs().amax((1, 2, 3)) < 1e-4
    assert (straight ^ flipped).all()
    assert 8 < flipped.sum() < 32


def test_mixtures_are_of_two_pictures_in_any_proportion():
    x = torch.eye(400).view(400, 1, 20, 20)  # each has a pixel of its own
    mixed = mix(x, torch.Generator().manual_seed(0), 0.5).flatten(1)
    torch.testing.assert_close(mixed.sum(1), torch.ones(400))
    parts = (mixed > 0).sum(1)
    assert set(parts.tolist()) <= {1, 2}
    assert 150 < (parts == 2).sum() < 250
    own = mixed.diagonal()
    assert torch.equal(own[parts == 1], torch.ones(int((parts == 1).sum())))
    assert own[parts == 2].min() < 0.1
    assert 0.9 < own[parts == 2].max() < 1


# Whole runs.


def test_training_learns_and_writes_what_it_did(tmp_path):
    clean, held_out, test = bars(600), bars(100, seed=1), bars(50, seed=2)
    recipe = Recipe(epochs=6, batch=32, shift=0, affine_chance=0.0, ema=0.9)
    path = train(
        "mlp",
        clean,
        held_out,
        test=test,
        recipe=recipe,
        seed=5,
        out=tmp_path / "mlp.safetensors",
        device="cpu",
        card={"data": "bars"},
        progress=False,
    )
    network, card = checkpoint.load(path, device="cpu")
    assert card["accuracy"]["validation"] > 0.95
    logits = training.logits_of(network, test.pixels)
    assert card["accuracy"]["test"] == pytest.approx(accuracy(logits, test.accept))
    assert (card["architecture"], card["epochs"], card["seed"]) == ("mlp", 6, 5)
    assert card["parameters"] == 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10
    assert card["data"] == "bars"
    assert card["versions"]["torch"] == torch.__version__
    assert [file.name for file in tmp_path.iterdir()] == ["mlp.safetensors"]


def weights(path) -> list[torch.Tensor]:
    return list(checkpoint.load(path, device="cpu")[0].state_dict().values())


def test_the_seed_decides(tmp_path):
    runs = [
        train("mlp", bars(64), bars(20), recipe=ONE, seed=seed, out=tmp_path / name, progress=False)
        for seed, name in ((1, "a.safetensors"), (1, "b.safetensors"), (2, "c.safetensors"))
    ]
    one, same, other = map(weights, runs)
    assert all(map(torch.equal, one, same))
    assert not all(map(torch.equal, one, other))


@pytest.mark.parametrize(("extra", "share"), [(None, 1.0), (40, 1.0), (40, 0.3)])
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, monkeypatch, extra, share):
    more = {"extra": bars(extra, seed=9)} if extra else {}
    recipe = Recipe(epochs=3, batch=32, clean=share)
    whole = tmp_path / "whole.safetensors"
    train("mlp", bars(96), bars(20), recipe=recipe, out=whole, progress=False, **more)

    class PowerError(Exception):
        """It went out."""

    calls = []

    def logits_of(network, pixels, batch=1000):
        calls.append(1)
        if len(calls) == 2:
            raise PowerError
        return real(network, pixels, batch)

    real = training.logits_of
    monkeypatch.setattr(training, "logits_of", logits_of)
    path = tmp_path / "stopped.safetensors"
    with pytest.raises(PowerError):
        train("mlp", bars(96), bars(20), recipe=recipe, out=path, progress=False, **more)
    assert not path.exists()
    train("mlp", bars(96), bars(20), recipe=recipe, out=path, progress=False, **more)
    assert len(calls) == 2 + 2 + 1  # two stopped in the second epoch; two epochs, and the card
    assert all(map(torch.equal, weights(whole), weights(path)))


def test_an_epoch_takes_a_share_of_the_clean_pictures_drawn_anew(tmp_path, monkeypatch):
    """Each picture is one tone; a quarter of the clean, and one of the others for two clean."""

    def all_of_one_tone(first, count):
        tones = torch.arange(first, first + count, dtype=torch.uint8)
        return Pictures.of(tones.view(-1, 1, 1).repeat(1, 28, 28), tones.long() % 10)

    seen = []

    def loss_of(x, accept, smoothing):
        seen.extend((x[:, 0, 14, 14] * 255).round().int().tolist())
        return real(x, accept, smoothing)

    real = training.by_labels
    monkeypatch.setattr(training, "by_labels", loss_of)
    recipe = Recipe(epochs=2, batch=8, clean=0.25, extra=0.5, affine_chance=0.0)
    clean, extra = all_of_one_tone(0, 40), all_of_one_tone(100, 60)
    train("mlp", clean, bars(8), extra=extra, recipe=recipe, out=tmp_path / "x", progress=False)
    assert len(seen) == 2 * (10 + 20)
    epochs = seen[:30], seen[30:]
    own = [{tone for tone in epoch if tone < 100} for epoch in epochs]
    assert [len(some) for some in own] == [10, 10]
    assert own[0] != own[1]
    assert all(len({tone for tone in epoch if tone >= 100}) == 20 for epoch in epochs)


def test_a_run_that_starts_from_a_checkpoint_goes_on_from_what_it_knows(tmp_path):
    clean, held_out = bars(600), bars(100, seed=1)
    recipe = Recipe(epochs=6, batch=32, shift=0, affine_chance=0.0, ema=0.9)
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    train("mlp", clean, held_out, recipe=recipe, out=first, progress=False)
    one = Recipe(epochs=1, batch=32, shift=0, affine_chance=0.0, ema=0.9, learning_rate=1e-5)
    train("mlp", clean, held_out, recipe=one, start=first, out=second, progress=False)
    cards = [checkpoint.load(path, device="cpu")[1] for path in (first, second)]
    assert cards[1]["accuracy"]["validation"] >= cards[0]["accuracy"]["validation"] > 0.95
    assert "before" not in cards[0]
    assert [run["epochs"] for run in cards[1]["before"]] == [6]
    with pytest.raises(CheckpointError, match="of architecture mlp"):
        train("cnn", clean, held_out, recipe=one, start=first, out=tmp_path / "third")


def test_the_state_of_another_run_is_not_gone_on_with(tmp_path, monkeypatch):
    out = tmp_path / "mlp.safetensors"

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        train("mlp", bars(32), bars(20), recipe=ONE, out=out, progress=False)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="the state of another training"):
        train("mlp", bars(32), bars(20), recipe=ONE, seed=4, out=out, progress=False)
