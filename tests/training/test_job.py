"""What one training reads and writes: its folds, its seeds, its files."""

from pathlib import Path

import pytest
import torch

from fashion_model import checkpoint
from fashion_model.errors import DataError
from fashion_model.training.augment import Augmentation
from fashion_model.training.classification import LabelConfig, LabelTask
from fashion_model.training.job import Job
from fashion_model.training.pictures import PixelDataset

CONFIG = LabelConfig(
    epochs=3, batch_size=8, learning_rate=0.01, augmentation=Augmentation(affine_chance=0.0)
)


@pytest.fixture
def job(tmp_path):
    def of(**more) -> Job:
        out = tmp_path / "made.safetensors"
        return Job(**{"network": "mlp", "out": out, "device": "cpu"} | more)

    return of


@pytest.fixture
def task():
    pixels = torch.randint(0, 256, (16, 28, 28), generator=torch.Generator().manual_seed(0))
    labels = PixelDataset.from_labels(pixels.byte(), torch.arange(16) % 10)
    return LabelTask(labels, CONFIG, torch.device("cpu"))


def test_one_fold_of_senders_is_held_out(job, real_folder):
    learn, held_out = job(pictures=real_folder).load_people()
    assert {item.group for item in learn} == {"ann"}
    assert {item.group for item in held_out} == {"leo"}
    with pytest.raises(DataError, match="name their folder with --pictures"):
        job().load_people()


def test_where_a_checkpoint_goes(tmp_path):
    assert Job(network="mlp").path == checkpoint.resolve("mlp")
    assert Job(network="mlp", out=Path("x.safetensors")).path == Path("x.safetensors")
    assert Job(network="segmenter").path.is_file()  # the committed one, under its own name


def test_a_member_is_a_seed_and_a_state_of_its_own(job, task, tmp_path):
    one = job(seed=4, epochs=1)
    networks, cards = zip(
        *(one.fit("mlp", CONFIG, task, "noise", member) for member in (0, 1)), strict=True
    )
    assert [card["seed"] for card in cards] == [4, 5]
    assert cards[0]["architecture"] == "mlp"
    assert cards[0]["epochs"] == cards[0]["config"]["epochs"] == 1
    weights = [network.linear_relu_stack[0].weight for network in networks]
    assert not torch.equal(*weights)
    states = {file.name for file in tmp_path.iterdir()}
    assert states == {"made.0.training", "made.1.training"}
    one.save(networks[0], cards[0])
    assert [file.name for file in tmp_path.iterdir()] == ["made.safetensors"]


def test_the_network_is_folded_and_laid_out_as_it_will_be_loaded(job, task):
    one = job(epochs=1)
    network, card = one.fit("mlp", CONFIG, task, "noise")
    loaded, _ = checkpoint.load(one.save(network, card), "cpu")
    x = torch.rand(3, 1, 28, 28)
    assert torch.equal(loaded(x), network(x))
