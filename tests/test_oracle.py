"""The answers before the house was rebuilt: no step of the rebuilding may move them unsaid."""

import json
from pathlib import Path

import pytest

import fashion_model
from data.oracle_pictures import pictures

EXPECTED = json.loads(Path(__file__).with_name("data").joinpath("oracle.json").read_text())
PICTURES = pictures()


@pytest.mark.parametrize("network", ["cnn", "mlp"])
def test_the_answers_are_what_they_were(network):
    classifier = fashion_model.load(network, "cpu")
    for name, expected in EXPECTED.items():
        if "error" in expected[network]:
            with pytest.raises(fashion_model.InputError):
                classifier.predict(PICTURES[name])
            continue
        answer = classifier.answer(PICTURES[name])
        assert answer.kind == expected[network]["kind"], name
        assert answer.confidences == pytest.approx(expected[network]["confidences"], abs=1e-6), name
