"""A small classifier behind the web's questions: the tutorial's network, with random weights."""

import pytest
import torch

from fashion_model import Classifier
from fashion_model.classifier import KINDS
from fashion_model.networks import NeuralNetwork
from fashion_model.preprocessing import Detectors
from fashion_model.web.panels import Inference, Panels
from stubs import DarkSegmenter


@pytest.fixture(scope="module")
def panels():
    torch.manual_seed(0)
    networks = dict.fromkeys(KINDS, NeuralNetwork().eval())
    inference = Inference([])
    inference.classifiers = {
        "cnn": Classifier(networks, {kind: {} for kind in KINDS}, Detectors(DarkSegmenter()))
    }
    return Panels(inference)


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    """Where Gradio keeps uploads."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder
