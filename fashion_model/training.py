"""Training: pictures and the classes they may be in -> a checkpoint that describes itself."""

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model import checkpoint
from fashion_model.augmentation import affine, erase, shift_and_flip
from fashion_model.errors import CheckpointError
from fashion_model.folding import fold, with_batch_norm
from fashion_model.networks import CLASSES, NETWORKS


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. learning_rate rises for warmup (a share), then falls to zero."""

    epochs: int
    batch: int = 256
    learning_rate: float = 2e-3  # AdamW
    weight_decay: float = 0.05
    warmup: float = 0.1
    smoothing: float = 0.05  # label smoothing
    ema: float = 0.999  # decay a step of the weight average that is saved
    affine_chance: float = 0.5  # else whole-pixel shifts, which blur nothing
    shift: int = 2  # pixels
    erase_chance: float = 0.0


RECIPES = {
    "mlp": Recipe(epochs=150),
}


@dataclass(frozen=True)
class Pictures:
    """Training pictures, whole in memory.

    pixels: uint8 (N, 28, 28). accept: bool (N, 10), the classes that count as right; a row
    without any is a thing of no class, for which every confidence should be a tenth.
    """

    pixels: torch.Tensor
    accept: torch.Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    @staticmethod
    def of(images: np.ndarray | torch.Tensor, labels: np.ndarray | torch.Tensor) -> "Pictures":
        """images uint8 (N, 28, 28) with one class each, labels int (N,)."""
        accept = F.one_hot(torch.as_tensor(labels).long(), len(CLASSES)).bool()
        return Pictures(torch.as_tensor(images), accept)

    @staticmethod
    def concatenate(parts: "Sequence[Pictures]") -> "Pictures":
        return Pictures(torch.cat([p.pixels for p in parts]), torch.cat([p.accept for p in parts]))


def loss_of(logits: torch.Tensor, accept: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Mean of -log(the confidence in all accepted classes together); logits and accept (N, 10).

    A row that accepts nothing is drawn towards equal confidences instead, and smoothing mixes
    that same pull into every row.
    """
    log_p = F.log_softmax(logits, dim=1)
    even = -log_p.mean(dim=1)
    known = accept.any(dim=1)
    safe = accept | ~known[:, None]  # an empty row sums to 1 here: no -inf, no NaN gradient
    right = -torch.logsumexp(log_p.masked_fill(~safe, -torch.inf), dim=1)
    return torch.where(known, (1 - smoothing) * right + smoothing * even, even).mean()


@torch.inference_mode()
def logits_of(network: nn.Module, pixels: torch.Tensor, batch: int = 1000) -> torch.Tensor:
    """Logits float32 (N, 10) on the CPU for pixels uint8 (N, 28, 28), one pass each."""
    device = next(network.parameters()).device
    parts = [network(as_input(p.to(device))).float().cpu() for p in pixels.split(batch)]
    return torch.cat(parts)


def as_input(pixels: torch.Tensor) -> torch.Tensor:
    """pixels uint8 (N, 28, 28) -> float32 (N, 1, 28, 28) in [0, 1]."""
    return pixels.unsqueeze(1).float() / 255


def accuracy(logits: torch.Tensor, accept: torch.Tensor) -> float:
    """The share of logits (N, 10) whose largest is an accepted class of accept (N, 10)."""
    return accept.gather(1, logits.argmax(1, keepdim=True)).float().mean().item()


def train(
    network: str,
    clean: Pictures,
    validation: Pictures,
    *,
    extra: Pictures | None = None,
    test: Pictures | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    device: torch.device | str | None = None,
    card: dict[str, Any] | None = None,
    progress: bool = True,
) -> Path:
    """Train a network of NETWORKS and write its checkpoint; the path of that.

    An epoch is every picture of clean once and as many of extra, drawn anew. After each epoch the
    state is saved beside out, and a run that was interrupted goes on from there. validation is
    only watched: the last epoch's weight average is what is saved. test is scored once, after
    that. card's entries are added to the checkpoint's.
    """
    recipe = recipe or RECIPES[network]
    out = Path(out) if out is not None else checkpoint.resolve(network)
    run = _Run(network, recipe, seed, device)
    state = out.with_suffix(".training")
    if state.exists():
        run.resume(state)
    every = Pictures.concatenate([clean, extra]) if extra is not None and len(extra) else clean
    drawn = len(every) if extra is None else min(2 * len(clean), len(every))
    steps = -(-drawn // recipe.batch)
    pixels, accept = every.pixels.to(run.device), every.accept.to(run.device)
    bar = tqdm(
        total=recipe.epochs * steps,
        initial=run.epoch * steps,
        unit="step",
        disable=not progress,
        mininterval=1.0,
    )
    while run.epoch < recipe.epochs:
        order = torch.randperm(len(clean), generator=run.generator, device=run.device)
        if len(every) > len(clean):
            more = torch.randperm(len(every) - len(clean), generator=run.generator)
            order = torch.cat([order, len(clean) + more[: drawn - len(clean)].to(order.device)])
            order = order[torch.randperm(len(order), generator=run.generator, device=run.device)]
        total = 0.0
        for index in order.split(recipe.batch):
            total += run.step(pixels[index], accept[index], recipe.epochs * steps) * len(index)
            bar.update()
        run.epoch += 1
        logits = logits_of(run.plain(), validation.pixels)
        bar.set_postfix(
            epoch=f"{run.epoch}/{recipe.epochs}",
            loss=f"{total / len(order):.4f}",
            validation=f"{accuracy(logits, validation.accept):.4f}",
        )
        run.save(state)
    bar.close()
    final = run.plain()
    checkpoint.save(
        out,
        final,
        {
            "architecture": network,
            "parameters": sum(p.numel() for p in final.parameters()),
            "epochs": recipe.epochs,
            "seed": seed,
            "recipe": asdict(recipe),
            "pictures": {"clean": len(clean), "extra": len(every) - len(clean)},
            "accuracy": {
                name: accuracy(logits_of(final, held_out.pixels), held_out.accept)
                for name, held_out in (("validation", validation), ("test", test))
                if held_out is not None
            },
            "seconds": round(run.seconds, 1),
            "device": str(run.device),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            **(card or {}),
        },
    )
    state.unlink(missing_ok=True)
    return out


class _Run:
    """What changes while a network trains, so that it can be saved and taken up again."""

    def __init__(
        self, network: str, recipe: Recipe, seed: int, device: torch.device | str | None
    ) -> None:
        torch.manual_seed(seed)
        self.device = checkpoint.detect_device() if device is None else torch.device(device)
        self.recipe, self.seed, self.network = recipe, seed, network
        self.twin = with_batch_norm(NETWORKS[network]()).to(self.device)
        self.average = {k: v.detach().clone() for k, v in self.twin.state_dict().items()}
        self.generator = torch.Generator(self.device).manual_seed(seed)
        decay = [p for p in self.twin.parameters() if p.ndim > 1]
        rest = [p for p in self.twin.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(
            groups,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        self.epoch, self.steps, self.seconds = 0, 0, 0.0

    def step(self, pixels: torch.Tensor, accept: torch.Tensor, last: int) -> float:
        """One optimiser step on pixels uint8 (B, 28, 28); last is the run's number of steps."""
        started = time.perf_counter()
        recipe = self.recipe
        rise = max(1, round(recipe.warmup * last))
        share = min((self.steps + 1) / rise, (last - self.steps) / max(1, last - rise))
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * share
        x = self.augment(as_input(pixels))
        self.twin.train()
        loss = loss_of(self.twin(x), accept, recipe.smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        # the average warms up with the run, so that a short run is not mostly its first weights
        decay = min(recipe.ema, self.steps / (self.steps + 10))
        with torch.no_grad():
            for key, value in self.twin.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - decay)
                else:
                    self.average[key].copy_(value)
        self.seconds += time.perf_counter() - started
        return loss.item()

    def augment(self, x: torch.Tensor) -> torch.Tensor:
        recipe = self.recipe
        moved = shift_and_flip(x, self.generator, recipe.shift)
        if recipe.affine_chance:
            chosen = torch.rand(len(x), generator=self.generator, device=x.device)
            index = (chosen < recipe.affine_chance).nonzero().squeeze(1)
            moved[index] = affine(x[index], self.generator, shift=recipe.shift)
        if recipe.erase_chance:
            moved = erase(moved, self.generator, recipe.erase_chance)
        return moved

    def plain(self) -> nn.Module:
        """The network as it would be saved now: the weight average, batch norm folded in."""
        twin = with_batch_norm(NETWORKS[self.network]()).to(self.device)
        twin.load_state_dict(self.average)
        return fold(twin)

    def save(self, path: Path) -> None:
        part = path.with_name(path.name + ".part")
        state = {
            "run": [self.network, json.dumps(asdict(self.recipe)), self.seed],
            "twin": self.twin.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "progress": [self.epoch, self.steps, self.seconds],
        }
        torch.save(state, part)
        os.replace(part, path)

    def resume(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["run"] != [self.network, json.dumps(asdict(self.recipe)), self.seed]:
            raise CheckpointError(
                f"{path} is the state of another training ({state['run']}). Delete it to start "
                f"anew, or repeat that training's options to go on with it."
            )
        self.twin.load_state_dict(state["twin"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"].cpu())
        self.epoch, self.steps, self.seconds = state["progress"]
