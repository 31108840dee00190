"""What networks that name classes learn by: their loss, their batches, and their figures."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from fashion_model.calibration import fit
from fashion_model.classifier import LONGEST
from fashion_model.datasets import LabeledPicture, correct_labels
from fashion_model.errors import InputError
from fashion_model.preprocessing import Detectors, preprocess
from fashion_model.preprocessing.decode import decode
from fashion_model.training.augment import Augmentation
from fashion_model.training.pictures import NONE, PixelDataset, one_hot
from fashion_model.training.trainer import TrainConfig

BATCH = 1000  # pictures at a time, where nothing is learned


@dataclass(frozen=True, kw_only=True)
class LabelConfig(TrainConfig):
    """A training by labels."""

    label_smoothing: float = 0.05
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True, kw_only=True)
class PeopleConfig(LabelConfig):
    """A training by people's pictures, and a share of Fashion-MNIST's images, drawn anew.

    teacher_weight: of what the teacher says of a picture, if there is one, against its labels.
    """

    fashion_mnist: float = 0.3
    teacher_weight: float = 0.7


def label_loss(
    logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0
) -> torch.Tensor:
    """-log(the confidence in all targets together), (N,); logits and bool targets (N, K).

    A row without targets is drawn towards equal confidences instead, and label_smoothing mixes that
    same pull into every row.
    """
    log_p = F.log_softmax(logits.float(), dim=1)  # a bfloat16 has three digits
    even = -log_p.mean(dim=1)
    known = targets.any(dim=1)
    safe = targets | ~known[:, None]  # an empty row sums to 1 here: no -inf, no NaN gradient
    right = -torch.logsumexp(log_p.masked_fill(~safe, -torch.inf), dim=1)
    return torch.where(known, (1 - label_smoothing) * right + label_smoothing * even, even)


LabeledBatch = tuple[torch.Tensor, torch.Tensor]  # (N, C, H, W), and targets bool (N, K)
PeopleBatch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # and confidences (N, 10)


class LabelTask:
    """Batches of pictures, each learned once an epoch, and their loss."""

    def __init__(self, pictures: PixelDataset, config: LabelConfig, device: torch.device) -> None:
        self.pixels, self.targets = pictures.pixels.to(device), pictures.targets.to(device)
        self.config = config
        self.steps = math.ceil(len(pictures) / config.batch_size)

    def batches(self, generator: torch.Generator) -> Iterator[LabeledBatch]:
        device = generator.device
        order = torch.randperm(len(self.pixels), generator=generator, device=device)
        for index in order.split(self.config.batch_size):
            x = self.config.augmentation(as_input(self.pixels[index]), generator)
            yield x, self.targets[index]

    def loss(self, network: nn.Module, batch: LabeledBatch) -> torch.Tensor:
        x, targets = batch
        return label_loss(network(x), targets, self.config.label_smoothing).mean()


class PeopleTask:
    """Batches of people's pictures and a share of Fashion-MNIST's, and their loss."""

    def __init__(
        self, own: PixelDataset, people: PixelDataset, config: PeopleConfig, device: torch.device
    ) -> None:
        targets = torch.cat([own.targets, people.targets])
        confidences = torch.zeros(targets.shape)  # zeros: nobody was asked
        if people.confidences is not None:
            confidences[len(own) :] = people.confidences.float()
        self.pixels = torch.cat([own.pixels, people.pixels]).to(device)
        self.targets = targets.to(device)
        self.confidences, self.own, self.config = confidences.to(device), len(own), config
        self.drawn = round(config.fashion_mnist * len(own))
        self.steps = math.ceil((self.drawn + len(people)) / config.batch_size)

    def batches(self, generator: torch.Generator) -> Iterator[PeopleBatch]:
        permuted = partial(torch.randperm, generator=generator, device=generator.device)
        people = torch.arange(self.own, len(self.pixels), device=generator.device)
        order = torch.cat([permuted(self.own)[: self.drawn], people])
        for index in order[permuted(len(order))].split(self.config.batch_size):
            x = self.config.augmentation(as_input(self.pixels[index]), generator)
            yield x, self.targets[index], self.confidences[index]

    def loss(self, network: nn.Module, batch: PeopleBatch) -> torch.Tensor:
        x, targets, confidences = batch
        logits = network(x).float()
        by_labels = label_loss(logits, targets, self.config.label_smoothing)
        by_teacher = F.cross_entropy(logits, confidences, reduction="none")
        weight = self.config.teacher_weight * confidences.sum(1).round()
        return torch.lerp(by_labels, by_teacher, weight).mean()


def as_input(pixels: torch.Tensor) -> torch.Tensor:
    """pixels uint8 (N, 28, 28) -> float32 (N, 1, 28, 28) in [0, 1]."""
    return pixels.unsqueeze(1).float() / 255


@torch.inference_mode()
def logits_of(network: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Logits float32 (N, 10) on the CPU for pixels uint8 (N, 28, 28), one pass each."""
    device = next(network.parameters()).device
    return torch.cat([network(as_input(p.to(device))).float().cpu() for p in pixels.split(BATCH)])


def accuracy(network: nn.Module, pictures: PixelDataset) -> float:
    """The share of the pictures with a target for which the largest logit is that of one."""
    known = pictures.targets.any(1)
    answers = logits_of(network, pictures.pixels[known]).argmax(1, keepdim=True)
    return pictures.targets[known].gather(1, answers).float().mean().item()


def calibrations(network: nn.Module, held_out: Mapping[str, PixelDataset]) -> dict[str, Any]:
    """A card's "calibration", for each kind of picture with garments held out: a temperature.

    mlp-people learned things as equal confidences: of these the confidence tells more than the
    energy of the logits (AUROC .86 against .78 of drawings when measured, .79 and .71 of photos).
    """
    found = {}
    for kind, pictures in held_out.items():
        known = pictures.targets.any(1)
        if known.any():
            logits = logits_of(network, pictures.pixels[known])
            found[kind] = asdict(fit(logits, pictures.targets[known]))
    return {"calibration": found}


def held_out_inputs(
    labeled: Sequence[LabeledPicture], kind: str, segmenter: nn.Module
) -> Iterator[tuple[torch.Tensor, tuple[int, ...]]]:
    """What a network reads of each picture of this kind at high resolution, and its targets, as
    it is scored."""
    detectors = Detectors(segmenter)
    for item in correct_labels(labeled):
        if item.kind != kind or item.vague:
            continue
        picture = decode(item.path, longest=LONGEST)
        with suppress(InputError):
            model_input = preprocess(picture, detectors, kind, high_resolution=[kind])
            yield model_input.tensor, item.targets


def held_out_scores(
    network: nn.Module, kind: str, inputs: Iterable[tuple[torch.Tensor, tuple[int, ...]]]
) -> dict[str, Any]:
    """A card's "accuracy" and "calibration" of a network of eleven logits, by pictures held out.

    inputs: what network reads of each, (1, C, H, W), and its targets, none for what is no garment.
    """
    device = next(network.parameters()).device
    logits, right = [], []
    with torch.inference_mode():
        for x, targets in inputs:
            logits.append(network(x.to(device)).float().cpu())
            right.append(one_hot([targets]))
    if not logits or not (every := torch.cat(right)[:, :NONE]).any():
        return {"accuracy": {}, "calibration": {}}
    found, garment = torch.cat(logits), every.any(1)
    hits = every[garment].gather(1, found[garment, :NONE].argmax(1, keepdim=True))
    return {
        "accuracy": {kind: hits.float().mean().item()},
        "calibration": {kind: asdict(fit(found, every))},
    }
