"""The tutorial's training of the tutorial's network, step by step.

for progress in tutorial.train(tutorial.Options(optimizer="Adam", epochs=10)):
    print(progress.step, progress.accuracy)
checkpoint.save("mine.safetensors", progress.network, {"architecture": "mlp"})

It is the one place outside of training/ with an optimizer: who has just read PyTorch's tutorial
trains its network with it, in a notebook or on the page, in seconds. What is committed in
checkpoints/ comes from training/, and has nothing to do with it.
"""

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fashion_model import checkpoint, datasets, retrieval
from fashion_model.datasets import Pairs
from fashion_model.errors import CheckpointError, InputError
from fashion_model.networks import CLASSES, NeuralNetwork

OPTIMIZERS = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam}
IMAGES = ("bundled", "all")
MAX_LEARNING_RATE = 10.0
MAX_BATCH_SIZE = 1000
MAX_EPOCHS = 100
MAX_FILE_BYTES = 4 * 1024**2  # the network has 2.7 MB
HELD_OUT = 500  # of the bundled images, the last ones: 50 of each class
POINTS = 40  # of the curve, about
SEED = 0

# str.format puts the numbers in. https://docs.pytorch.org/tutorials/beginner/basics/quickstart_tutorial.html
LOOP = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fashion_model import NeuralNetwork, tutorial

training_data, test_data = tutorial.load_images("{images}")
torch.manual_seed({seed})
model = NeuralNetwork()
dataloader = DataLoader(
    TensorDataset(*training_data), batch_size={batch_size}, shuffle=True
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.{optimizer}(model.parameters(), lr={learning_rate})

for epoch in range({epochs}):
    model.train()
    for X, y in dataloader:
        # Compute prediction error
        pred = model(X / 255)
        loss = loss_fn(pred, y)

        # Backpropagation
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a training is given; the defaults are the tutorial's.

    learning_rate: above 0. optimizer: a key of OPTIMIZERS. images: "bundled" or "all", see
    load_images. Raises InputError for what is none of it, or beyond MAX_LEARNING_RATE and the like.
    """

    learning_rate: float = 1e-3
    batch_size: int = 64
    epochs: int = 5
    optimizer: str = "SGD"
    images: str = "bundled"

    def __post_init__(self) -> None:
        rate, batch, epochs = self.learning_rate, self.batch_size, self.epochs
        right = (
            type(rate) in (float, int) and 0 < rate <= MAX_LEARNING_RATE,
            type(batch) is int and 0 < batch <= MAX_BATCH_SIZE,
            type(epochs) is int and 0 < epochs <= MAX_EPOCHS,
            self.optimizer in tuple(OPTIMIZERS) and self.images in IMAGES,
        )
        if not all(right):
            raise InputError(
                f"The learning rate must be above 0 and at most {MAX_LEARNING_RATE:g}, the batch "
                f"size 1 to {MAX_BATCH_SIZE}, the epochs 1 to {MAX_EPOCHS}, the optimizer one of "
                f"{', '.join(OPTIMIZERS)}, the images one of {', '.join(IMAGES)}.",
                key="training options",
                rate=f"{MAX_LEARNING_RATE:g}",
                batch=MAX_BATCH_SIZE,
                epochs=MAX_EPOCHS,
            )


@dataclass(frozen=True)
class Progress:
    """A point of the curve: how far the training is, and how right the network is by now.

    step: of steps, 0 before the first one, as epoch is. loss and accuracy: on held-out images.
    ended: whether it is the last point. network: goes on learning with the next one.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    ended: bool
    network: NeuralNetwork


def untrained() -> NeuralNetwork:
    """The network as every training begins: with random weights, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return NeuralNetwork().eval()


def load_images(images: str) -> tuple[Pairs, Pairs]:
    """Images uint8 (N, 28, 28) and labels int64 (N,) to learn from, and those that are held out.

    "bundled": 2,500 and HELD_OUT training images that come with the package. "all": 55,000 and the
    last 5,000 where Fashion-MNIST is installed; else an InputError. The test images are never read.
    """
    if images == "all":
        if not datasets.is_installed():
            raise InputError(
                "Fashion-MNIST is not installed here: train on the bundled images.",
                key="not installed",
            )
        return datasets.split(*datasets.load_fashion_mnist(train=True))
    pixels = torch.from_numpy(retrieval.load_subset().images)
    labels = torch.arange(len(pixels)) % len(CLASSES)
    learn, held_out = slice(None, -HELD_OUT), slice(-HELD_OUT, None)
    return (pixels[learn], labels[learn]), (pixels[held_out], labels[held_out])


def train(options: Options, seconds: float | None = None) -> Iterator[Progress]:
    """Train a NeuralNetwork on the CPU: the untrained one first, then about POINTS times, then the
    end, after all epochs, or, where that comes first, after so many seconds from the first step. It
    ends with the same weights as LOOP with these options.

    It seeds torch's global generator and draws from it, as LOOP does. Raises InputError where the
    loss is no number any more.
    """
    learn, held_out = load_images(options.images)
    torch.manual_seed(SEED)
    network = NeuralNetwork()
    loader = DataLoader(TensorDataset(*learn), batch_size=options.batch_size, shuffle=True)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = OPTIMIZERS[options.optimizer](network.parameters(), lr=options.learning_rate)
    steps, step = options.epochs * len(loader), 0
    # A forward pass is a third of a step: looking takes a fifth of the time at most.
    every = max(1, steps // POINTS, -(-4 * len(held_out[0]) // (3 * options.batch_size)))
    yield Progress(0, 0, steps, *evaluate(network, held_out), False, network)
    end = time.monotonic() + (float("inf") if seconds is None else seconds)
    for epoch in range(1, options.epochs + 1):
        network.train()
        for x, y in loader:
            loss = loss_fn(network(x / 255), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            ended = step == steps or time.monotonic() > end
            if ended or step % every == 0:
                yield Progress(epoch, step, steps, *evaluate(network, held_out), ended, network)
            if ended:
                return


@torch.inference_mode()
def evaluate(network: nn.Module, pairs: Pairs) -> tuple[float, float]:
    """Mean cross entropy and accuracy. Raises InputError where the loss is no number."""
    images, labels = pairs
    network.eval()
    logits = torch.cat([network(part / 255) for part in images.split(1000)])
    network.train()
    loss = nn.functional.cross_entropy(logits, labels).item()
    if not math.isfinite(loss):
        raise InputError(
            "The loss is no number any more: the steps were too large. Train again with a smaller "
            "learning rate.",
            key="diverged",
        )
    return loss, (logits.argmax(1) == labels).float().mean().item()


def load_network(path: Path) -> NeuralNetwork:
    """The network in a file that somebody sent, on the CPU. Raises InputError for anything else."""
    network = None
    if path.stat().st_size <= MAX_FILE_BYTES:
        with suppress(CheckpointError):  # its text names the path, which is nobody's business
            network, _ = checkpoint.load(path, "cpu")
    if not isinstance(network, NeuralNetwork):
        raise InputError(
            "This file holds no network of the tutorial. Send the .safetensors file that you took "
            "along, or one that save_file(model.state_dict(), ...) of safetensors wrote.",
            key="no tutorial network",
        )
    return network
