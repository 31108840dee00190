"""The training of the drawing network: people's drawings, icons, and images drawn as lines.

It learns from the labels first. The photo network knows less of drawings, but errs in other ones:
together they are right more often than either. So the drawing network goes on with what both say.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from fashion_model import checkpoint
from fashion_model.datasets import LabeledPicture, Pairs
from fashion_model.errors import InputError
from fashion_model.networks import CLASSES
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.drawing import strokes
from fashion_model.training.classification import LabeledBatch
from fashion_model.training.distance_fields import Variation, distance_field, redraw
from fashion_model.training.distillation import TaughtConfig, Teacher, mix_views, taught_loss
from fashion_model.training.job import Card, Job
from fashion_model.training.pictures import NONE, one_hot, sampling_weights, with_targets
from fashion_model.training.synthesis.garments import Garments
from fashion_model.training.synthesis.sketches import sketches
from fashion_model.training.trainer import Trainer

# The share of each source: people's drawings by their origin, but for "other", those of none of
# the ten; images of Fashion-MNIST as lines
SHARES = {"doodle": 0.24, "vector": 0.20, "icon": 0.10, "other": 0.36, "sketch": 0.10}
SKETCHES = 8_000
AROUND = 8  # pixels of paper around a drawing, where the photo network is asked about it
POWER = 0.5  # of a label's rarity within its source, see pictures.sampling_weights

DrawingExample = tuple[str, str, Image.Image, tuple[int, ...]]  # source, label, picture, targets


@dataclass(frozen=True, kw_only=True)
class DrawingConfig(TaughtConfig):
    """variation: how drawings are changed each time."""

    steps: int = 75
    label_smoothing: float = 0.02
    variation: Variation = field(default_factory=Variation)


CONFIG = DrawingConfig(
    epochs=24,
    batch_size=128,
    learning_rate=3e-3,
    weight_decay=0.05,
    betas=(0.9, 0.98),
    muon_learning_rate=0.03,
    cycles=2,
    clip=2.0,
    ema=0.996,
    bfloat16=True,
)
STUDENT = replace(
    CONFIG,
    epochs=30,
    steps=50,
    batch_size=64,
    learning_rate=5e-4,
    muon_learning_rate=0.0,
    warmup=0.15,
    cosine=True,
    ema=0.99,
    mixed=1 / 3,
    teacher_weight=0.7,
    bfloat16=False,
)


@dataclass(frozen=True)
class Material:
    """N drawings: fields and thickness as distance_fields.redraw reads them, targets bool (N, 11),
    and how often each is shown, float64 (N,)."""

    fields: torch.Tensor
    thickness: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor

    @staticmethod
    def of(items: Iterable[DrawingExample]) -> "Material":
        """All items but the blank ones."""
        fields, thickness, targets, names = [], [], [], []
        for source, label, picture, right in items:
            try:
                lines = strokes(np.asarray(picture))
            except InputError:
                continue
            fields.append(distance_field(lines.line))
            thickness.append(lines.thickness)
            targets.append(right)
            names.append((source, label))
        return Material(
            torch.stack(fields), torch.tensor(thickness), one_hot(targets), _weights(names)
        )


class DrawingTask:
    """Batches of drawings, each drawn anew whenever it is shown, and their loss."""

    def __init__(
        self, material: Material, config: DrawingConfig, teachers: Sequence[Teacher] = ()
    ) -> None:
        self.material, self.config, self.steps = material, config, config.steps
        self.teachers = teachers

    def batches(self, generator: torch.Generator) -> Iterator[LabeledBatch]:
        device, material = generator.device, self.material
        seed = int(torch.randint(2**62, (), generator=generator, device=device))
        own = torch.Generator().manual_seed(seed)  # drawings are changed on the CPU
        for _ in range(self.steps):
            rows = torch.multinomial(material.weights, self.config.batch_size, True, generator=own)
            given = material.fields[rows], material.thickness[rows], self.config.variation
            x = redraw(*given, own).to(device)
            yield x.contiguous(memory_format=torch.channels_last), material.targets[rows].to(device)

    def loss(self, network: nn.Module, batch: LabeledBatch) -> torch.Tensor:
        x, targets = batch
        x = mix_views(x, self.config.mixed)
        stages = cast(nn.Sequential, network.stages)
        logits = stages[-1](F.dropout(stages[:-1](x), self.config.dropout))
        return taught_loss(logits, x, targets, self.config, self.teachers)


def of_photos(network: nn.Module) -> Teacher:
    """The photo network, asked about drawings (N, 2, 112, 112): dark lines on white paper."""
    network.eval().to(memory_format=torch.channels_last)

    def logits(x: torch.Tensor) -> torch.Tensor:
        paper = F.pad(1 - x[:, :1], (AROUND,) * 4, value=1.0).expand(-1, 3, -1, -1)
        return network(paper.contiguous(memory_format=torch.channels_last))

    return logits


def train(job: Job, material: Material, about: str) -> tuple[nn.Module, Card]:
    """The drawing network, and what its card tells of its training; about: what it learns."""
    drawing, first = job.fit("drawing", CONFIG, DrawingTask(material, CONFIG), about)
    photo, _ = checkpoint.load("photo", job.torch_device)
    drawing = drawing.to(job.torch_device).to(memory_format=torch.channels_last)
    teachers: list[Teacher] = [copy.deepcopy(drawing).eval(), of_photos(photo)]
    digests = [checkpoint.digest(each) for each in (drawing, photo)]
    data = f"{about}, taught by {' '.join(digest[:12] for digest in digests)}"
    trainer = Trainer(drawing, job.with_epochs(STUDENT), seed=job.seed + 1, data=data)
    network, card = job.run(trainer, DrawingTask(material, STUDENT, teachers), 1)
    about_first = {key: first[key] for key in ("seed", "epochs", "config", "seconds")}
    about_teachers = [
        {"network": "drawing", "digest": digests[0], **about_first},
        {"network": "photo", "digest": digests[1]},
    ]
    seconds = first["seconds"] + card["seconds"]
    more = {"seed": job.seed, "seconds": seconds, "teachers": about_teachers}
    return network, {**first, **card, **more}


def _weights(names: Sequence[tuple[str, str]]) -> torch.Tensor:
    """How often drawings of these sources and labels are shown, float64 (N,)."""
    weights = torch.zeros(len(names), dtype=torch.float64)
    for source, share in SHARES.items():
        rows = [row for row, name in enumerate(names) if name[0] == source]
        if rows:
            weights[rows] = share * sampling_weights([names[row][1] for row in rows], POWER)
    return weights


def items(
    labeled: Sequence[LabeledPicture], fashion_mnist: Pairs, seed: int
) -> Iterator[DrawingExample]:
    """All drawings to learn from, the same for the same seed."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    for picture, targets in with_targets(labeled):
        if picture.kind == "drawing":
            known = picture.origin if picture.origin in SHARES else "doodle"
            source = "other" if targets == (NONE,) else known
            yield source, picture.label, decode(picture.path), targets
    garments = Garments.sample(*fashion_mnist, SKETCHES, rng)
    for sketch, label in sketches(garments, generator):
        yield "sketch", CLASSES[label], sketch, (label,)
