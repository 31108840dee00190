"""A classifier that knows ten pictures, a folder of them, and outcomes without either."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fashion_model import Classifier, checkpoint
from fashion_model.classifier import KINDS
from fashion_model.datasets import LabeledPicture
from fashion_model.evaluation.scores import Outcome
from fashion_model.networks import NeuralNetwork
from fashion_model.preprocessing import Detectors


class Templates(torch.nn.Module):
    """Logits are 30 times the cosine to the first picture of each class in the sheet."""

    def __init__(self, sheet):
        super().__init__()
        pixels = torch.stack([torch.from_numpy(np.asarray(p).copy()) for p, _ in sheet[:10]])
        self.weight = torch.nn.Parameter(30 * torch.nn.functional.normalize(flat(pixels / 255)))

    def forward(self, x):
        return torch.nn.functional.normalize(flat(x)) @ self.weight.T


def flat(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(len(x), -1)


@pytest.fixture(scope="session")
def classifier(sheet):
    """Right on the sheet's first ten pictures. Nothing here is a photo: it needs no segmenter."""
    card = {"architecture": "templates", "calibration": {"dataset": {"temperature": 2.0}}}
    network = Templates(sheet).eval()
    return Classifier(
        dict.fromkeys(KINDS, network), dict.fromkeys(KINDS, card), Detectors(torch.nn.Identity())
    )


FOLDER = """path,source,label,accept,sender
boot1.png,home,Boots,Ankle boot,1
boot2.png,home,Boots,Sandal|Ankle boot,2
boot3.png,home,Boots,Bag,3
broken.png,home,Pants,Trouser,3
hat.png,home,Hat,,1
polo.png,home,Polo,,1
cup.png,home-other,cup,,
cat.png,doodle-other,cat,,
"""
SHOWS = {"boot1": 9, "boot2": 9, "boot3": 9, "hat": 8, "polo": 0, "cup": 4, "cat": 5}


@pytest.fixture
def folder(tmp_path, sheet):
    """A folder in which each picture is the sheet's first of the class that SHOWS names."""
    here = tmp_path / "labeled pictures"
    here.mkdir()
    (here / "labels.csv").write_text(FOLDER)
    for name, index in SHOWS.items():
        sheet[index][0].save(here / f"{name}.png")
    (here / "broken.png").write_text("no picture")
    return here


@pytest.fixture(scope="session")
def outcome():
    """An Outcome from its answer, confidence and targets."""

    def build(answer, confidence, *targets, source="home", label="x", probability=None):
        picture = LabeledPicture(Path(f"{label}.jpg"), source, label, targets, "")
        return Outcome(picture, {answer: confidence}, "photo", probability=probability)

    return build


@pytest.fixture
def network(tmp_path):
    """An untrained network on disk."""
    torch.manual_seed(0)
    path = tmp_path / "untrained.safetensors"
    checkpoint.save(path, NeuralNetwork(), {"architecture": "mlp"})
    return str(path)
