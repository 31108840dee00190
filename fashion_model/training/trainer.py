"""The training loop of every network: schedule, weight average, and a state to resume from."""

import json
import math
import pickle
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from fashion_model import checkpoint
from fashion_model.errors import CheckpointError
from fashion_model.networks import parameter_count

Batch = TypeVar("Batch")
Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained: what Trainer reads, and batch_size, for whoever draws the batches.

    learning_rate rises for warmup (a share of all steps), then falls to zero, both in a line, or as
    a cosine does; cycles: how often that comes about (Loshchilov and Hutter 2017, 1608.03983).
    betas: AdamW's. muon_learning_rate: where it is not zero, Muon trains all weight matrices and
    filters but the last with it (Jordan 2024, https://kellerjordan.github.io/posts/muon/), and
    AdamW the rest. clip: the largest norm of all gradients together; None: any. ema: the decay of
    the weight average, which is what gets saved. bfloat16: whether forward and backward compute in
    it where the device can (weights and loss stay float32).
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    muon_learning_rate: float = 0.0
    warmup: float = 0.1
    cosine: bool = False
    cycles: int = 1
    clip: float | None = None
    ema: float = 0.999
    bfloat16: bool = False


class Trainer:
    """One training of network, which has its batch norm still: see initialization.

    epoch, step and seconds count what is done; average.module is the network to save. generator
    is for whoever draws batches: its state is saved and resumed with the rest.
    """

    def __init__(
        self,
        network: nn.Module,
        config: TrainConfig,
        *,
        seed: int = 0,
        data: str = "",
        groups: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        """data says in words what is learned from: a state is only resumed with the same.

        groups: AdamW's parameter groups, each with its own "lr" where it is not the config's (lower
        in early layers, say). None: all parameters, of which matrices and filters decay.
        """
        self.network, self.config, self.seed, self.data = network, config, seed, data
        self.device = next(network.parameters()).device
        self.bfloat16 = config.bfloat16 and checkpoint.has_fast_bfloat16(self.device)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.average = AveragedModel(network, multi_avg_fn=self._averaged, use_buffers=True)
        # the first weights count as one of those averaged: else the first step's would replace them
        self.average.n_averaged.fill_(1)
        weights = [p for p in network.parameters() if p.ndim > 1]
        by_muon = weights[:-1] if config.muon_learning_rate else []
        self._matrices = [(p, _as_matrix(p.detach())) for p in by_muon]
        if groups is None:
            rest = [p for p in network.parameters() if p.ndim <= 1]
            groups = [{"params": weights[len(by_muon) :]}, {"params": rest, "weight_decay": 0.0}]
        rate, decay = config.learning_rate, config.weight_decay
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, rate, config.betas, weight_decay=decay, fused=True)
        ]
        if by_muon:
            matrices = [matrix for _, matrix in self._matrices]
            self.optimizers.append(
                torch.optim.Muon(
                    matrices, lr=config.muon_learning_rate, weight_decay=decay, momentum=0.9
                )
            )
        self._schedules: list[LambdaLR] = []
        self.epoch, self.step, self.seconds = 0, 0, 0.0

    def fit(
        self,
        batches: Callable[[torch.Generator], Iterable[Batch]],
        loss: Callable[[nn.Module, Batch], torch.Tensor],
        steps: int,
        *,
        state: Path | None = None,
        watch: Callable[[nn.Module], dict[str, float]] | None = None,
    ) -> nn.Module:
        """Train for all epochs that are left; the average, in eval mode and with its batch norm.

        batches(generator) gives an epoch's, so many as steps; loss(network, batch) is a mean
        over one. state: written after each epoch and resumed from where it exists; whoever has
        saved the network deletes it. watch: figures of the average, for the progress bar.
        """
        last = self.config.epochs * steps
        self._schedules = [LambdaLR(each, self._share(last)) for each in self.optimizers]
        if state is not None and state.exists():
            self.resume(state)
        bar = tqdm(total=last, initial=self.step, unit="step", mininterval=1)
        while self.epoch < self.config.epochs:
            started, total = time.perf_counter(), 0.0
            # what is dropped, say, is the same after a stop
            torch.manual_seed(self.seed * self.config.epochs + self.epoch)
            for batch in batches(self.generator):
                total += self._learn(batch, loss)
                bar.update()
            self.epoch += 1
            self.seconds += time.perf_counter() - started
            watched = watch(self._averaged_network()) if watch else {}
            figures = {"loss": total / max(1, steps), **watched}
            shown = {name: f"{value:.4f}" for name, value in figures.items()}
            bar.set_postfix({"epoch": f"{self.epoch}/{self.config.epochs}", **shown})
            if state is not None:
                self.save(state)
        bar.close()
        return self._averaged_network()

    def card(self) -> dict[str, Any]:
        """What a checkpoint tells of the training that made it."""
        return {
            "epochs": self.epoch,
            "seed": self.seed,
            "config": asdict(self.config) | {"bfloat16": self.bfloat16},
            "seconds": round(self.seconds, 1),
            "device": str(self.device),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }

    def save(self, path: Path) -> None:
        """Write all that resume needs to path, whole or not at all."""
        state = {
            "training": self._identity(),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [each.state_dict() for each in self.optimizers],
            "schedules": [each.state_dict() for each in self._schedules],
            "generator": self.generator.get_state(),
            "progress": [self.epoch, self.step, self.seconds],
        }
        checkpoint.write_atomically(path, lambda part: torch.save(state, part))

    def resume(self, path: Path) -> None:
        """Go on where the training that saved path stopped; it must have been the same one."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            identity = state["training"]
        except (
            OSError,
            EOFError,
            RuntimeError,
            LookupError,
            TypeError,
            pickle.PickleError,
        ) as error:
            # torch's own text is long, and advises to load what is not safe
            raise CheckpointError(
                f"{path} cannot be read ({type(error).__name__}): delete it to start anew."
            ) from error
        if identity != self._identity():
            raise CheckpointError(
                f"{path} is the state of another training ({identity}). Delete it to start anew, "
                f"or repeat that training's options to go on with it."
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for key, parts in (("optimizers", self.optimizers), ("schedules", self._schedules)):
            for part, saved in zip(cast(list[Any], parts), state[key], strict=True):
                part.load_state_dict(saved)
        self.generator.set_state(state["generator"].cpu())
        self.epoch, self.step, self.seconds = state["progress"]

    def _learn(self, batch: Batch, loss: Callable[[nn.Module, Batch], torch.Tensor]) -> float:
        """One step; the value of the loss before it."""
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            value = loss(self.network, batch)
        self.network.zero_grad(set_to_none=True)
        value.backward()
        if self.config.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        for weight, matrix in self._matrices:
            matrix.grad = None if weight.grad is None else _as_matrix(weight.grad)
        for optimizer, schedule in zip(self.optimizers, self._schedules, strict=True):
            optimizer.step()
            schedule.step()
        self.step += 1
        self.average.update_parameters(self.network)
        return value.item()

    def _share(self, last: int) -> Callable[[int], float]:
        """The learning rate of each of last steps, from 0, as a share of the highest."""
        cycle = last // self.config.cycles
        rise = max(1, round(self.config.warmup * cycle))

        def share(step: int) -> float:
            step = step % cycle if step < last else cycle
            line = min((step + 1) / rise, (cycle - step) / max(1, cycle - rise))
            return (1 - math.cos(math.pi * line)) / 2 if self.config.cosine else line

        return share

    @torch.no_grad()
    def _averaged(self, average: Tensors, now: Tensors, count: torch.Tensor | int) -> None:
        """Bring average nearer to now: less so, the more were averaged, so that the average of a
        short training is not mostly its first weights."""
        if average[0].is_floating_point():
            decay = min(self.config.ema, int(count) / (int(count) + 10))
            torch._foreach_lerp_(average, now, 1 - decay)
        else:
            torch._foreach_copy_(average, now)

    def _averaged_network(self) -> nn.Module:
        return self.average.module.eval()

    def _identity(self) -> list[str]:
        count = parameter_count(self.network)
        network = f"{type(self.network).__name__} of {count} parameters"
        return [network, json.dumps(asdict(self.config)), f"seed {self.seed}", self.data]


def _as_matrix(weight: torch.Tensor) -> torch.Tensor:
    """A view of weight (out, in) or, laid out as channels_last, (out, in, h, w) as a matrix.

    What the optimizer makes of it does not depend on the order of its columns.
    """
    return weight if weight.ndim == 2 else weight.permute(0, 2, 3, 1).flatten(1)
