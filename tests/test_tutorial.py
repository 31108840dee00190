"""The tutorial's training: it is the loop that is shown, on images that are not those held out."""

import json
import math
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file

from fashion_model import InputError, checkpoint, datasets, retrieval, tutorial
from fashion_model.networks import CLASSES, NeuralNetwork
from fashion_model.tutorial import HELD_OUT, LOOP, POINTS, SEED, Options, evaluate, train


def state(network):
    return {key: tensor.clone() for key, tensor in network.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[key], second[key]) for key in first | second)


@pytest.mark.parametrize(
    "options",
    [
        Options(epochs=1),
        Options(learning_rate=0.003, batch_size=250, epochs=2, optimizer="Adam"),
    ],
    ids=lambda options: options.optimizer,
)
def test_the_loop_that_is_shown_ends_with_the_same_weights(options):
    *_, last = train(options)
    shown = {}
    exec(LOOP.format(**asdict(options), seed=SEED), shown)  # noqa: S102 - it is ours
    assert same(last.network.state_dict(), shown["model"].state_dict())
    assert not same(last.network.state_dict(), tutorial.untrained().state_dict())


def test_the_loop_says_the_chosen_numbers():
    options = Options(learning_rate=0.01, batch_size=32, epochs=7, optimizer="Adam")
    text = LOOP.format(**asdict(options), seed=SEED)
    for part in ("lr=0.01", "batch_size=32", "range(7)", "torch.optim.Adam(", '("bundled")'):
        assert part in text
    assert "{" not in text


def test_the_defaults_are_the_tutorial_s():
    assert Options() == Options(learning_rate=1e-3, batch_size=64, epochs=5, optimizer="SGD")


def test_the_untrained_network_comes_first_and_training_makes_it_better():
    first, weights = None, None
    points = []
    for progress in train(Options(optimizer="Adam", epochs=2)):
        if first is None:
            first, weights = progress, state(progress.network)
        points.append(progress)
    last = points[-1]
    assert (first.epoch, first.step, first.ended) == (0, 0, False)
    assert same(weights, tutorial.untrained().state_dict())
    assert first.accuracy < 0.25
    assert math.isclose(first.loss, math.log(10), rel_tol=0.05)
    assert (last.epoch, last.step, last.steps, last.ended) == (2, 80, 80, True)
    assert last.accuracy > 0.6
    assert last.loss < first.loss - 1
    assert [p.step for p in points] == sorted({p.step for p in points})
    assert 5 <= len(points) <= POINTS + 2
    assert not any(p.ended for p in points[:-1])


def test_it_ends_in_time_with_a_last_point():
    first, last = train(Options(epochs=100), seconds=0)
    assert (first.step, last.step, last.ended) == (0, 1, True)


def test_what_is_held_out_is_not_learned_from():
    (images, labels), (held_images, held_labels) = tutorial.load_images("bundled")
    assert len(held_images) == HELD_OUT
    assert len(images) + HELD_OUT == len(retrieval.load_subset().images)
    assert torch.equal(held_labels.bincount(), torch.full((10,), HELD_OUT // 10))
    assert torch.equal(labels[:10], torch.arange(10))
    assert images.dtype == torch.uint8
    known = {image.numpy().tobytes() for image in images}
    assert not [image for image in held_images if image.numpy().tobytes() in known]


def test_all_images_are_those_of_the_training_set(monkeypatch):
    whole = torch.arange(5100 * 784).view(5100, 28, 28).to(torch.uint8), torch.arange(5100) % 10
    asked = []
    monkeypatch.setattr(datasets, "is_installed", lambda: True)
    monkeypatch.setattr(datasets, "load_fashion_mnist", lambda train: asked.append(train) or whole)
    (images, labels), (held_images, held_labels) = tutorial.load_images("all")
    assert asked == [True]  # never the test images
    assert torch.equal(torch.cat([images, held_images]), whole[0])
    assert torch.equal(torch.cat([labels, held_labels]), whole[1])
    assert len(held_images) == datasets.VALIDATION


def test_nothing_is_downloaded(monkeypatch):
    monkeypatch.setattr(datasets, "DEBIAN", datasets.DOWNLOADS / "nowhere")
    monkeypatch.setattr(datasets, "DOWNLOADS", datasets.DOWNLOADS / "nowhere")
    with pytest.raises(InputError) as caught:
        next(train(Options(images="all")))
    assert caught.value.key == "not installed"


@pytest.mark.parametrize(
    "wrong",
    [
        *({"learning_rate": rate} for rate in (0, -1, 11.0, math.nan, math.inf, True, "0.1", None)),
        *({"batch_size": size} for size in (0, 1001, 2.0, True, "64")),
        *({"epochs": epochs} for epochs in (0, 101, 1.5, None)),
        *({"optimizer": name} for name in ("RMSprop", "", None, ["SGD"])),
        *({"images": name} for name in ("test", None, {})),
    ],
    ids=str,
)
def test_options_that_are_none_are_refused(wrong):
    with pytest.raises(InputError) as caught:
        Options(**wrong)
    assert caught.value.key == "training options"
    assert caught.value.values == {"rate": "10", "batch": 1000, "epochs": 100}


def test_a_loss_that_is_no_number_says_what_to_do():
    with pytest.raises(InputError, match="smaller learning rate") as caught:
        list(train(Options(learning_rate=10.0, epochs=3)))
    assert caught.value.key == "diverged"


def test_evaluate_against_a_network_that_is_known():
    class Bright(torch.nn.Module):
        """Says the class of which the number is the first pixel."""

        def forward(self, x):
            return torch.nn.functional.one_hot((x[:, 0, 0] * 255).long(), 10).float()

    images = torch.zeros(4, 28, 28, dtype=torch.uint8)
    images[:, 0, 0] = torch.tensor([1, 2, 3, 4])
    loss, accuracy = evaluate(Bright(), (images, torch.tensor([1, 2, 3, 9])))
    assert accuracy == 0.75
    total = math.log(math.e + 9)
    assert loss == pytest.approx((3 * (total - 1) + total) / 4)


def test_a_network_that_was_taken_along_comes_back(tmp_path):
    network = tutorial.untrained()
    checkpoint.save(tmp_path / "a.safetensors", network, {"architecture": "mlp"})
    save_file(network.state_dict(), tmp_path / "plain.safetensors")
    for name in ("a.safetensors", "plain.safetensors"):
        assert same(tutorial.load_network(tmp_path / name).state_dict(), network.state_dict())


def test_what_is_no_network_of_the_tutorial_is_refused(tmp_path):
    network = NeuralNetwork()
    metadata = {"card": json.dumps({"architecture": "mlp", "classes": list(CLASSES)})}
    broken = network.state_dict() | {"linear_relu_stack.0.bias": torch.full((512,), torch.nan)}
    save_file(broken, tmp_path / "nan.safetensors", metadata)
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    torch.save(network.state_dict(), tmp_path / "pickle.pth")
    (tmp_path / "text.safetensors").write_text("no weights")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "large.safetensors").write_bytes(bytes(tutorial.MAX_FILE_BYTES + 1))
    wrong = [*tmp_path.iterdir(), checkpoint.resolve("line-detector")]
    assert len(wrong) == 7
    for path in wrong:
        with pytest.raises(InputError) as caught:
            tutorial.load_network(path)
        assert caught.value.key == "no tutorial network"
        assert str(tmp_path) not in str(caught.value)
