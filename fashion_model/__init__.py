"""Which of the ten Fashion-MNIST classes a drawing or a photo shows, how sure that is, and why."""

from fashion_model.classifier import DEFAULT, Classifier, Prediction, load
from fashion_model.errors import CheckpointError, DataError, FashionModelError, InputError
from fashion_model.networks import CLASSES, NETWORKS, NeuralNetwork

__all__ = [
    "CLASSES",
    "DEFAULT",
    "NETWORKS",
    "CheckpointError",
    "Classifier",
    "DataError",
    "FashionModelError",
    "InputError",
    "NeuralNetwork",
    "Prediction",
    "load",
]
