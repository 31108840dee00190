"""How right a Classifier is and how honest its confidence: on Fashion-MNIST and on folders."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from tqdm import tqdm

from fashion_model.calibration import SURE
from fashion_model.classifier import Classifier
from fashion_model.datasets import Labelled
from fashion_model.errors import InputError
from fashion_model.evaluation.metrics import (
    Bin,
    DatasetScore,
    auroc,
    ece_by_chance,
    expected_calibration_error,
    reliability,
    score_answers,
)
from fashion_model.networks import CLASSES
from fashion_model.preprocessing import Prepared
from fashion_model.preprocessing.decode import Source
from fashion_model.training.variants import variants_of

ROLES = ("scored", "other", "vague")  # see Outcome.role
NO_ANSWER = "no answer"  # beside CLASSES, in counts of answers

# Labels of the clothing photos (github.com/alexeygrigorev/clothing-dataset) that are garments of
# the ten classes or not, as one likes: a polo is nearly a T-shirt. Where they accept no class,
# they are neither scored nor taken for other things.
VAGUE = frozenset({"Polo", "Top", "Undershirt", "Blazer", "Blouse", "Body"})

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Outcome:
    """What a Classifier said of a picture; where that was an error: no confidences, kind ""."""

    picture: Labelled
    confidences: dict[str, float]
    kind: str
    error: str = ""

    @property
    def answer(self) -> str:
        return next(iter(self.confidences), NO_ANSWER)

    @property
    def confidence(self) -> float:
        """Of the answer; 0 where there is none."""
        return next(iter(self.confidences.values()), 0.0)

    @property
    def right(self) -> bool:
        return self.answer in [CLASSES[i] for i in self.picture.accept]

    @property
    def role(self) -> str:
        """One of ROLES; "other" is a thing of none of the ten classes, "vague" is neither."""
        if self.picture.accept:
            return "scored"
        return "vague" if self.picture.label in VAGUE else "other"


@dataclass(frozen=True)
class SourceScore:
    """The scored pictures of a source, and its other things. None: there is nothing to measure.

    accuracy: a picture without an answer counts as wrong. macro_accuracy: the mean
    over the sets of classes that pictures accept.
    ece_by_chance: what ece would be of so few answers if all confidences were honest.
    It is None where pictures come in variants, which are right or wrong together.
    ece, wrong, sure_and_wrong (the share of the wrong answers that are above SURE) and kinds (the
    share read as each kind) are of the answers alone. auroc: of the confidence, scored pictures
    against other things, where no answer is confidence 0.
    """

    source: str
    count: int
    accuracy: float | None
    macro_accuracy: float | None
    ece: float | None
    ece_by_chance: float | None
    wrong: int
    sure_and_wrong: float | None
    kinds: dict[str, float]
    auroc: float | None
    others: int
    no_answer: int  # of scored pictures and other things together
    bins: list[Bin]


@dataclass(frozen=True)
class LabelScore:
    """The pictures of one label. answers: how often each was given, most frequent first."""

    source: str
    label: str
    role: str  # one of ROLES
    count: int
    accuracy: float | None  # None unless scored
    confidence: float  # mean
    answers: dict[str, int]


@dataclass(frozen=True)
class Unreadable:
    """A picture that got an error instead of an answer."""

    path: str
    error: str


@dataclass(frozen=True)
class FolderScore:
    """A Classifier on a folder of labelled pictures. vague: how many were left out as such."""

    sources: list[SourceScore]
    labels: list[LabelScore]
    unreadable: list[Unreadable]
    vague: int


def evaluate(
    classifier: Classifier, images: torch.Tensor, labels: torch.Tensor, batch: int = 1000
) -> DatasetScore:
    """One pass over Fashion-MNIST images, uint8 (N, 28, 28), with labels int64 (N,)."""
    parts = []
    for part in images.split(batch):
        pixels = (part.float() / 255).view(-1, 1, 1, 28, 28)
        prepared = [Prepared(p, "dataset", (0.0, 0.0, 1.0, 1.0)) for p in pixels]
        parts.append(classifier.probabilities(prepared))
    confidence, answers = torch.cat(parts).max(1)
    return score_answers(answers.tolist(), confidence.tolist(), labels.tolist())


def answer_pictures(
    classifier: Classifier,
    pictures: Sequence[Labelled],
    progress: bool = True,
    variants: int | None = None,
) -> list[Outcome]:
    """Each picture from its path, as an upload; one that cannot be read is an Outcome as well.

    progress: a bar on standard error where that is a terminal. variants: so many of each in its
    place, and none of what training leaves out, see variants_of; of what cannot be read as many
    errors.
    """
    outcomes = []
    for place, picture in enumerate(
        tqdm(pictures, unit="picture", disable=None if progress else True, mininterval=1.0)
    ):
        shown = [picture.path] if variants is None else variants_of(picture, variants, place)
        try:
            for image in shown:
                outcomes.append(_outcome(classifier, picture, image))
        except InputError as error:  # there are no variants of what cannot be decoded
            outcomes += [Outcome(picture, {}, "", str(error))] * (variants or 1)
    return outcomes


def _outcome(classifier: Classifier, picture: Labelled, image: Source) -> Outcome:
    """What is said of picture, shown as image."""
    try:
        answer = classifier.answer(image)
    except InputError as error:
        return Outcome(picture, {}, "", str(error))
    return Outcome(picture, answer.confidences, answer.kind)


def score_folder(outcomes: Sequence[Outcome]) -> FolderScore:
    """The figures for each source, and for each label of it.

    The other things of a source are its own and those of the source "SOURCE-other".
    """
    sources = {o.picture.source for o in outcomes}

    def home(o: Outcome) -> str:
        name = o.picture.source.removesuffix("-other")
        return name if name in sources else o.picture.source

    by_source = _grouped(outcomes, home)
    labels = []
    for source in sorted(by_source):
        by_label = _grouped(by_source[source], lambda o: (o.role, o.picture.source, _label(o)))
        labels += [_score_label(by_label[key]) for key in sorted(by_label, key=_reading_order)]
    return FolderScore(
        sources=[_score_source(source, by_source[source]) for source in sorted(by_source)],
        labels=labels,
        unreadable=list(
            dict.fromkeys(Unreadable(str(o.picture.path), o.error) for o in outcomes if o.error)
        ),
        vague=sum(o.role == "vague" for o in outcomes),
    )


def _reading_order(key: tuple[str, str, str]) -> tuple[int, str, str]:
    role, source, label = key
    return ROLES.index(role), source, label


def _score_source(source: str, outcomes: Sequence[Outcome]) -> SourceScore:
    scored = [o for o in outcomes if o.role == "scored"]
    other = [o for o in outcomes if o.role == "other"]
    answered = [o for o in scored if o.confidences]
    sure = [o.confidence > SURE for o in answered if not o.right]
    by_classes = _grouped(scored, lambda o: o.picture.accept).values()
    bins = reliability([o.confidence for o in answered], [o.right for o in answered])
    kinds = Counter(o.kind for o in answered)
    single = len({o.picture.path for o in answered}) == len(answered)
    return SourceScore(
        source=source,
        count=len(scored),
        accuracy=_mean([o.right for o in scored]),
        macro_accuracy=_mean([_mean([o.right for o in group]) or 0.0 for group in by_classes]),
        ece=expected_calibration_error(bins),
        ece_by_chance=ece_by_chance([o.confidence for o in answered]) if single else None,
        wrong=len(sure),
        sure_and_wrong=_mean(sure),
        kinds={kind: count / len(answered) for kind, count in sorted(kinds.items())},
        auroc=auroc([o.confidence for o in scored], [o.confidence for o in other]),
        others=len(other),
        no_answer=sum(not o.confidences for o in (*scored, *other)),
        bins=bins,
    )


def _score_label(outcomes: Sequence[Outcome]) -> LabelScore:
    """outcomes: of one label, at least one."""
    first = outcomes[0]
    return LabelScore(
        source=first.picture.source,
        label=first.picture.label,
        role=first.role,
        count=len(outcomes),
        accuracy=_mean([o.right for o in outcomes]) if first.role == "scored" else None,
        confidence=_mean([o.confidence for o in outcomes]) or 0.0,
        answers=dict(Counter(o.answer for o in outcomes).most_common()),
    )


def _label(outcome: Outcome) -> str:
    return outcome.picture.label


def _grouped(outcomes: Sequence[Outcome], key: Callable[[Outcome], K]) -> dict[K, list[Outcome]]:
    groups: dict[K, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(key(outcome), []).append(outcome)
    return groups


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
