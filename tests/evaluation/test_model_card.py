"""Saved results belong to their weights, and the model card says what they hold."""

import json

import pytest
import torch

import fashion_model
from fashion_model import CLASSES, DataError, checkpoint
from fashion_model.classifier import Classifier
from fashion_model.evaluation import compare as comparison
from fashion_model.evaluation import results
from fashion_model.evaluation.model_card import model_card
from fashion_model.networks import NETWORKS, NeuralNetwork

NAMES = [name for name in NETWORKS if checkpoint.resolve(name).is_file()]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return NeuralNetwork().eval()


@pytest.fixture
def found():
    """Made-up results: every class right but for a few; and a folder of two sources."""
    confusion = [[10 * (i == j) for j in range(10)] for i in range(10)]
    confusion[6][0], confusion[0][6], confusion[9][7] = 4, 2, 3
    labels = [
        {"source": "home", "label": "Hoodie", "role": "scored", "count": 9, "accuracy": 0.5},
        {"source": "home", "label": "Dress", "role": "scored", "count": 8, "accuracy": 0.25},
        {"source": "home", "label": "Cape", "role": "scored", "count": 1, "accuracy": 0.0},
        {"source": "home", "label": "Pants", "role": "scored", "count": 8, "accuracy": 1.0},
        {"source": "home", "label": "Hat", "role": "other", "count": 50, "accuracy": None},
    ]
    answers = {"Bag": 1, "Coat": 7}
    images = {
        "sources": [{"source": "home", "count": 26, "accuracy": 0.6, "bins": [1, 2]}],
        "labels": [{**label, "answers": answers} for label in labels],
        "unreadable": [{"path": "secret/name.png", "error": "x"}],
        "vague": 0,
    }
    return {"fashion_mnist": {"confusion": confusion, "accuracy": 1 / 3}, "images": images}


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_results_are_those_of_the_committed_weights(name):
    classifier = fashion_model.load(name, "cpu")
    about = results.load(name, classifier.networks)
    assert {"fashion_mnist", "images"} <= about.keys(), (
        f"stale: run python -m fashion_model evaluate --network {name} --save, and so with --images"
    )
    score = about["fashion_mnist"]
    assert score["accuracy"] == pytest.approx(classifier.card["accuracy"]["test"], abs=1e-3)
    assert sum(map(sum, score["confusion"])) == score["count"] == 10_000
    right = sum(score["confusion"][i][i] for i in range(10))
    assert right / 10_000 == pytest.approx(score["accuracy"], abs=1e-5)
    assert sum(b["count"] for b in score["bins"]) == 10_000
    assert results.path_of(name).stat().st_size < 20_000
    told = classifier.card["results"]
    assert told["test"]["ece"] == score["ece"]
    for source in about["images"]["sources"]:
        assert told[source["source"]].items() <= source.items()
        assert told[source["source"]]["macro_accuracy"] > 0.7


def test_the_digest_is_of_the_weights_alone(network):
    before = checkpoint.digest(network)
    assert before == checkpoint.digest(network)
    other = NeuralNetwork()
    other.load_state_dict(network.state_dict())
    assert checkpoint.digest(other) == before
    with torch.no_grad():
        other.linear_relu_stack[4].bias[3] += 1e-6
    assert checkpoint.digest(other) != before


def test_results_are_kept_together_and_forgotten_with_the_weights(network, found, tmp_path):
    name = tmp_path / "some.safetensors"
    checkpoint.save(name, network, {"architecture": "mlp", "seed": 7})
    assert results.load(name, [network]) == {}
    results.keep(name, [network], {"network": "some", "fashion_mnist": found["fashion_mnist"]})
    path = results.keep(name, [network], {"images": found["images"], "fold": 3})
    assert path == tmp_path / "some.results.json"
    about = results.load(name, [network])
    assert set(about) == {"fashion_mnist", "images", "fold"}
    assert about["fashion_mnist"]["accuracy"] == 0.33333
    assert [label["label"] for label in about["images"]["labels"]][-1] == "Pants"
    assert "secret" not in path.read_text()
    again, card = checkpoint.load(name, "cpu")
    assert (checkpoint.digest(again), card["seed"]) == (checkpoint.digest(network), 7)
    assert card["results"]["fold"] == 3
    assert card["results"]["test"]["accuracy"] == 0.33333
    for source in found["images"]["sources"]:
        told = card["results"][source["source"]]
        assert told["count"] == source["count"]
        assert told["accuracy"] == pytest.approx(source["accuracy"], abs=1e-5)
        assert "bins" not in told
    with torch.no_grad():
        network.linear_relu_stack[0].bias[0] += 1
    assert results.load(name, [network]) == {}
    results.keep(name, [network], {"fold": 1})
    assert results.load(name, [network]) == {"fold": 1}  # nothing of the old weights
    assert checkpoint.load(name, "cpu")[1] == card  # which are still those of the checkpoint
    path.write_text("{")
    with pytest.raises(DataError, match="evaluate --save"):
        results.load(name, [network])


def test_what_people_send_is_forgotten_with_the_finder(network, found, tmp_path, monkeypatch):
    name = tmp_path / "some.safetensors"
    checkpoint.save(name, network, {"architecture": "mlp"})
    results.keep(name, [network], found)
    results.keep(name, [network], {"fold": 3})
    assert set(results.load(name, [network])) == {"fashion_mnist", "images", "fold"}
    monkeypatch.setattr(results, "_finder", lambda: "of another finder")
    assert set(results.load(name, [network])) == {"fashion_mnist", "fold"}


def test_the_card_of_made_up_results(network, found):
    classifier = Classifier(network, {"architecture": "mlp"}, network)
    card = model_card(classifier, found)
    assert card["print"] == str(network)
    assert card["parameters"] == 669_706
    assert sum(layer["parameters"] for layer in card["layers"]) == 669_706
    assert [layer["module"] for layer in card["layers"]][:2] == [
        "Flatten(start_dim=1, end_dim=-1)",
        "Linear(in_features=784, out_features=512, bias=True)",
    ]
    confused = [(p["truth"], p["answer"], p["count"], p["of"]) for p in card["dataset"]["confused"]]
    assert confused == [
        ("Shirt", "T-shirt/top", 4, 14),
        ("Ankle boot", "Sneaker", 3, 13),
        ("T-shirt/top", "Shirt", 2, 12),
    ]
    hardest = [(h["label"], h["answer"]) for h in card["people"]["hardest"]]
    assert hardest == [("Dress", "Coat"), ("Hoodie", "Coat")]  # not the single cape, nor others
    json.dumps(card)


def test_a_card_without_results(network):
    card = model_card(Classifier(network, {"architecture": "mlp"}, network), {})
    assert card["dataset"] is None
    assert card["people"] is None
    assert card["parameters"] == 669_706


def test_networks_side_by_side_say_what_each_says_alone(sheet):
    classifiers = {name: fashion_model.load(name, "cpu") for name in NAMES}
    picture, _ = sheet[0]
    _, prepared = classifiers[NAMES[0]].prepare(picture)
    both = comparison.compare(classifiers, prepared)
    assert [each.network for each in both] == NAMES
    for each, classifier in zip(both, classifiers.values(), strict=True):
        assert each.confidences == pytest.approx(classifier.predict(picture), abs=1e-6)
        assert next(iter(each.confidences)) in CLASSES
        assert each.architecture == type(classifier.network).__name__
        assert each.parameters == classifier.card["parameters"]
        assert each.accuracy == classifier.card["accuracy"]["test"]
        assert 0 < each.milliseconds < 10_000
