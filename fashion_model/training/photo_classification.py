"""The training of the photo network: from ImageNet's weights, on views of photos.

Two networks learn from the labels first. One sees strong views, its first stages stay as ImageNet
taught them, and it must still tell ImageNet's classes (Learning without Forgetting, Li and Hoiem
2016, arXiv 1606.09282): it is the better one of photos of a kind that it never saw. One sees mild
views, with all layers and batch norm learning. Together they are right more often than either, but
twice as slow. So the first one goes on, at more pixels, with what both say of strong views (Hinton
et al. 2015, arXiv 1503.02531), a part of which are two views mixed.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from fashion_model import checkpoint
from fashion_model.efficientnet import EfficientNetLite0
from fashion_model.preprocessing.photo import COLOR_SIDE
from fashion_model.training.classification import LabeledBatch
from fashion_model.training.distillation import TaughtConfig, Teacher, mix_views, taught_loss
from fashion_model.training.initialization import fuse_batch_norm, pretrained
from fashion_model.training.job import Card, Job
from fashion_model.training.photo_pictures import POOLS, Pool
from fashion_model.training.photo_views import paste, view
from fashion_model.training.pictures import one_hot
from fashion_model.training.synthesis.garments import Rng
from fashion_model.training.trainer import Trainer

MEMORY_TEMPERATURE = 2.0  # the temperature at which ImageNet's classes are compared
CHALK = 0.1  # share of the drawings that are shown bright on dark
GROUND_POOLS = ("grounds", "things", "rooms", "rooms")  # for cut-outs: each is drawn from as often


@dataclass(frozen=True, kw_only=True)
class PhotoConfig(TaughtConfig):
    """learning_rate is that of the last stage before the classifier, which has classifier_rate;
    each earlier one has decay times the next one's.

    side: pixels a side of the views. strong: see photo_views.view. frozen: how many of the
    network's first stages do not learn. memory: the weight of telling ImageNet's classes as before.
    """

    steps: int = 145
    side: int = 128
    strong: bool = True
    frozen: int = 5  # normalize, stem, and stages 1 to 3
    decay: float = 0.8
    classifier_rate: float = 3e-3
    memory: float = 0.0


STRONG = PhotoConfig(
    epochs=8,
    batch_size=48,
    learning_rate=5e-4,
    weight_decay=0.02,
    warmup=0.15,
    cosine=True,
    ema=0.997,
    memory=0.3,
)
MILD = replace(
    STRONG,
    epochs=5,
    learning_rate=4e-4,
    side=112,
    strong=False,
    frozen=0,
    decay=1.0,
    memory=0.0,
)
STUDENT = replace(
    STRONG,
    epochs=12,
    memory=0.0,
    learning_rate=3e-4,
    side=COLOR_SIDE,
    classifier_rate=5e-4,
    mixed=1 / 3,
    teacher_weight=0.7,
)


class PhotoTask:
    """Batches of views of pools, mixed as POOLS says, and their loss.

    teachers: networks that learned the same pictures; none where labels alone count. imagenet: the
    network of ImageNet's thousand classes, where these are to be remembered.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        config: PhotoConfig,
        teachers: Sequence[Teacher] = (),
        imagenet: EfficientNetLite0 | None = None,
    ) -> None:
        self.pools, self.config, self.steps = pools, config, config.steps
        self.teachers = teachers
        self.imagenet = imagenet
        shares = np.array([POOLS[name][0] for name in pools])
        self.names, self.shares = list(pools), shares / shares.sum()

    def batches(self, generator: torch.Generator) -> Iterator[LabeledBatch]:
        device = generator.device
        seed = torch.randint(2**62, (), generator=generator, device=device)
        rng = np.random.default_rng(int(seed))
        for _ in range(self.steps):
            views, targets = zip(
                *(self.view(rng) for _ in range(self.config.batch_size)), strict=True
            )
            x = torch.from_numpy(np.stack(views)).to(device).permute(0, 3, 1, 2).float() / 255
            yield x.contiguous(memory_format=torch.channels_last), one_hot(targets).to(device)

    def view(self, rng: Rng) -> tuple[Any, tuple[int, ...]]:
        """A view, uint8 (side, side, 3), of some picture, and the picture's targets."""
        name = self.names[rng.choice(len(self.names), p=self.shares)]
        picture, targets = self.pools[name].draw(rng)
        if picture.shape[2] == 4:
            pool = GROUND_POOLS[rng.choice(len(GROUND_POOLS))]
            ground, _ = self.pools[pool if pool in self.pools else "grounds"].draw(rng)
            picture = paste(rng, picture, ground)
        drawn = name.endswith("drawn")
        if drawn and rng.random() < CHALK:
            picture = 255 - picture
        before = self.pools["things" if "things" in self.pools else name].draw(rng)[0]
        config = self.config
        return view(rng, picture, config.side, before[..., :3], drawn, config.strong), targets

    def loss(self, network: nn.Module, batch: LabeledBatch) -> torch.Tensor:
        """By labels, teachers and memory, as the config weighs them."""
        config, stages = self.config, cast(EfficientNetLite0, network).stages
        x, targets = batch
        x = mix_views(x, config.mixed)
        with torch.no_grad():
            early = stages[: config.frozen](x)
        features = stages[config.frozen : -1](early)
        logits = stages[-1](F.dropout(features, config.dropout))
        loss = taught_loss(logits, x, targets, config, self.teachers)
        return loss + config.memory * self.memory_loss(early, features) if config.memory else loss

    def memory_loss(self, early: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The cross-entropy of ImageNet's classes, as features tell them, to those before training.

        early: what the first stages, which do not learn, make of the views.
        """
        later = cast(EfficientNetLite0, self.imagenet).stages[self.config.frozen :]
        classes = later[-1]
        with torch.no_grad():
            before = (later(early) / MEMORY_TEMPERATURE).softmax(1)
        return F.cross_entropy(classes(features) / MEMORY_TEMPERATURE, before)


def at_training_size(teacher: EfficientNetLite0) -> Teacher:
    """teacher, asked at no more pixels than it has learned at."""
    teacher = teacher.eval().to(memory_format=torch.channels_last)

    def logits(x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] > STRONG.side:
            side = [STRONG.side] * 2
            x = F.interpolate(x, side, mode="bilinear", antialias=True)
        return teacher(x)

    return logits


def train(job: Job, pools: Mapping[str, Pool], about: str) -> tuple[nn.Module, Card]:
    """The photo network, and what its card tells of its training; about: what it learns, in words.

    Raises DataError where ImageNet's weights are missing.
    """
    cards: list[Card] = []
    imagenet = cast(
        EfficientNetLite0,
        fuse_batch_norm(pretrained(1000)).requires_grad_(False).to(job.torch_device),
    )
    imagenet.to(memory_format=torch.channels_last)

    def fit(network: nn.Module, config: PhotoConfig, *teachers: Teacher) -> EfficientNetLite0:
        """What learned, without its batch norm."""
        config, member = job.with_epochs(config), len(cards)
        network = cast(
            EfficientNetLite0, network.to(job.torch_device).to(memory_format=torch.channels_last)
        )
        digests = [f"taught by {card['digest'][:12]}" for card in cards[: len(teachers)]]
        trainer = Trainer(
            network,
            config,
            seed=job.seed + member,
            data=" ".join([about, *digests]),
            groups=parameter_groups(network, config),
        )
        task = PhotoTask(pools, config, teachers, imagenet)
        plain, card = job.run(trainer, task, member)
        cards.append({**card, "digest": checkpoint.digest(plain)})
        return cast(EfficientNetLite0, plain)

    strong = fit(fuse_batch_norm(pretrained()), STRONG)
    mild = fit(pretrained(), MILD)
    network = fit(copy.deepcopy(strong), STUDENT, at_training_size(strong), at_training_size(mild))
    *teachers, card = cards
    seconds = sum(each["seconds"] for each in cards)
    keys = ("seed", "epochs", "config", "seconds", "digest")
    about_teachers = [{key: each[key] for key in keys} for each in teachers]
    return network, {**card, "seed": job.seed, "seconds": seconds, "teachers": about_teachers}


def parameter_groups(network: EfficientNetLite0, config: PhotoConfig) -> list[dict[str, Any]]:
    """For Trainer: what learns, and how fast."""
    stages = [list(stage.parameters()) for stage in network.stages[config.frozen : -1]]
    stages = [parameters for parameters in stages if parameters]  # pooling has none
    rates = [config.learning_rate * config.decay**i for i in range(len(stages))]
    return [
        {"params": parameters, "lr": rate}
        for parameters, rate in zip(stages, reversed(rates), strict=True)
    ] + [{"params": list(network.stages[-1].parameters()), "lr": config.classifier_rate}]
