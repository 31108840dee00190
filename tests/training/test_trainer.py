"""The training loop: its learning rate and weight average by hand, and its state on disk."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fashion_model import checkpoint
from fashion_model.errors import CheckpointError
from fashion_model.networks import ConvolutionalNetwork, NeuralNetwork
from fashion_model.training.initialization import fuse_batch_norm, with_batch_norm
from fashion_model.training.trainer import TrainConfig, Trainer

CONFIG = TrainConfig(epochs=2, batch_size=8, learning_rate=0.01, warmup=0.2)
# the cnn is small, for Muon computes in bfloat16, which is slow on many CPUs
NETWORKS = {"mlp": NeuralNetwork, "cnn": lambda: ConvolutionalNetwork(8, 16)}


def trainer(
    config: TrainConfig = CONFIG, architecture: str = "mlp", seed: int = 0, data: str = "waves"
) -> Trainer:
    torch.manual_seed(seed)
    network = with_batch_norm(NETWORKS[architecture]()).to(memory_format=torch.channels_last)
    return Trainer(network, config, seed=seed, data=data)


def waves(steps: int):
    """So many batches an epoch: the same pictures, with noise by the trainer's generator."""
    x = torch.linspace(0, 1, 8 * 784).view(8, 784).sin()

    def batches(generator):
        for _ in range(steps):
            yield (x + 0.01 * torch.rand(x.shape, generator=generator)).view(8, 1, 28, 28)

    return batches


def loss(network, x) -> torch.Tensor:
    return F.cross_entropy(network(x), torch.arange(len(x)))


def fit(one: Trainer, steps: int, **options) -> nn.Module:
    return one.fit(waves(steps), loss, steps, **options)


def spied(one: Trainer, look) -> list:
    """What look returns after each step."""
    found = []
    one.optimizers[-1].register_step_post_hook(lambda *_: found.append(look()))
    return found


def test_the_learning_rate_rises_then_falls_to_zero():
    one = trainer()
    groups = one.optimizers[0].param_groups
    rates = spied(one, lambda: {group["lr"] / CONFIG.learning_rate for group in groups})
    fit(one, steps=5)
    expected = [1 / 2, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
    assert [rate for (rate,) in rates] == pytest.approx(expected)


def test_a_cosine_rises_and_falls_as_often_as_there_are_cycles():
    """Two cycles of four steps, the first half of each to rise: 1/2 and 1 of the way up, then all
    and half of the way down; a cosine makes that (1 - cos(pi * x)) / 2."""
    config = dataclasses.replace(CONFIG, cosine=True, cycles=2, warmup=0.5)
    share = trainer(config)._share(8)
    assert [share(step) for step in range(9)] == pytest.approx(2 * [0.5, 1.0, 1.0, 0.5] + [0.0])


def test_gradients_are_clipped_to_a_norm():
    one = trainer(dataclasses.replace(CONFIG, epochs=1, clip=0.5))
    found = []

    def loss(network, x):
        return 1e3 * network(x).square().mean()

    def norm(*_):
        norms = [p.grad.norm() for p in one.network.parameters() if p.grad is not None]
        found.append(torch.stack(norms).norm().item())

    one.optimizers[0].register_step_pre_hook(norm)
    one.fit(lambda *_: [torch.rand(8, 1, 28, 28)], loss, 1)
    assert found == [pytest.approx(0.5, rel=1e-3)]


def test_groups_keep_their_own_rates():
    """As where a network that was trained before is trained on: its early layers learn less."""
    network = with_batch_norm(NeuralNetwork())
    first, *rest = network.parameters()
    groups = [{"params": [first], "lr": 0.001}, {"params": rest}]
    one = Trainer(network, CONFIG, groups=groups)
    found = spied(one, lambda: [group["lr"] for group in one.optimizers[0].param_groups])
    fit(one, steps=5)
    assert found[1] == pytest.approx([0.001, 0.01])
    assert found[-1] == pytest.approx([0.001 / 8, 0.01 / 8])


def test_steps_reduce_the_loss_and_are_counted():
    one, losses = trainer(), []

    def spy(network, x):
        losses.append(loss(network, x))
        return losses[-1]

    network = one.fit(waves(6), spy, 6)
    assert losses[0].item() == pytest.approx(2.3, abs=0.5)
    assert losses[-1] < losses[0] / 2
    assert (one.epoch, one.step) == (2, 12)
    assert one.seconds > 0
    assert network is one.average.module
    assert not network.training


def test_weight_decay_is_for_weights_alone():
    decayed, others = trainer().optimizers[0].param_groups
    assert [p.ndim for p in decayed["params"]] == [2, 2, 2]
    assert {p.ndim for p in others["params"]} == {1}
    assert (decayed["weight_decay"], others["weight_decay"]) == (CONFIG.weight_decay, 0.0)
    count = len(decayed["params"]) + len(others["params"])
    assert count == len(list(with_batch_norm(NeuralNetwork()).parameters()))


def test_muon_trains_all_matrices_but_the_last():
    """Its step is about as long as its learning rate, whatever the gradient's scale."""
    config = dataclasses.replace(
        CONFIG, epochs=1, muon_learning_rate=0.02, warmup=0.0, weight_decay=0.0
    )
    one = trainer(config, "cnn")
    weights = [p for p in one.network.parameters() if p.ndim > 1]
    before = [p.detach().clone() for p in weights]
    fit(one, steps=1)
    for weight, old in zip(weights[:-1], before[:-1], strict=True):
        moved = (weight.detach() - old).flatten(1)
        rows, columns = moved.shape
        values = torch.linalg.svdvals(moved) / (0.02 * max(1, rows / columns) ** 0.5)
        assert 0.7 < values[0] < 1.3
    assert not torch.equal(weights[-1], before[-1])


@pytest.mark.parametrize("ema", [0.2, 0.9])
def test_the_average_by_hand(ema):
    """Its decay is steps / (steps + 10) until that exceeds the config's."""
    one = trainer(dataclasses.replace(CONFIG, ema=ema))
    key = "linear_relu_stack.4.bias"
    expected = one.network.state_dict()[key].clone()
    biases = spied(one, lambda: one.network.state_dict()[key].clone())
    saved = fuse_batch_norm(fit(one, steps=3)).state_dict()[key]
    for step, bias in enumerate(biases, 1):
        decay = min(ema, step / (step + 10))
        expected = decay * expected + (1 - decay) * bias
    torch.testing.assert_close(saved, expected)
    assert not torch.equal(saved, biases[-1])


@pytest.mark.parametrize("fast", [True, False])
def test_in_bfloat16_where_it_is_fast_weights_and_loss_stay_in_float32(monkeypatch, fast):
    monkeypatch.setattr(checkpoint, "has_fast_bfloat16", lambda _: fast)
    one = trainer(dataclasses.replace(CONFIG, bfloat16=True), "cnn")
    seen = []

    def spy(network, x):
        logits = network(x)
        seen.append(logits.dtype)
        return F.cross_entropy(logits.float(), torch.arange(len(x)))

    one.fit(waves(1), spy, 1)
    assert set(seen) == {torch.bfloat16 if fast else torch.float32}
    assert one.card()["config"]["bfloat16"] is fast
    assert {p.dtype for p in one.network.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in one.network.parameters()} == {torch.float32}


def test_what_is_watched_is_the_average():
    seen = []

    def watch(network):
        seen.append((network, network.training))
        return {"accuracy": 0.5}

    one = trainer()
    fit(one, steps=2, watch=watch)
    assert seen == [(one.average.module, False)] * 2


class PowerError(Exception):
    """It went out."""


@pytest.mark.parametrize(("muon_learning_rate", "architecture"), [(0.0, "mlp"), (0.02, "cnn")])
def test_a_training_that_stops_goes_on_alike(tmp_path, muon_learning_rate, architecture):
    config = dataclasses.replace(CONFIG, epochs=3, muon_learning_rate=muon_learning_rate)
    whole = fit(trainer(config, architecture, 3), steps=2).state_dict()
    state = tmp_path / "state"
    first = trainer(config, architecture, 3)

    def stops_in_the_third_epoch(generator):
        if first.epoch == 2:
            raise PowerError
        return waves(2)(generator)

    with pytest.raises(PowerError):
        first.fit(stops_in_the_third_epoch, loss, 2, state=state)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]
    second = trainer(config, architecture, 3)
    again = fit(second, steps=2, state=state).state_dict()
    assert (second.epoch, second.step) == (3, 6)
    assert second.seconds > first.seconds
    assert all(torch.equal(again[key], value) for key, value in whole.items())
    # and once more, of what is finished
    third = trainer(config, architecture, 3)
    same = fit(third, steps=2, state=state).state_dict()
    assert all(torch.equal(same[key], value) for key, value in whole.items())


OTHERS = {
    "architecture": lambda: trainer(architecture="cnn"),
    "seed": lambda: trainer(seed=1),
    "config": lambda: trainer(dataclasses.replace(CONFIG, epochs=3)),
    "data": lambda: trainer(data="others"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_the_state_of_another_training_is_refused(tmp_path, other):
    trainer().save(tmp_path / "state")
    one = other()
    before = {key: value.clone() for key, value in one.network.state_dict().items()}
    with pytest.raises(CheckpointError, match="state of another training"):
        fit(one, steps=1, state=tmp_path / "state")
    assert all(torch.equal(before[key], value) for key, value in one.network.state_dict().items())


def cut(path) -> None:
    trainer().save(path)
    path.write_bytes(path.read_bytes()[:-1000])


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no state"),
    "truncated": cut,
    "an object": lambda path: torch.save({"training": CONFIG}, path),  # refused by weights_only
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
        trainer().resume(path)
    assert "delete it to start anew" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


def test_the_card_tells_of_the_training():
    card = trainer(seed=7).card()
    assert card["config"] == dataclasses.asdict(CONFIG)
    assert (card["epochs"], card["seed"], card["device"]) == (0, 7, "cpu")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def stop(part):
        part.write_text("ne")
        raise PowerError

    with pytest.raises(PowerError):
        checkpoint.write_atomically(path, stop)
    assert path.read_text() == "old"
    checkpoint.write_atomically(path, lambda part: part.write_text("new"))
    assert [file.read_text() for file in tmp_path.iterdir()] == ["new"]
