"""One training that somebody asks for: what it reads, how it runs, and what it writes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

from fashion_model import checkpoint
from fashion_model import datasets as data
from fashion_model.datasets import LabeledPicture, Pairs
from fashion_model.errors import DataError
from fashion_model.training.classification import accuracy
from fashion_model.training.initialization import fuse_batch_norm, untrained
from fashion_model.training.pictures import PixelDataset
from fashion_model.training.trainer import TrainConfig, Trainer

HELD_OUT = 3  # the fold of senders, of datasets.group_fold's five, that no training sees

FASHION_MNIST = "Fashion-MNIST, without the last 5,000 training images (Zalando SE, MIT)"
PEOPLES_PICTURES = [
    "made up from it: photos of garments laid down or worn, and line drawings",
    "phone photos of clothes (CC0, github.com/alexeygrigorev/clothing-dataset)",
    "garments worn in the street (Apache-2.0 as published by the authors of "
    "github.com/bearpaw/clothing-co-parsing; the photos are by others)",
    "photos of things (MIT, github.com/marcusklasson/GroceryStoreDataset and "
    "github.com/garythung/trashnet)",
    "line drawings (CC BY 4.0, Google's Quick, Draw! data)",
    "icons of garments (MIT, Apache-2.0, ISC, CC0 or CC BY, by the authors of their sets)",
]

Config = TypeVar("Config", bound=TrainConfig)
Card = dict[str, Any]


class Task(Protocol):
    """What a network is trained on: steps batches an epoch, and the loss of one."""

    steps: int

    def batches(self, generator: torch.Generator, /) -> Iterator[Any]: ...
    def loss(self, network: nn.Module, batch: Any, /) -> torch.Tensor: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training that somebody asks for.

    network: of recipes.RECIPES. data: Fashion-MNIST's folder (see datasets.load_fashion_mnist).
    pictures: a folder of labeled photos and drawings. epochs: None for the recipe's. out: None
    for checkpoints/NETWORK. device: None to detect one.
    """

    network: str
    data: str | Path | None = None
    pictures: str | Path | None = None
    epochs: int | None = None
    seed: int = 0
    out: Path | None = None
    device: str | None = None

    @property
    def path(self) -> Path:
        """The checkpoint to write."""
        return self.out or checkpoint.resolve(self.network)

    @property
    def torch_device(self) -> torch.device:
        return checkpoint.detect_device(self.device)

    def load_fashion_mnist(self) -> tuple[Pairs, Pairs]:
        """Images and labels to learn, and those of the validation."""
        return data.split(*data.load_fashion_mnist(True, self.data))

    def load_people(self) -> tuple[list[LabeledPicture], list[LabeledPicture]]:
        """Pictures by people: those to learn, and those of senders who are held out."""
        if self.pictures is None:
            raise DataError(
                f"{self.network} learns from photos and drawings by people: name their folder "
                f"with --pictures."
            )
        learn: list[LabeledPicture] = []
        held_out: list[LabeledPicture] = []
        for item in data.load_labeled(self.pictures):
            (held_out if data.group_fold(item) == HELD_OUT else learn).append(item)
        return learn, held_out

    def fit(
        self,
        architecture: str,
        config: TrainConfig,
        task: Task,
        about: str,
        member: int = 0,
        watched: PixelDataset | None = None,
    ) -> tuple[nn.Module, Card]:
        """A network of this architecture, trained and folded, and what its card tells of that.

        about: what the task learns from, in words. watched: pictures whose accuracy the bar shows.
        """
        seed = self.seed + member
        network = untrained(architecture, seed, self.torch_device)
        trainer = Trainer(network, self.with_epochs(config), seed=seed, data=about)
        network, card = self.run(trainer, task, member, watched)
        return network, {"architecture": architecture, **card}

    def with_epochs(self, config: Config) -> Config:
        """config with the epochs that are asked for."""
        return config if self.epochs is None else replace(config, epochs=self.epochs)

    def run(
        self,
        trainer: Trainer,
        task: Task,
        member: int = 0,
        watched: PixelDataset | None = None,
    ) -> tuple[nn.Module, Card]:
        """The network of trainer, trained and folded, and what its card tells of that."""

        def watch(average: nn.Module) -> dict[str, float]:
            return {"validation": accuracy(fuse_batch_norm(average), watched)} if watched else {}

        average = trainer.fit(
            task.batches, task.loss, task.steps, state=self.state_path(member), watch=watch
        )
        # as it will be loaded
        network = fuse_batch_norm(average).to(memory_format=torch.contiguous_format)
        return network, trainer.card()

    def save(self, network: nn.Module, card: Card, dtype: torch.dtype | None = None) -> Path:
        """Write the checkpoint, as dtype; no state of its training is needed any more."""
        checkpoint.save(self.path, network, card, dtype)
        for state in self.path.parent.glob(f"{self.path.stem}.*.training"):
            state.unlink()
        return self.path

    def state_path(self, member: int = 0) -> Path:
        """What an interrupted training goes on from."""
        return self.path.with_suffix(f".{member}.training")


def people_card() -> Card:
    """What the card of a network tells that learned people's pictures too."""
    held_out = {"fashion-mnist": data.VALIDATION, "senders": f"fold {HELD_OUT} of 5"}
    return {"data": [FASHION_MNIST, *PEOPLES_PICTURES], "held_out": held_out}
