"""Which of the ten Fashion-MNIST classes a drawing or a photo shows, how sure that is, and why."""

from fashion_model.errors import CheckpointError, DataError, FashionModelError, InputError
from fashion_model.networks import CLASSES, NETWORKS, NeuralNetwork
from fashion_model.predictor import DEFAULT, Answer, Classifier, load

__all__ = [
    "CLASSES",
    "DEFAULT",
    "NETWORKS",
    "Answer",
    "CheckpointError",
    "Classifier",
    "DataError",
    "FashionModelError",
    "InputError",
    "NeuralNetwork",
    "load",
]
