"""A training run: its learning rate and weight average by hand, and its state on disk."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from fashion_model.errors import CheckpointError
from fashion_model.networks import NeuralNetwork
from fashion_model.training.batch_norm import with_batch_norm
from fashion_model.training.trainer import Recipe, Run

RECIPE = Recipe(epochs=2, batch=8, learning_rate=0.01, warmup=0.2)


def loss_of(network) -> torch.Tensor:
    x = torch.linspace(0, 1, 8 * 784).view(8, 784).sin()
    return F.cross_entropy(network(x), torch.arange(8))


def test_the_learning_rate_rises_then_falls_to_zero():
    run = Run("mlp", RECIPE, device="cpu")
    rates = []
    for _ in range(10):
        run.step(loss_of, last=10)
        (rate,) = {group["lr"] for group in run.optimizers[0].param_groups}
        rates.append(rate / RECIPE.learning_rate)
    assert rates == pytest.approx([1 / 2, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


def test_steps_reduce_the_loss_they_report():
    run = Run("mlp", RECIPE, device="cpu")
    losses = [run.step(loss_of, last=12) for _ in range(12)]
    assert losses[0] == pytest.approx(2.3, abs=0.5)
    assert losses[-1] < losses[0] / 2
    assert run.steps == 12
    assert run.seconds > 0


def test_weight_decay_is_for_weights_alone():
    run = Run("mlp", RECIPE, device="cpu")
    decayed, others = run.optimizers[0].param_groups
    assert [p.ndim for p in decayed["params"]] == [2, 2, 2]
    assert {p.ndim for p in others["params"]} == {1}
    assert (decayed["weight_decay"], others["weight_decay"]) == (RECIPE.weight_decay, 0.0)
    count = len(decayed["params"]) + len(others["params"])
    assert count == len(list(with_batch_norm(NeuralNetwork()).parameters()))


def test_muon_trains_all_matrices_but_the_last():
    """Its step is about as long as its learning rate, whatever the gradient's scale."""
    recipe = dataclasses.replace(RECIPE, muon=0.02, warmup=0.0, weight_decay=0.0)
    run = Run("cnn", recipe, device="cpu")
    weights = [p for p in run.twin.parameters() if p.ndim > 1]
    assert [id(p) for p, _ in run.matrices] == [id(p) for p in weights[:-1]]
    before = [p.detach().clone() for p in weights]
    x = torch.linspace(0, 9, 4 * 784).view(4, 1, 28, 28).sin()
    run.step(lambda network: F.cross_entropy(network(x), torch.arange(4)), last=1000)
    for weight, old in zip(weights[:-1], before[:-1], strict=True):
        moved = (weight.detach() - old).flatten(1)
        rows, columns = moved.shape
        values = torch.linalg.svdvals(moved) / (0.02 * max(1, rows / columns) ** 0.5)
        assert 0.7 < values[0] < 1.3
    assert not torch.equal(weights[-1], before[-1])


def test_the_average_by_hand():
    """Its decay is steps / (steps + 10) until that exceeds the recipe's."""
    run = Run("mlp", dataclasses.replace(RECIPE, ema=0.2), device="cpu")
    key = "linear_relu_stack.4.bias"
    expected = run.average[key].clone()
    for step in (1, 2, 3):
        run.step(loss_of, last=3)
        decay = min(0.2, step / (step + 10))
        expected = decay * expected + (1 - decay) * run.twin.state_dict()[key]
        torch.testing.assert_close(run.average[key], expected)
    saved = run.network().linear_relu_stack[4].bias
    torch.testing.assert_close(saved, expected)
    assert not torch.equal(saved, run.twin.state_dict()[key])


@pytest.mark.parametrize("muon", [0.0, 0.02])
def test_a_run_that_is_saved_and_resumed_goes_on_alike(tmp_path, muon):
    recipe = dataclasses.replace(RECIPE, muon=muon)
    whole = Run("mlp", recipe, seed=3, device="cpu")
    for _ in range(4):
        whole.step(loss_of, last=4)
    numbers = torch.rand(3, generator=whole.generator)
    first = Run("mlp", recipe, seed=3, device="cpu")
    for _ in range(2):
        first.step(loss_of, last=4)
    first.epoch = 1
    first.save(tmp_path / "state")
    assert [file.name for file in tmp_path.iterdir()] == ["state"]
    second = Run("mlp", recipe, seed=3, device="cpu")
    torch.rand(1, generator=second.generator)  # what the state undoes
    second.resume(tmp_path / "state")
    assert (second.epoch, second.steps, second.seconds) == (1, 2, first.seconds)
    for _ in range(2):
        second.step(loss_of, last=4)
    for key, value in whole.average.items():
        assert torch.equal(second.average[key], value), key
    assert torch.equal(torch.rand(3, generator=second.generator), numbers)


@pytest.mark.parametrize(
    "other",
    [
        lambda: Run("cnn", RECIPE, device="cpu"),
        lambda: Run("mlp", RECIPE, seed=1, device="cpu"),
        lambda: Run("mlp", dataclasses.replace(RECIPE, epochs=3), device="cpu"),
        lambda: Run("mlp", dataclasses.replace(RECIPE, smoothing=0.2), device="cpu"),
    ],
    ids=["architecture", "seed", "epochs", "smoothing"],
)
def test_the_state_of_another_run_is_refused(tmp_path, other):
    Run("mlp", RECIPE, device="cpu").save(tmp_path / "state")
    run = other()
    before = {key: value.clone() for key, value in run.twin.state_dict().items()}
    with pytest.raises(CheckpointError, match="state of another training"):
        run.resume(tmp_path / "state")
    assert all(torch.equal(before[key], value) for key, value in run.twin.state_dict().items())


def cut(path) -> None:
    Run("mlp", RECIPE, device="cpu").save(path)
    path.write_bytes(path.read_bytes()[:-1000])


def unsafe(path) -> None:
    torch.save({"run": Recipe(epochs=1)}, path)  # a class: weights_only refuses it


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no state"),
    "truncated": cut,
    "an object": unsafe,
    "without a name": lambda path: torch.save({"epoch": 1}, path),
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "a number": lambda path: torch.save(3, path),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("write", BROKEN.values(), ids=BROKEN)
def test_a_broken_state_is_an_error_of_one_line_that_names_it(tmp_path, write):
    path = tmp_path / "mlp.training"
    write(path)
    with pytest.raises(CheckpointError, match=r"mlp\.training cannot be read") as caught:
        Run("mlp", RECIPE, device="cpu").resume(path)
    assert "delete it to start anew" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


def test_the_card_tells_of_the_run():
    card = Run("mlp", RECIPE, seed=7, device="cpu").card()
    assert card["recipe"] == dataclasses.asdict(RECIPE)
    assert (card["architecture"], card["seed"], card["device"]) == ("mlp", 7, "cpu")
    assert card["parameters"] == 669_706
