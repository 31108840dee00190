"""From data to a checkpoint: each recipe on a handful of pictures."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fashion_model import checkpoint, load
from fashion_model import datasets as data
from fashion_model.__main__ import TRAINED
from fashion_model.errors import DataError
from fashion_model.networks import DrawingNetwork
from fashion_model.training import (
    drawing_classification,
    drawing_detection,
    line_detection,
    photo_classification,
    photo_pictures,
    pictures,
    recipes,
    segmentation,
)
from fashion_model.training.classification import held_out_inputs, held_out_scores
from fashion_model.training.job import Job
from fashion_model.training.recipes import RECIPES, train
from fashion_model.training.trainer import TrainConfig, Trainer
from stubs import Unused

FEW = {
    pictures: {
        "PHOTO_COPIES": 1,
        "GARMENT_COPIES": 2,
        "THING_COPIES": 1,
        "MADE_UP": 20,
        "NOTHING": 2,
    },
    segmentation: {"SNAPSHOTS": 20, "SCENES": 20, "SKETCHES": 12, "EPOCH": 12},
    drawing_detection: {"EACH": 6},
    drawing_classification: {"SKETCHES": 10},
    photo_pictures: {"DYED": (1,) * 10, "PEOPLE": 2, "GROUNDS": 2},
    line_detection: {"SKETCHES": 30},
}


@pytest.fixture(autouse=True)
def few(monkeypatch, sheet):
    """Twenty real images, two of each class, to train on, to hold out and to test, and few made-up
    ones."""
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet[:20]])
    labels = torch.tensor([label for _, label in sheet[:20]])
    both = {True: (images.repeat(2, 1, 1), labels.repeat(2)), False: (images, labels)}
    monkeypatch.setattr(data, "load_fashion_mnist", lambda train, _=None: both[train])
    monkeypatch.setattr(data, "VALIDATION", 20)
    for module, counts in FEW.items():
        for name, count in counts.items():
            monkeypatch.setattr(module, name, count)
    monkeypatch.setattr(recipes, "MLP", replace(recipes.MLP, views=2))
    # Muon computes in bfloat16, for which many CPUs take a second a step
    monkeypatch.setattr(recipes, "CNN", replace(recipes.CNN, muon_learning_rate=0.0))
    for module in (segmentation, line_detection):
        monkeypatch.setattr(module, "CONFIG", replace(module.CONFIG, batch_size=6))
    for name in ("CONFIG", "STUDENT"):
        config = replace(
            getattr(drawing_classification, name), batch_size=4, steps=2, muon_learning_rate=0.0
        )
        monkeypatch.setattr(drawing_classification, name, config)
    for name in ("STRONG", "MILD", "STUDENT"):
        config = replace(getattr(photo_classification, name), batch_size=4, steps=1, side=64)
        monkeypatch.setattr(photo_classification, name, config)


@pytest.fixture
def job(tmp_path, real_folder):
    """A job for a network, of one epoch."""

    def of(network: str, name: str = "made", **more) -> Job:
        out = tmp_path / f"{name}.safetensors"
        options = {"epochs": 1, "out": out, "device": "cpu"}
        return Job(network=network, **{"pictures": real_folder, **options, **more})

    return of


@pytest.fixture(scope="module")
def checkpoints():
    """By network, what trained has made."""
    return {}


@pytest.fixture
def trained(job, checkpoints, tmp_path_factory):
    """trained(network) is the checkpoint of two epochs, seed 4: one for all tests."""

    def of(network: str) -> Path:
        if network not in checkpoints:
            out = tmp_path_factory.mktemp("trained") / f"{network}.safetensors"
            checkpoints[network] = train(job(network, epochs=2, seed=4, out=out))
            assert list(out.parent.iterdir()) == [out]
        return checkpoints[network]

    return of


def weights(path) -> list[torch.Tensor]:
    return list(checkpoint.load(path, "cpu")[0].state_dict().values())


def test_the_command_line_knows_all_recipes():
    assert set(TRAINED) == set(RECIPES)


@pytest.mark.parametrize("network", [name for name in RECIPES if name != "embeddings"])
def test_a_training_that_stops_goes_on_to_the_same_checkpoint(
    job, network, trained, stopped_once, tmp_path
):
    whole = trained(network)
    stopped = job(network, "stopped", epochs=2, seed=4)
    stopped_once(lambda: train(stopped), stopped.path)
    assert all(map(torch.equal, weights(whole), weights(stopped.path)))
    assert {file.name for file in tmp_path.iterdir()} == {"stopped.safetensors", "real"}
    card = checkpoint.load(whole, "cpu")[1]
    assert (card["epochs"], card["seed"], card["held_out"]["fashion-mnist"]) == (2, 4, 20)
    assert card["accuracy"]
    assert card["data"][0].startswith("Fashion-MNIST, without the last")
    assert ("senders" in card["held_out"]) == (network not in ("cnn", "mlp"))


def test_the_cnn_is_two_networks_of_two_seeds(trained):
    path = trained("cnn")
    network, card = checkpoint.load(path, "cpu")
    assert card["architecture"] == "cnn-ensemble"
    assert card["parameters"] == sum(p.numel() for p in network.parameters())
    assert [member["seed"] for member in card["members"]] == [4, 5]
    assert len({member["digest"] for member in card["members"]}) == 2
    assert set(card["accuracy"]) == {"validation", "test"}
    assert set(card["calibration"]) == {"dataset"}
    assert load(path, "cpu").predict(np.asarray(data.load_fashion_mnist(False)[0][0]))


def test_the_mlp_is_taught_by_the_cnn(trained):
    path = trained("mlp")
    card = checkpoint.load(path, "cpu")[1]
    teacher, told = checkpoint.load("cnn", "cpu")
    assert card["teacher"]["digest"] == checkpoint.digest(teacher)
    assert card["teacher"]["accuracy"] == told["accuracy"]
    assert card["config"]["views"] == 2
    assert set(card["calibration"]) == {"dataset"}


def test_peoples_mlp_learns_from_labels_and_whole_pictures(trained):
    path = trained("mlp-people")
    card = checkpoint.load(path, "cpu")[1]
    assert card["architecture"] == "mlp"
    assert len(card["teacher"]["digests"]) == 2  # of drawings and of photos
    assert set(card["accuracy"]) == set(card["calibration"]) == {"photo", "drawing"}


def test_of_those_held_out_nothing_is_learned(job, monkeypatch):
    seen = {}

    def for_people(labeled, *_):
        seen["learned"] = {item.path.stem for item in labeled}
        yield from pictures.unchanged(labeled, "photo")

    monkeypatch.setattr(pictures, "for_people", for_people)
    train(job("mlp-people"))
    assert seen["learned"] == {"Pants-ann", "Polo-ann", "shoe-ann", "cat-ann"}


@pytest.mark.parametrize("network", ["segmenter", "line-detector"])
def test_cards_record_what_the_training_reads_and_no_more(trained, network):
    card = checkpoint.load(trained(network), "cpu")[1]
    assert card["config"].keys() == TrainConfig.__dataclass_fields__.keys()
    config = {"segmenter": segmentation.CONFIG, "line-detector": line_detection.CONFIG}[network]
    fast = config.bfloat16 and checkpoint.has_fast_bfloat16(torch.device("cpu"))
    expected = asdict(replace(config, epochs=2, bfloat16=fast))
    assert card["config"] == json.loads(json.dumps(expected))


def test_the_segmenter_tells_what_it_tells_of_those_held_out(trained):
    card = checkpoint.load(trained("segmenter"), "cpu")[1]
    assert card["architecture"] == "segmenter"
    assert {"photos", "plain sheets", "products"} <= card["accuracy"].keys()


@pytest.mark.parametrize(
    "network", ["mlp-people", "segmenter", "line-detector", "photo", "drawing"]
)
def test_who_learns_from_people_needs_their_pictures(job, network, monkeypatch):
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(DataError, match="name their folder with --pictures"):
        train(job(network, pictures=None))


def test_what_is_no_recipe_is_refused(job):
    with pytest.raises(DataError, match="'resnet' is none of cnn, mlp"):
        train(job("resnet"))


def test_the_file_is_float16_and_its_scores_are_of_what_is_loaded(job, real_folder):
    labeled = data.load_labeled(real_folder)
    torch.manual_seed(0)
    network = DrawingNetwork()
    made = job("drawing")
    path = recipes._save_half(made, network, {"architecture": "drawing"}, labeled, labeled)
    assert path.stat().st_size < 2.1 * sum(p.numel() for p in network.parameters())
    loaded, card = checkpoint.load(path, "cpu")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    expected = held_out_scores(loaded, "drawing", held_out_inputs(labeled, "drawing", Unused()))
    assert {key: card[key] for key in expected} == expected
    assert card["icon_sets"] == []
