"""Training a network that answers with a class: pictures and their classes -> a checkpoint."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model import calibration, checkpoint
from fashion_model.errors import CheckpointError
from fashion_model.networks import CLASSES, Closer
from fashion_model.training.augment import augmented, view
from fashion_model.training.distillation import taught, views_of
from fashion_model.training.provenance import account
from fashion_model.training.trainer import Recipe, Run

CONFIDENCES = (
    "temperature",
    "spread",
    "platt",
    "doubt_below",
    "sure_from",
    "unsure_below",
)  # a card's, by kind of picture


@dataclass(frozen=True)
class Pictures:
    """Training pictures, whole in memory.

    pixels: uint8 (N, 28, 28). accept: bool (N, 10), the classes that count as right; a row
    without any is a thing of no class, for which every confidence should be a tenth. fine: uint8
    (N, C, S, S), all of one kind, where somebody looks closer; see images.Prepared.
    """

    pixels: torch.Tensor
    accept: torch.Tensor
    fine: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    @staticmethod
    def of(images: np.ndarray | torch.Tensor, labels: np.ndarray | torch.Tensor) -> "Pictures":
        """images uint8 (N, 28, 28) with one class each, labels int (N,)."""
        accept = F.one_hot(torch.as_tensor(labels).long(), len(CLASSES)).bool()
        return Pictures(torch.as_tensor(images), accept)

    @staticmethod
    def concatenate(parts: "Sequence[Pictures]") -> "Pictures":
        """One after the other; with fine where all that are not empty have it."""
        fine = [p.fine for p in parts if p.fine is not None]
        return Pictures(
            torch.cat([p.pixels for p in parts]),
            torch.cat([p.accept for p in parts]),
            torch.cat(fine) if fine and len(fine) == sum(len(p) > 0 for p in parts) else None,
        )


def loss_of(logits: torch.Tensor, accept: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Mean of -log(the confidence in all accepted classes together); logits and accept (N, 10).

    A row that accepts nothing is drawn towards equal confidences instead, and smoothing mixes
    that same pull into every row.
    """
    log_p = F.log_softmax(logits.float(), dim=1)  # a bfloat16 has three digits
    even = -log_p.mean(dim=1)
    known = accept.any(dim=1)
    safe = accept | ~known[:, None]  # an empty row sums to 1 here: no -inf, no NaN gradient
    right = -torch.logsumexp(log_p.masked_fill(~safe, -torch.inf), dim=1)
    return torch.where(known, (1 - smoothing) * right + smoothing * even, even).mean()


@torch.inference_mode()
def logits_of(network: nn.Module, pixels: torch.Tensor, batch: int = 1000) -> torch.Tensor:
    """Logits float32 (N, 10) on the CPU for pixels uint8, as as_input takes them, one pass each."""
    device = next(network.parameters()).device
    parts = [network(as_input(p.to(device))).float().cpu() for p in pixels.split(batch)]
    return torch.cat(parts)


def as_input(pixels: torch.Tensor) -> torch.Tensor:
    """pixels uint8 (N, 28, 28) -> float32 (N, 1, 28, 28) in [0, 1]; (N, C, H, W) stay so."""
    return (pixels if pixels.ndim == 4 else pixels.unsqueeze(1)).float() / 255


def accuracy(logits: torch.Tensor, accept: torch.Tensor) -> float:
    """The share of logits (N, 10) whose largest is an accepted class of accept (N, 10)."""
    return accept.gather(1, logits.argmax(1, keepdim=True)).float().mean().item()


def train(
    network: str,
    clean: Pictures,
    validation: Pictures | None,
    *,
    extra: Pictures | None = None,
    test: Pictures | None = None,
    held_out: Mapping[str, Pictures] | None = None,
    recipe: Recipe,
    seed: int = 0,
    start: str | Path | None = None,
    teacher: nn.Module | None = None,
    out: str | Path | None = None,
    device: torch.device | str | None = None,
    card: dict[str, Any] | None = None,
    progress: bool = True,
) -> Path:
    """Train a network of NETWORKS and write its checkpoint; the path of that.

    An epoch is every picture of clean once, or the recipe's share of them, and so many of extra,
    drawn anew. After each epoch the state is saved beside out, and a run that was interrupted goes
    on from there. validation, where there is any, is only watched: the last epoch's weight average
    is what is saved. test is scored once, after that, and held_out gives each kind of picture its
    temperature. card's entries are added to the checkpoint's. start is a checkpoint whose weights
    to begin with, rather than fresh ones; its card's account of its own training goes into "before"
    of the new one. With a teacher, the network learns what that says of the pictures rather than
    their classes (with recipe.clean_by_labels, of extra's alone).
    """
    out = Path(out) if out is not None else checkpoint.resolve(network)
    every = clean if extra is None else Pictures.concatenate([clean, extra])
    others = len(every) - len(clean)
    said, before = f"{len(clean)} and {others} pictures", []
    if start is not None:
        first, told = checkpoint.load(start, "cpu")
        if told["architecture"] != network:
            raise CheckpointError(f"{start} is of architecture {told['architecture']}: {network}?")
        said += f", from {checkpoint.digest(first)[:12]}"
        before = [*told.get("before", []), account(told)]
    if teacher is not None:
        said += f", taught by {checkpoint.digest(teacher)[:12]}"
    run = Run(network, recipe, seed, device, said)
    state = run.taken_up(out)
    if start is not None and not state.exists():
        some = torch.randperm(len(every), generator=torch.Generator().manual_seed(seed))[:2048]
        run.begin_with(first, as_input(every.pixels[some].to(run.device)))
    drawn = min(others, round(recipe.extra * len(clean)))
    clean_drawn = round(recipe.clean * len(clean))
    steps = -(-(clean_drawn + drawn) // recipe.batch)
    pixels, accept = every.pixels.to(run.device), every.accept.to(run.device)
    views, first_taught = None, len(clean) if recipe.clean_by_labels else 0
    if teacher is not None and run.epoch < recipe.epochs:
        started = time.perf_counter()
        chance = torch.Generator(run.device).manual_seed(seed)  # the same views after a stop
        change = partial(view, recipe=recipe, generator=chance)
        shown = pixels[first_taught:]
        views = views_of(shown, teacher.to(run.device), recipe.views, change, progress)
        run.seconds += time.perf_counter() - started
    last = recipe.epochs * steps
    bar = tqdm(total=last, initial=run.steps, unit="step", disable=not progress, mininterval=1.0)
    while run.epoch < recipe.epochs:
        some = torch.randperm(others, generator=run.generator, device=run.device)[:drawn]
        taken = torch.arange(len(clean), device=run.device)
        # where all are taken, no chance is used up, and earlier runs stay as they were
        if clean_drawn < len(clean):
            mixed = torch.randperm(len(clean), generator=run.generator, device=run.device)
            taken = mixed[:clean_drawn]
        order = torch.cat([taken, len(clean) + some])
        shuffle = torch.randperm(len(order), generator=run.generator, device=run.device)
        total = 0.0
        for index in order[shuffle].split(recipe.batch):
            by_teacher = index >= (first_taught if views is not None else len(every))
            own, lent = index[~by_teacher], index[by_teacher]
            x = augmented(as_input(pixels[own]), recipe, run.generator)
            if views is None:
                loss = by_labels(x, accept[own], recipe.smoothing)
            else:
                seen, logits = views.drawn(lent - first_taught, run.generator, recipe.jitter)
                loss = _both(x, accept[own], recipe.smoothing, seen, logits)
            total += len(index) * run.step(loss, last)
            bar.update()
        run.epoch += 1
        watched = scored(run.network(), validation)
        bar.set_postfix(
            epoch=f"{run.epoch}/{recipe.epochs}",
            loss=f"{total / len(order):.4f}",
            **{name: f"{value:.4f}" for name, value in watched.items()},
        )
        run.save(state)
    bar.close()
    final = run.network()
    made: dict[str, Any] = {"before": before} if before else {}
    made |= {
        "pictures": {"clean": len(clean), "extra": others},
        "accuracy": scored(final, validation, test),
    }
    made |= calibrated(final, held_out or {})
    checkpoint.save(out, final, {**run.card(), **made, **(card or {})})
    state.unlink(missing_ok=True)
    return out


def scored(
    network: nn.Module, validation: Pictures | None, test: Pictures | None = None
) -> dict[str, float]:
    """A card's accuracy, on each of these."""
    named = {"validation": validation, "test": test}
    return {
        name: accuracy(logits_of(network, pictures.pixels), pictures.accept)
        for name, pictures in named.items()
        if pictures is not None
    }


def calibrated(
    network: nn.Module, held_out: Mapping[str, Pictures], closers: Sequence[Closer] = ()
) -> dict[str, dict[str, Any]]:
    """A card's temperatures, what is made of the confidences they give, and where sure and unsure
    begin, for each kind of held-out picture. closers: take a closer look at those of their kinds,
    which have fine."""
    made: dict[str, dict[str, Any]] = {key: {} for key in CONFIDENCES}
    for kind, pictures in held_out.items():
        if not pictures.accept.any():
            continue  # no garment of this kind was held out
        logits = logits_of(network, pictures.pixels)
        for closer in closers:
            if closer.kind == kind and pictures.fine is not None:
                logits = logits + logits_of(closer, closer.of(pictures.fine))
        for key, value in calibration.learnt(kind, logits, pictures.accept).items():
            made[key][kind] = value
    return made


def by_labels(
    x: torch.Tensor, accept: torch.Tensor, smoothing: float
) -> Callable[[nn.Module], torch.Tensor]:
    """What Run.step asks for: loss_of what a network says of x, pictures that it reads."""
    return lambda network: loss_of(network(x), accept, smoothing)


def _both(
    x: torch.Tensor,
    accept: torch.Tensor,
    smoothing: float,
    seen: torch.Tensor,
    logits: torch.Tensor,
) -> Callable[[nn.Module], torch.Tensor]:
    """The loss of x (N, 1, 28, 28) by its labels and of seen (M, 1, 28, 28) by the teacher's
    logits, in one pass and with one weight for each picture; either may be empty."""

    def loss(network: nn.Module) -> torch.Tensor:
        said = network(torch.cat([x, seen]))
        parts = []
        if len(x):
            parts.append(len(x) * loss_of(said[: len(x)], accept, smoothing))
        if len(seen):
            parts.append(len(seen) * taught(said[len(x) :], logits))
        return torch.stack(parts).sum() / len(said)

    return loss
