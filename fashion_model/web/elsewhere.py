"""Pictures read in another process, over whatever carries the questions: both ends of it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image

import fashion_model
from fashion_model import Answer, Classifier, InputError
from fashion_model.preprocessing import Prepared
from fashion_model.preprocessing.decode import Source

Question = tuple[str, str, tuple[Any, ...]]  # a network, a method of its Classifier, the arguments
Told = tuple[bool, Any]  # True and what it returned, or False and the text of its InputError
Ask = Callable[[Question], Told]


class Reader:
    """The other process's end: the networks, loaded there."""

    def __init__(self, names: Sequence[str]) -> None:
        torch.set_num_threads(1)
        self.classifiers = {name: fashion_model.load(name) for name in names}

    def __call__(self, question: Question) -> Told:
        network, method, given = question
        try:
            return True, getattr(self.classifiers[network], method)(*given)
        except InputError as error:
            return False, str(error)

    def all(self, questions: Sequence[Question]) -> list[Told]:
        """What each is told; those that ask one network to predict go through it in one pass."""
        told: list[Told] = []
        together: dict[str, list[int]] = {}
        for number, (network, method, given) in enumerate(questions):
            if method != "predict":
                told.append(self((network, method, given)))
                continue
            well, prepared = self((network, "prepare", given))
            told.append((well, prepared[1] if well else prepared))
            if well:
                together.setdefault(network, []).append(number)
        for network, numbers in together.items():
            found = self.classifiers[network].confidences([told[i][1] for i in numbers])
            for number, confidences in zip(numbers, found, strict=True):
                told[number] = True, confidences
        return told


class Elsewhere(Classifier):
    """A Classifier whose pictures are read by who is behind ask; all else is done here."""

    def __init__(self, name: str, here: Classifier, ask: Ask) -> None:
        super().__init__(
            here.network, here.card, here.finder, here.lines, here.people, here.closers
        )
        self.name, self.ask = name, ask

    def _told(self, method: str, *given: Any) -> Any:
        well, told = self.ask((self.name, method, given))
        if not well:
            raise InputError(told)
        return told

    def predict(self, image: Source, kind: str = "auto") -> dict[str, float]:
        confidences: dict[str, float] = self._told("predict", image, kind)
        return confidences

    def answer(
        self, image: Source, kind: str = "auto", point: tuple[float, float] | None = None
    ) -> Answer:
        answer: Answer = self._told("answer", image, kind, point)
        return answer

    def prepare(
        self, image: Source, kind: str = "auto", point: tuple[float, float] | None = None
    ) -> tuple[Image.Image, Prepared]:
        both: tuple[Image.Image, Prepared] = self._told("prepare", image, kind, point)
        return both
