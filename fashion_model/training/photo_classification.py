"""The training of the photo network: from ImageNet's weights, on views of photos.

The classifier learns alone first (a linear probe), since a new one would spoil the layers below it
(Kumar et al. 2022, arXiv 2202.10054); then the later stages learn with it, the less the earlier
they are. The first stages stay as ImageNet taught them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from fashion_model.efficientnet import EfficientNetLite0
from fashion_model.preprocessing.photo import COLOR_SIDE
from fashion_model.training.classification import dropout_logits, label_loss
from fashion_model.training.photo_pictures import POOLS, Pool
from fashion_model.training.photo_views import pasted, view
from fashion_model.training.pictures import one_hot
from fashion_model.training.trainer import TrainConfig

PROBE_RATE = 1e-2  # learning rate of the classifier alone
CHALK = 0.1  # share of the drawings that are shown bright on dark

Batch = tuple[torch.Tensor, torch.Tensor]  # (N, 3, S, S) in [0, 1], and targets bool (N, 11)


@dataclass(frozen=True, kw_only=True)
class PhotoConfig(TrainConfig):
    """learning_rate is that of the last stage before the classifier; each earlier one has decay
    times the next one's.

    steps: batches an epoch. side: pixels a side of the views. frozen: how many of the network's
    first stages do not learn. probe: batches that the classifier learns alone.
    """

    steps: int = 145
    side: int = COLOR_SIDE
    frozen: int = 5  # normalize, stem, and stages 1 to 3
    decay: float = 0.8
    classifier_rate: float = 3e-3
    probe: int = 60
    smoothing: float = 0.05
    dropout: float = 0.2


CONFIG = PhotoConfig(
    epochs=8,
    batch=48,
    learning_rate=5e-4,
    weight_decay=0.02,
    warmup=0.15,
    cosine=True,
    ema=0.997,
)


class Photos:
    """Batches of views of pools, mixed as POOLS says, and their loss."""

    def __init__(self, pools: Mapping[str, Pool], config: PhotoConfig) -> None:
        self.pools, self.config, self.steps = pools, config, config.steps
        shares = np.array([POOLS[name][0] for name in pools])
        self.names, self.shares = list(pools), shares / shares.sum()

    def batches(self, _: int, generator: torch.Generator) -> Iterator[Batch]:
        device = generator.device
        seed = torch.randint(2**62, (), generator=generator, device=device)
        rng = np.random.default_rng(int(seed))
        for _ in range(self.steps):
            views, targets = zip(*(self.view(rng) for _ in range(self.config.batch)), strict=True)
            x = torch.from_numpy(np.stack(views)).to(device).permute(0, 3, 1, 2).float() / 255
            yield x.contiguous(memory_format=torch.channels_last), one_hot(targets).to(device)

    def view(self, rng: np.random.Generator) -> tuple[Any, tuple[int, ...]]:
        """A view, uint8 (side, side, 3), of some picture, and the picture's targets."""
        name = self.names[int(rng.choice(len(self.names), p=self.shares))]
        picture, targets = self.pools[name].draw(rng)
        if picture.shape[2] == 4:
            picture = pasted(rng, picture, self.pools["grounds"].draw(rng)[0])
        drawn = name.endswith("drawn")
        if drawn and rng.random() < CHALK:
            picture = 255 - picture
        before = self.pools["things" if "things" in self.pools else name].draw(rng)[0]
        return view(rng, picture, self.config.side, before[..., :3], drawn), targets

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        x, targets = batch
        logits = dropout_logits(network, x, self.config.dropout, self.config.frozen)
        return label_loss(logits, targets, self.config.smoothing).mean()


def probe(network: EfficientNetLite0, source: Photos, seed: int) -> None:
    """Train network's classifier alone for a while."""
    generator = torch.Generator(next(network.parameters()).device).manual_seed(seed)
    optimizer = torch.optim.AdamW(network.stages[-1].parameters(), PROBE_RATE)
    for x, targets in islice(source.batches(0, generator), source.config.probe):
        logits = dropout_logits(network, x, 0.0, len(network.stages) - 1)
        optimizer.zero_grad()
        label_loss(logits, targets, source.config.smoothing).mean().backward()
        optimizer.step()


def parameter_groups(network: EfficientNetLite0, config: PhotoConfig) -> list[dict[str, Any]]:
    """For Trainer: what learns, and how fast."""
    stages = [list(stage.parameters()) for stage in network.stages[config.frozen : -1]]
    stages = [parameters for parameters in stages if parameters]  # pooling has none
    rates = [config.learning_rate * config.decay**i for i in range(len(stages))]
    return [
        {"params": parameters, "lr": rate}
        for parameters, rate in zip(stages, reversed(rates), strict=True)
    ] + [{"params": list(network.stages[-1].parameters()), "lr": config.classifier_rate}]
