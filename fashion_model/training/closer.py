"""Training what takes a closer look: networks.PhotoNetwork, ColourNetwork and DrawingNetwork.

A network that learns photos together with Fashion-MNIST and drawings makes the same mistakes on
strangers' pictures, however it is trained; one that learns garments from real pictures of one kind
alone makes others, and together they make fewer. But the photos show no bag and no shop, and the
drawings no dress: so it also sees made-up pictures, of which it learns to say nothing, for ten
equal logits leave the other's answer as it is.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model import checkpoint
from fashion_model.networks import ARCHITECTURES, Closer
from fashion_model.training.augment import affine
from fashion_model.training.train import Pictures, accuracy, as_input, by_labels, logits_of
from fashion_model.training.trainer import Recipe, Run

_PHOTO = Recipe(
    epochs=14,
    batch=80,
    learning_rate=3e-3,
    muon=0.03,
    weight_decay=0.05,
    warmup=0.2,
    ema=0.998,
    extra=0.25,
    bfloat16=True,
)
RECIPES = {
    "closer-photo": _PHOTO,
    "closer-colour": replace(_PHOTO, epochs=10),
    "closer-drawing": replace(_PHOTO, epochs=4, batch=128, weight_decay=0.3, extra=0.15),
}
SOFT = 0.25  # share of the pictures that are shown as small photos of them would be
GREY = 0.25  # share of those in colour that are shown without
BARE = 0.5  # share of those in colour whose ground is hidden


def train_closer(
    network: str,
    real: Pictures,
    others: Pictures,
    held_out: Pictures,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    device: torch.device | str | None = None,
    card: dict[str, Any] | None = None,
    progress: bool = True,
) -> Path:
    """Train one of RECIPES and write its checkpoint; the path of that.

    real: pictures by people, learnt by their classes; others: made-up ones, recipe.extra of them
    for each real one, for which all confidences should be equal. Both with fine. The card's
    "accuracy" is that on held_out's garments. Goes on after an interruption from the end of the
    last epoch.
    """
    recipe = RECIPES[network] if recipe is None else recipe
    out = Path(out) if out is not None else checkpoint.resolve(network)
    run = Run(network, recipe, seed, device, f"{len(real)} and {len(others)} pictures")
    look, vary = look_of(network), VARY[network]
    state = run.taken_up(out)
    x, z = (look.of(_fine(pictures)).to(run.device) for pictures in (real, others))
    accept = real.accept.to(run.device)
    lent = round(recipe.batch * recipe.extra / (1 + recipe.extra))
    nothing = accept.new_zeros(lent, accept.shape[1])
    own = min(recipe.batch - lent, len(x))
    steps = len(x) // own
    last = recipe.epochs * steps
    bar = tqdm(total=last, initial=run.steps, unit="step", disable=not progress, mininterval=1.0)
    draw = partial(torch.randperm, generator=run.generator, device=run.device)
    while run.epoch < recipe.epochs:
        torch.manual_seed(seed * recipe.epochs + run.epoch)  # what is dropped, after a stop too
        total, order = 0.0, draw(len(x))
        for step in range(steps):
            index = order[step * own : (step + 1) * own]
            some = torch.randint(len(z), (lent,), generator=run.generator, device=run.device)
            seen = vary(as_input(torch.cat([x[index], z[some]])), run.generator)
            seen = seen.contiguous(memory_format=torch.channels_last)
            right = torch.cat([accept[index], nothing])
            total += run.step(by_labels(seen, right, recipe.smoothing), last)
            bar.update()
        run.epoch += 1
        bar.set_postfix(epoch=f"{run.epoch}/{recipe.epochs}", loss=f"{total / steps:.4f}")
        run.save(state)
    bar.close()
    made, known = run.network(), held_out.accept.any(1)
    told: dict[str, Any] = {"pictures": {"clean": 0, "extra": len(x) + len(z)}}
    if known.any():
        share = accuracy(logits_of(made, look.of(_fine(held_out)[known])), held_out.accept[known])
        told |= {"accuracy": {"held_out": share}}
    checkpoint.save(out, made, {**run.card(), **told, **(card or {})})
    state.unlink(missing_ok=True)
    return out


def look_of(network: str) -> type[Closer]:
    """What one of RECIPES trains."""
    return cast(type[Closer], ARCHITECTURES[network])


def varied(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """x (N, 2, H, W), garments and masks, as augmentation.affine changes them, some made soft."""
    return _softened(affine(x, generator, degrees=15, scale=0.2, shift=4), generator)


def tinted(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """x (N, 4, H, W), masks and photos in colour, changed as varied does, and in another light.

    The colours shift, GREY of them to grey, and from BARE of them the ground is gone.
    """
    x = affine(x, generator, degrees=15, scale=0.2, shift=4, beyond="border")
    x = _softened(x, generator)

    def uniform(channels: int = 1) -> torch.Tensor:
        shape = (len(x), channels, 1, 1)
        return torch.rand(shape, generator=generator, device=x.device)

    mask, colours = x[:, :1], x[:, 1:]
    colours = colours * (0.7 + 0.6 * uniform()) + 0.3 * (uniform() - 0.5)
    colours = colours * (1 + 0.3 * (uniform(3) - 0.5))
    grey = colours.mean(1, keepdim=True).expand_as(colours)
    colours = torch.where(uniform() < GREY, grey, colours).clamp(0, 1)
    colours = torch.where(uniform() < BARE, 0.5 + (colours - 0.5) * mask, colours)
    return torch.cat([mask, colours], 1)


def bent(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """x (N, 2, H, W), lines and what they enclose, as augmentation.affine changes them."""
    return affine(x, generator, degrees=15, scale=0.15, shift=2, shear=0.15)


def _softened(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """x (N, C, H, W), SOFT of them as small pictures that were made larger."""
    soft = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < SOFT
    small = F.interpolate(F.avg_pool2d(x, 2), [*x.shape[-2:]], mode="bilinear")
    return torch.where(soft, small, x)


# How pictures are changed each time that they are learnt
VARY = {"closer-photo": varied, "closer-colour": tinted, "closer-drawing": bent}


def _fine(pictures: Pictures) -> torch.Tensor:
    """pictures.fine; raises ValueError where they are of several kinds, or were read without."""
    if pictures.fine is None:
        raise ValueError("who takes a closer look learns from pictures with fine: see close_ups.")
    return pictures.fine
