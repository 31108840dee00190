"""Forty test images of Fashion-MNIST are answered as they were: no rebuilding moves that unsaid.

data/oracle.json holds their confidences, in the order of CLASSES. New weights or a new calibration
make new ones: PYTHONPATH=.:tests .venv/bin/python -c "import test_oracle; test_oracle.write()"
"""

import json
from pathlib import Path

import pytest
from PIL import Image

import fashion_model
from fashion_model import CLASSES

HERE = Path(__file__).with_name("data")
EXPECTED = HERE / "oracle.json"


def answers(network: str) -> list[list[float]]:
    """Confidences for each image of the sheet, every other one enlarged tenfold."""
    classifier = fashion_model.load(network, "cpu")
    with Image.open(HERE / "fashion_mnist_sheet.png") as file:
        sheet = file.convert("L")
    found = []
    for i in range(40):
        x, y = 28 * (i % 10), 28 * (i // 10)
        small = sheet.crop((x, y, x + 28, y + 28))
        picture = small if i % 2 else small.resize((280, 280), Image.Resampling.NEAREST)
        prediction = classifier.classify(picture)
        assert prediction.kind == "dataset"
        found.append([prediction.confidences[label] for label in CLASSES])
    return found


def write() -> None:
    made = {name: [[round(c, 7) for c in row] for row in answers(name)] for name in ("cnn", "mlp")}
    lines = (f'"{k}": [\n' + ",\n".join(map(json.dumps, v)) + "\n]" for k, v in made.items())
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


@pytest.mark.parametrize("network", ["cnn", "mlp"])
def test_the_answers_are_what_they_were(network):
    expected = json.loads(EXPECTED.read_text())[network]
    for found, row in zip(answers(network), expected, strict=True):
        assert found == pytest.approx(row, abs=1e-5)
