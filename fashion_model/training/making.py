"""What recipes.make does for each kind of network: pictures, teachers and checks -> a training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from fashion_model import checkpoint
from fashion_model import datasets as data
from fashion_model.datasets import Labelled
from fashion_model.errors import CheckpointError, DataError
from fashion_model.training import closer, corpus
from fashion_model.training import drawing_detection as sheets
from fashion_model.training import line_detection as bitmaps
from fashion_model.training import segmentation as finding
from fashion_model.training.distillation import Ensemble
from fashion_model.training.material import Material
from fashion_model.training.provenance import with_those_of
from fashion_model.training.train import Pictures, train
from fashion_model.training.trainer import Recipe


@dataclass(frozen=True)
class Making:
    """What recipes.make was asked for, with what is read from files.

    learn, held: pictures by people, to learn from and of senders held out; people: whether there
    are to be any. images uint8 (N, 28, 28), labels (N,) and validation: Fashion-MNIST's. how:
    seed, out, device and progress, as every training takes them.
    """

    network: str
    recipe: Recipe
    learn: list[Labelled]
    held: list[Labelled]
    people: bool
    images: torch.Tensor
    labels: torch.Tensor
    validation: tuple[torch.Tensor, torch.Tensor]
    start: str | Path | None
    teachers: Sequence[str | Path]
    card: dict[str, Any]
    how: dict[str, Any]

    def finder(self) -> Path:
        """What cuts garments out of photos and tells what a drawing is."""
        if not self.learn and not self.held:
            raise DataError("the finder learns from real photos: name their folder with --real.")
        if len(self.teachers) > 1:
            raise DataError("the finder learns from one other finder: name one with --teacher.")
        start, out = self.start, self.how["out"]
        state = None
        if start is None:
            card, recipe, teacher = self.card, self.recipe, None
            if self.teachers:
                (name,) = self.teachers
                teacher, told = checkpoint.load(name, "cpu")
                if told["architecture"] != "finder":
                    raise CheckpointError(f"{name} is no finder, but a {told['architecture']}.")
                recipe = replace(recipe, teachers=(checkpoint.resolve(name).stem,))
                taught = {"architecture": "finder", "digest": checkpoint.digest(teacher)}
                card = {**card, "teachers": [taught]}
            start = out = finding.train_finder(
                self.learn,
                self.images,
                self.labels,
                recipe=recipe,
                teacher=teacher,
                card=card,
                **self.how,
            )
            state = start.with_suffix(".training")
        made = sheets.teach(
            start,
            self.learn,
            self.held,
            (self.images, self.labels),
            self.validation,
            seed=self.how["seed"],
            out=out,
            progress=self.how["progress"],
        )
        if state is not None:
            state.unlink(missing_ok=True)
        return made

    def lines(self) -> Path:
        """What tells drawings of 28x28 pixels from Fashion-MNIST's images."""
        self._from_the_beginning("what tells lines")
        if not any(item.kind == "drawing" for item in self.learn):
            raise DataError("lines are learnt from real drawings: name their folder with --real.")
        return bitmaps.train_lines(
            self.learn,
            self.images,
            self.held,
            self.validation[0],
            recipe=self.recipe,
            card=self.card,
            **self.how,
        )

    def closer(self) -> Path:
        """Who takes a closer look at pictures of one kind."""
        self._from_the_beginning("who takes a closer look")
        kind = closer.look_of(self.network).kind
        if not any(item.kind == kind for item in self.learn):
            raise DataError(
                f"who takes a closer look learns from real {kind}s: name their folder with --real."
            )
        material = self._material()
        own, others = material.close_ups(kind)
        as_they_are = corpus.as_they_are(self.held, kind, material.finder, fine=True)
        return closer.train_closer(
            *(self.network, own, others, as_they_are),
            recipe=self.recipe,
            card=self.card,
            **self.how,
        )

    def classifier(self, root: str | Path | None, whole: bool) -> Path:
        """A network that names classes by the 28x28 picture; root, whole: as make has them."""
        card, recipe = self.card, self.recipe
        if self.start is not None:
            card = with_those_of(card, checkpoint.load(self.start, "cpu")[1])
        extra, teacher = None, None
        held_out = {} if whole else {"dataset": Pictures.of(*self.validation)}
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
            recipe = replace(recipe, teachers=names)  # no card tells of a machine's folders
        if self.people:
            material = self._material()
            # before the hours of training, which a damaged picture would end
            held_out |= material.held_out()
            extra = material.of_people()
        return train(
            self.network,
            Pictures.of(self.images, self.labels),
            None if whole else Pictures.of(*self.validation),
            extra=extra,
            test=Pictures.of(*data.load_fashion_mnist(False, root)),
            held_out=held_out,
            recipe=recipe,
            start=self.start,
            teacher=teacher,
            card=card,
            **self.how,
        )

    def _from_the_beginning(self, who: str) -> None:
        """Raise DataError where something is named to begin with or to learn from."""
        if self.start is not None or self.teachers:
            raise DataError(
                f"{who} only trains from the beginning, by labels: leave --start and --teacher "
                "away."
            )

    def _material(self) -> Material:
        """What the pictures besides Fashion-MNIST's are made from, with the committed finder."""
        finder, _ = checkpoint.load("finder", "cpu")
        given = (self.learn, self.held, self.images, self.labels, finder)
        return Material(*given, self.how["seed"], self.how["progress"])
