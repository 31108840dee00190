"""A network taught by stronger ones: by what they say of many views of each picture.

Teachers and student see the same views, over many epochs ("a patient and consistent teacher",
Beyer et al. 2022, arXiv 2106.05237). Of 28x28 pixels the views are made, and the teacher asked,
once: the student is so much the faster of the two that asking anew would take most of the time.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model import checkpoint
from fashion_model.networks import CLASSES
from fashion_model.training.augment import Augmentation, mix, shift_and_flip
from fashion_model.training.classification import label_loss
from fashion_model.training.trainer import TrainConfig

BATCH = 512

Teacher = Callable[[torch.Tensor], torch.Tensor]  # views (N, C, S, S) -> logits (N, K)
ViewBatch = tuple[torch.Tensor, torch.Tensor]  # views (N, 1, 28, 28) and logits (N, 10)


@dataclass(frozen=True, kw_only=True)
class ViewConfig(TrainConfig):
    """A training by so many views of each picture, as a teacher sees them: see distillation.

    mix_chance: the share of views that are two pictures blended; jitter: how many pixels they move
    by besides, which asks the teacher nothing.
    """

    views: int
    mix_chance: float = 0.0
    jitter: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True, kw_only=True)
class TaughtConfig(TrainConfig):
    """A training by labels, and by what teachers say where there are some.

    steps: batches an epoch. dropout: the share of what the last layer reads that is dropped
    (Srivastava et al. 2014). mixed: the share of views that mix_views changes, of which the
    teachers alone tell. teacher_weight: of what they say of the rest, against the labels.
    """

    steps: int
    label_smoothing: float = 0.05
    dropout: float = 0.2
    mixed: float = 0.0
    teacher_weight: float = 0.0


class Views(NamedTuple):
    """So many copies of N pictures, each changed at random, and what the teacher says of each.

    pixels: uint8 (copies, N, 28, 28). logits: float16 (copies, N, 10).
    """

    pixels: torch.Tensor
    logits: torch.Tensor

    def sample(
        self, index: torch.Tensor, generator: torch.Generator, jitter: int = 0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A view of each picture in index (n,): float32 (n, 1, 28, 28), and the teacher's logits.

        Half of them in mirror image, and all moved by up to jitter whole pixels, of which the
        teacher is taken to say the same.
        """
        size, device = (len(index),), index.device
        copy = torch.randint(len(self.pixels), size, generator=generator, device=device)
        # moved as bytes, which takes less than half as long
        x = shift_and_flip(self.pixels[copy, index].unsqueeze(1), generator, jitter)
        return x.float() / 255, self.logits[copy, index].float()


@torch.no_grad()
def make_views(
    pixels: torch.Tensor, teacher: nn.Module, config: ViewConfig, generator: torch.Generator
) -> Views:
    """Views of pixels uint8 (N, 28, 28), changed as config says, as teacher sees them.

    In bfloat16, where config asks for it and the device can, its confidences move by some
    thousandths.
    """
    teacher.eval().to(memory_format=torch.channels_last)
    bfloat16 = config.bfloat16 and checkpoint.has_fast_bfloat16(pixels.device)
    views = pixels.repeat(config.views, 1, 1)
    logits = torch.empty(len(views), len(CLASSES), dtype=torch.float16, device=views.device)
    bar = tqdm(total=len(views), desc="views", mininterval=5.0)
    # in no order, for mix blends those of a batch, and neighbors are of one photo
    order = torch.randperm(len(views), generator=torch.Generator().manual_seed(len(views)))
    for batch in order.to(views.device).split(BATCH):
        x = config.augmentation(views[batch].unsqueeze(1).float() / 255, generator)
        x = mix(x, generator, config.mix_chance) if config.mix_chance else x
        view = (x * 255).round().byte()
        with torch.autocast(view.device.type, torch.bfloat16, enabled=bfloat16):
            logits[batch] = teacher(view.float() / 255).to(logits.dtype)
        views[batch] = view[:, 0]
        bar.update(len(batch))
    bar.close()
    return Views(*(each.unflatten(0, (config.views, -1)) for each in (views, logits)))


def distillation_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the student's confidences to the teacher's; logits (N, 10) both."""
    return F.cross_entropy(student.float(), F.softmax(teacher, dim=1))


def mix_views(x: torch.Tensor, mixed: float) -> torch.Tensor:
    """x (N, C, S, S), of which a share mixed has up to half of another view in it (Zhang et al.
    2018, arXiv 1710.09412): the first ones."""
    count = round(mixed * len(x))
    share = torch.rand(count, 1, 1, 1, device=x.device) / 2
    return torch.cat([x[:count].lerp(x.roll(-count, 0)[:count], share), x[count:]])


def taught_loss(
    logits: torch.Tensor,
    x: torch.Tensor,
    targets: torch.Tensor,
    config: TaughtConfig,
    teachers: Sequence[Teacher] = (),
) -> torch.Tensor:
    """The mean loss of logits (N, K) by targets and, where there are some, by what teachers say of
    x (N, C, S, S), as mix_views gives it."""
    by_labels = label_loss(logits, targets, config.label_smoothing)
    if not teachers:
        return by_labels.mean()
    weight = torch.full_like(by_labels, config.teacher_weight)
    weight[: round(config.mixed * len(x))] = 1.0
    by_teachers = F.cross_entropy(logits, ensemble_confidences(teachers, x), reduction="none")
    return by_labels.lerp(by_teachers, weight).mean()


@torch.no_grad()
def ensemble_confidences(teachers: Sequence[Teacher], x: torch.Tensor) -> torch.Tensor:
    """What all teachers say of x (N, C, S, S) together: (N, K), whose rows sum to 1."""
    log_p = torch.stack([teacher(x).log_softmax(1) for teacher in teachers])
    return log_p.mean(0).softmax(1)


class DistillationTask:
    """Batches of what a teacher says of views of pixels uint8 (N, 28, 28), and their loss."""

    def __init__(
        self, pixels: torch.Tensor, teacher: nn.Module, config: ViewConfig, seed: int = 0
    ) -> None:
        self.pixels, self.teacher, self.config = pixels, teacher, config
        self.seed = seed
        self.steps = math.ceil(len(pixels) / config.batch_size)
        self.views: Views | None = None

    def make(self, device: torch.device) -> Views:
        """The same views for each start of the training, made when the first is asked for."""
        if self.views is None:
            generator = torch.Generator(device).manual_seed(self.seed)
            pixels, teacher = self.pixels.to(device), self.teacher.to(device)
            self.views = make_views(pixels, teacher, self.config, generator)
        return self.views

    def batches(self, generator: torch.Generator) -> Iterator[ViewBatch]:
        views = self.make(generator.device)
        order = torch.randperm(len(self.pixels), generator=generator, device=generator.device)
        for index in order.split(self.config.batch_size):
            yield views.sample(index, generator, self.config.jitter)

    def loss(self, network: nn.Module, batch: ViewBatch) -> torch.Tensor:
        x, logits = batch
        return distillation_loss(network(x), logits)
