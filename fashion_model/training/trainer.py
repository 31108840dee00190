"""What changes while a network trains, so that it can be stopped, saved and taken up again."""

import json
import os
import pickle
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fashion_model import checkpoint
from fashion_model.errors import CheckpointError
from fashion_model.networks import ARCHITECTURES
from fashion_model.training.batch_norm import fold, unfold, with_batch_norm


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, with AdamW and a weight average that is what gets saved.

    learning_rate rises for warmup (a share of all steps), then falls in a line to zero; where
    muon is not zero, it is the learning rate of all weight matrices and filters but the last,
    which Muon then trains (Jordan 2024, https://kellerjordan.github.io/posts/muon/). extra is
    how many other pictures are in an epoch for each Fashion-MNIST image that there is, clean the
    share of those images that an epoch takes itself, drawn anew. smoothing is label smoothing;
    affine_chance is the share of pictures that are turned, scaled and sheared (the others move by
    whole pixels, which blurs nothing), shift the pixels that they move by.
    teachers: networks that it learns from, together, instead of from the labels, by so many views
    of each picture (see distillation): names or paths of checkpoints; mix_chance is the share of
    views that are two pictures blended, jitter how many pixels they move by besides, which asks
    the teachers nothing; clean_by_labels: but not of Fashion-MNIST's images, which it learns by
    their labels, changed anew each time. bfloat16: whether forward and backward compute in it
    (weights and loss stay float32).
    """

    epochs: int
    batch: int = 256
    learning_rate: float = 2e-3
    muon: float = 0.0
    weight_decay: float = 0.05
    warmup: float = 0.1
    ema: float = 0.999
    extra: float = 1.0
    clean: float = 1.0
    smoothing: float = 0.05
    affine_chance: float = 0.5
    shift: int = 2
    erase_chance: float = 0.0
    teachers: tuple[str, ...] = ()
    views: int = 5
    mix_chance: float = 0.0
    jitter: int = 0
    clean_by_labels: bool = False
    bfloat16: bool = False


class Run:
    """A training of one of ARCHITECTURES. epoch and steps count what is done.

    pictures says in words what it trains on: a run is only taken up with the same.
    """

    def __init__(
        self,
        architecture: str,
        recipe: Recipe,
        seed: int = 0,
        device: torch.device | str | None = None,
        pictures: str = "",
    ) -> None:
        torch.manual_seed(seed)
        self.device = checkpoint.detect_device() if device is None else torch.device(device)
        self.architecture, self.recipe, self.seed = architecture, recipe, seed
        self.pictures = pictures
        twin = with_batch_norm(ARCHITECTURES[architecture]()).to(self.device)
        # on a CPU, convolutions and batch norm are a sixth faster in this layout
        self.twin = twin.to(memory_format=torch.channels_last)
        self.average = {k: v.detach().clone() for k, v in self.twin.state_dict().items()}
        self.generator = torch.Generator(self.device).manual_seed(seed)
        weights = [p for p in self.twin.parameters() if p.ndim > 1]
        rest = [p for p in self.twin.parameters() if p.ndim <= 1]
        by_muon = weights[:-1] if recipe.muon else []
        groups: list[dict[str, Any]] = [
            {"params": weights[len(by_muon) :]},
            {"params": rest, "weight_decay": 0.0},
        ]
        rate, decay = recipe.learning_rate, recipe.weight_decay
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=True)
        ]
        self.matrices = [(p, _as_matrix(p.detach())) for p in by_muon]
        if by_muon:
            self.optimizers.append(
                torch.optim.Muon(
                    [matrix for _, matrix in self.matrices],
                    lr=recipe.muon,
                    weight_decay=decay,
                    momentum=0.9,
                )
            )
        self.rates = [[g["lr"] for g in o.param_groups] for o in self.optimizers]
        self.epoch, self.steps, self.seconds = 0, 0, 0.0

    def begin_with(self, network: nn.Module, x: torch.Tensor) -> None:
        """Take over the weights of a network of this architecture; x is a batch of pictures."""
        self.twin.load_state_dict(unfold(network.to(self.device), x).state_dict())
        self.average = {k: v.detach().clone() for k, v in self.twin.state_dict().items()}

    def step(self, loss_of: Callable[[nn.Module], torch.Tensor], last: int) -> float:
        """One optimiser step on loss_of(network), whose value it returns; last is their number."""
        started = time.perf_counter()
        rise = max(1, round(self.recipe.warmup * last))
        share = min((self.steps + 1) / rise, (last - self.steps) / max(1, last - rise))
        for optimizer, rates in zip(self.optimizers, self.rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * share
        self.twin.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bfloat16):
            loss = loss_of(self.twin)
        self.twin.zero_grad(set_to_none=True)
        loss.backward()
        for weight, matrix in self.matrices:
            matrix.grad = None if weight.grad is None else _as_matrix(weight.grad)
        for optimizer in self.optimizers:
            optimizer.step()
        self.steps += 1
        # the average warms up with the run, so that a short run is not mostly its first weights
        decay = min(self.recipe.ema, self.steps / (self.steps + 10))
        state = self.twin.state_dict()
        floating = [key for key, value in state.items() if value.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_(
                [self.average[key] for key in floating], [state[key] for key in floating], 1 - decay
            )
        self.seconds += time.perf_counter() - started
        return loss.item()

    def network(self) -> nn.Module:
        """The network as it would be saved now: the weight average, batch norm folded in."""
        twin = with_batch_norm(ARCHITECTURES[self.architecture]()).to(self.device)
        twin.load_state_dict(self.average)
        return fold(twin)

    def card(self) -> dict[str, Any]:
        """What a checkpoint tells of the run that made it."""
        return {
            "architecture": self.architecture,
            "parameters": sum(p.numel() for p in ARCHITECTURES[self.architecture]().parameters()),
            "epochs": self.epoch,
            "seed": self.seed,
            "recipe": asdict(self.recipe),
            "seconds": round(self.seconds, 1),
            "device": str(self.device),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }

    def save(self, path: Path) -> None:
        """Write all of it to path, whole or not at all."""
        state = {
            "run": self._name(),
            "twin": self.twin.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "generator": self.generator.get_state(),
            "progress": [self.epoch, self.steps, self.seconds],
        }
        part = path.with_name(path.name + ".part")
        torch.save(state, part)
        os.replace(part, path)

    def taken_up(self, out: Path) -> Path:
        """Where the state of the training that writes out lies; goes on from it if there is one."""
        state = out.with_suffix(".training")
        if state.exists():
            self.resume(state)
        return state

    def resume(self, path: Path) -> None:
        """Go on where the run that saved path stopped; it must have had the same recipe."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
            # torch's own text is long, and advises to load what is not safe
            raise CheckpointError(
                f"{path} cannot be read ({type(error).__name__}): delete it to start anew."
            ) from error
        name = state.get("run") if isinstance(state, dict) else None
        if name is None:
            raise CheckpointError(
                f"{path} cannot be read (no state of a training): delete it to start anew."
            )
        if name != self._name():
            raise CheckpointError(
                f"{path} is the state of another training ({name}). Delete it to start anew, or "
                f"repeat that training's options to go on with it."
            )
        self.twin.load_state_dict(state["twin"])
        self.average = state["average"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.generator.set_state(state["generator"].cpu())
        self.epoch, self.steps, self.seconds = state["progress"]

    def _name(self) -> list[str]:
        return [self.architecture, json.dumps(asdict(self.recipe)), str(self.seed), self.pictures]


def _as_matrix(weight: torch.Tensor) -> torch.Tensor:
    """A view of weight (out, in) or, laid out as channels_last, (out, in, h, w) as a matrix.

    What the optimiser makes of it does not depend on the order of its columns.
    """
    return weight if weight.ndim == 2 else weight.permute(0, 2, 3, 1).flatten(1)
