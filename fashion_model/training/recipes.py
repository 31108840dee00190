"""How each committed checkpoint is made, from data to file: what the command "train" runs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fashion_model import checkpoint
from fashion_model import datasets as data
from fashion_model.errors import DataError
from fashion_model.networks import NETWORKS
from fashion_model.training import closer
from fashion_model.training import line_detection as bitmaps
from fashion_model.training import segmentation as finding
from fashion_model.training.making import Making
from fashion_model.training.provenance import ORIGINS, REAL_ORIGINS, WHOLE
from fashion_model.training.trainer import Recipe

CNN = Recipe(
    epochs=34,
    extra=0.9,
    learning_rate=3e-3,
    muon=0.04,
    weight_decay=0.02,
    erase_chance=0.25,
    bfloat16=True,
)
RECIPES = {
    "finder": finding.RECIPE,
    "lines": bitmaps.RECIPE,
    **closer.RECIPES,
    "mlp": Recipe(epochs=200, teachers=("cnn",), bfloat16=True),
    "cnn": CNN,
    "plain": replace(CNN, epochs=26),
}
# What differs where they learn from Fashion-MNIST alone, whose images they then need not know bent
ALONE: dict[str, dict[str, Any]] = {
    "mlp": {
        "epochs": 500,
        "affine_chance": 0.2,
        "shift": 1,
        "jitter": 1,
        "views": 16,
        "mix_chance": 0.5,
    },
    "cnn": {"epochs": 32, "affine_chance": 0.2, "erase_chance": 0.4},
}
# What differs where a network for what people draw and photograph, which need not hold
# Fashion-MNIST's images, learns from teachers: mostly real and made-up pictures, also blended
TAUGHT: dict[str, dict[str, Any]] = {
    "cnn": {"epochs": 18, "clean": 0.3, "extra": 1.5, "views": 3, "mix_chance": 0.5},
}
HELD_OUT = 3  # the fold of senders, of data.fold_of's five, that no training sees


def make(
    network: str,
    *,
    root: str | Path | None = None,
    real: str | Path | None = None,
    epochs: int | None = None,
    seed: int = 0,
    start: str | Path | None = None,
    teachers: Sequence[str | Path] = (),
    views: int | None = None,
    clean_by_labels: bool = False,
    whole: bool = False,
    out: str | Path | None = None,
    device: str | None = None,
    progress: bool = True,
) -> Path:
    """Train a network of RECIPES and write its checkpoint; the path of that.

    root: Fashion-MNIST's folder (see data.load_fashion_mnist). real: a folder of labelled photos
    and drawings; without one, mlp and cnn train on Fashion-MNIST alone, and with one they make
    the checkpoint NETWORK-people, which reads what people draw and photograph. start: a checkpoint
    of this network to train on, which goes at half the learning rate (of the finder, whose masks
    are kept: what tells drawings from photos is then learnt alone). teachers: checkpoints to
    learn from in place of the recipe's, by so many views of each picture; clean_by_labels: but
    Fashion-MNIST's images by their labels. whole: once recipe and epochs are settled, learn the
    validation images too, after which neither validation nor calibration is possible (see
    finishing.calibrate's like). An interrupted run goes on where it stopped.
    """
    recipe = RECIPES[network]
    if real is None:
        recipe = replace(recipe, **ALONE.get(network, {}))
    elif teachers and not clean_by_labels:
        recipe = replace(recipe, **TAUGHT.get(network, {}))
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    if start is not None:
        recipe = replace(recipe, learning_rate=recipe.learning_rate / 2, muon=recipe.muon / 2)
    if views is not None:
        recipe = replace(recipe, views=views)
    if teachers:
        recipe = replace(recipe, teachers=tuple(map(str, teachers)))
    elif real is not None:
        recipe = replace(recipe, teachers=tuple(map(_for_people, recipe.teachers)))
    if clean_by_labels and (
        network in ("finder", "lines", *closer.RECIPES) or not recipe.teachers or real is None
    ):
        raise DataError("--clean-by-labels is for a network with teachers and --real pictures.")
    if views is not None and (not recipe.teachers or network in closer.RECIPES):
        raise DataError("--views is for a network with teachers: name them with --teacher.")
    if whole and (network not in NETWORKS or real is not None):
        raise DataError("--whole is for a network that learns Fashion-MNIST's images alone.")
    recipe = replace(recipe, clean_by_labels=clean_by_labels)
    (images, labels), validation = data.split(*data.load_fashion_mnist(True, root))
    if whole:
        images, labels = data.load_fashion_mnist(True, root)
    labelled = [] if real is None else data.load_labelled(real)
    origins = ORIGINS[:1] if real is None else ORIGINS + REAL_ORIGINS
    if network in closer.RECIPES:
        origins = [*ORIGINS, REAL_ORIGINS[closer.look_of(network).kind == "drawing"]]
    card: dict[str, Any] = {
        "data": [WHOLE] if whole else origins,
        "held_out": {"fashion-mnist": 0 if whole else data.VALIDATION},
    }
    if real is not None:
        card["held_out"]["senders"] = f"fold {HELD_OUT} of 5"
    if out is None and network in NETWORKS:
        out, more = place(network, real is not None)
        card |= more
    making = Making(
        network=network,
        recipe=recipe,
        learn=[item for item in labelled if data.fold_of(item) != HELD_OUT],
        held=[item for item in labelled if data.fold_of(item) == HELD_OUT],
        people=real is not None,
        images=images,
        labels=labels,
        validation=validation,
        start=start,
        teachers=teachers,
        card=card,
        how={"seed": seed, "out": out, "device": device, "progress": progress},
    )
    if network == "finder":
        if start is not None and (teachers or epochs is not None):
            raise DataError(
                "from --start the finder only learns what a drawing is: leave --teacher and "
                "--epochs away."
            )
        return making.finder()
    if network == "lines":
        return making.lines()
    if network in closer.RECIPES:
        return making.closer()
    return making.classifier(root, whole)


def place(network: str, people: bool) -> tuple[Path, dict[str, Any]]:
    """Where the committed checkpoint of one of NETWORKS is, and what its card tells of the other.

    people: that for what people draw and photograph, rather than that for Fashion-MNIST's images.
    """
    if people:
        return checkpoint.resolve(_for_people(network)), {}
    return checkpoint.resolve(network), {"people": _for_people(network)}


def _for_people(network: str) -> str:
    """The name of the checkpoint that reads what people draw and photograph."""
    return f"{network}-people"
