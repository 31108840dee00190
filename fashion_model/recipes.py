"""How each committed checkpoint is made, from data to file: what the command "train" runs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fashion_model import bitmaps, checkpoint, closer, corpus, data, finding, material, sheets
from fashion_model.distillation import Ensemble
from fashion_model.errors import CheckpointError, DataError
from fashion_model.networks import NETWORKS
from fashion_model.provenance import ORIGINS, REAL_ORIGINS, WHOLE, with_those_of
from fashion_model.run import Recipe
from fashion_model.training import Pictures, train

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
    recipe = replace(recipe, clean_by_labels=clean_by_labels)
    if whole and (network not in NETWORKS or real is not None):
        raise DataError("--whole is for a network that learns Fashion-MNIST's images alone.")
    (images, labels), validation = data.split(*data.load_fashion_mnist(True, root))
    if whole:
        images, labels = data.load_fashion_mnist(True, root)
    labelled = [] if real is None else data.load_labelled(real)
    learn = [item for item in labelled if data.fold_of(item) != HELD_OUT]
    held = [item for item in labelled if data.fold_of(item) == HELD_OUT]
    origins = ORIGINS[:1] if real is None else ORIGINS + REAL_ORIGINS
    if network in closer.RECIPES:
        origins = [*ORIGINS, REAL_ORIGINS[closer.kind_of(network) == "drawing"]]
    card: dict[str, Any] = {
        "data": [WHOLE] if whole else origins,
        "held_out": {"fashion-mnist": 0 if whole else data.VALIDATION},
    }
    if out is None and network in NETWORKS:
        out, more = place(network, real is not None)
        card |= more
    if real is not None:
        card["held_out"]["senders"] = f"fold {HELD_OUT} of 5"
    common = {"recipe": recipe, "seed": seed, "out": out, "device": device, "progress": progress}
    if network == "finder":
        if not labelled:
            raise DataError("the finder learns from real photos: name their folder with --real.")
        if start is not None and (teachers or epochs is not None):
            raise DataError(
                "from --start the finder only learns what a drawing is: leave --teacher and "
                "--epochs away."
            )
        if len(teachers) > 1:
            raise DataError("the finder learns from one other finder: name one with --teacher.")
        if teachers:
            first, told = checkpoint.load(teachers[0], "cpu")
            if told["architecture"] != "finder":
                raise CheckpointError(f"{teachers[0]} is no finder, but a {told['architecture']}.")
            common["recipe"] = replace(recipe, teachers=(checkpoint.resolve(teachers[0]).stem,))
            common["teacher"] = first
            card["teachers"] = [{"architecture": "finder", "digest": checkpoint.digest(first)}]
        state = None
        if start is None:
            start = out = finding.train_finder(learn, images, labels, card=card, **common)  # type: ignore[arg-type]
            state = start.with_suffix(".training")
        made = sheets.teach(
            start, learn, held, (images, labels), validation, seed=seed, out=out, progress=progress
        )
        if state is not None:
            state.unlink(missing_ok=True)
        return made
    if network == "lines":
        if start is not None or teachers:
            raise DataError("what tells lines only trains from the beginning, by labels.")
        if not any(item.kind == "drawing" for item in learn):
            raise DataError("lines are learnt from real drawings: name their folder with --real.")
        return bitmaps.train_lines(learn, images, held, validation[0], card=card, **common)  # type: ignore[arg-type]
    if network in closer.RECIPES:
        kind = closer.kind_of(network)
        if start is not None or teachers:
            raise DataError(
                "who takes a closer look only trains from the beginning, by labels: leave --start "
                "and --teacher away."
            )
        if not any(item.kind == kind for item in learn):
            raise DataError(
                f"who takes a closer look learns from real {kind}s: name their folder with --real."
            )
        finder, _ = checkpoint.load("finder", "cpu")
        own, others = material.close_ups(kind, learn, images, labels, finder, seed, progress)
        as_they_are = corpus.as_they_are(held, kind, finder, fine=True)
        return closer.train_closer(network, own, others, as_they_are, card=card, **common)  # type: ignore[arg-type]
    if start is not None:
        card = with_those_of(card, checkpoint.load(start, "cpu")[1])
    extra, teacher = None, None
    held_pictures = {} if whole else {"dataset": Pictures.of(*validation)}
    if recipe.teachers:  # none of which may have seen what is held out
        loaded = [checkpoint.load(name, "cpu") for name in recipe.teachers]
        teacher = Ensemble([each for each, _ in loaded])
        for _, told in loaded:
            card = with_those_of(card, told)
        card["teachers"] = [
            {key: told.get(key) for key in ("architecture", "accuracy")}
            | {"digest": checkpoint.digest(each)}
            for each, told in loaded
        ]
        names = tuple(checkpoint.resolve(name).stem for name in recipe.teachers)
        common["recipe"] = replace(recipe, teachers=names)  # no card tells of a machine's folders
    if real is not None:
        finder, _ = checkpoint.load("finder", "cpu")
        # before the hours of training, which a damaged picture would end
        held_pictures |= material.held_out(held, images, labels, finder, progress)
        extra = material.of_people(learn, images, labels, finder, seed, progress)
    return train(
        network,
        Pictures.of(images, labels),
        None if whole else Pictures.of(*validation),
        extra=extra,
        test=Pictures.of(*data.load_fashion_mnist(False, root)),
        held_out=held_pictures,
        start=start,
        teacher=teacher,
        card=card,
        **common,  # type: ignore[arg-type]
    )


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
