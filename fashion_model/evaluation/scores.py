"""Figures for labeled pictures, by source, by kind and by label, out of the answers."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from fashion_model.calibration import OUT_OF_DISTRIBUTION
from fashion_model.datasets import LabeledPicture
from fashion_model.evaluation import metrics
from fashion_model.evaluation.metrics import Bin
from fashion_model.networks import CLASSES

ROLES = ("scored", "other", "vague")  # see Outcome.role
NO_ANSWER = "no answer"  # beside CLASSES, in counts of answers

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Outcome:
    """The prediction for a picture; where that was an error: no confidences, kind ""."""

    picture: LabeledPicture
    confidences: dict[str, float]  # most confident first
    kind: str  # as which it was read
    error: str = ""
    probability: float | None = None  # of none of the ten; None: the classifier does not say

    @property
    def answer(self) -> str:
        return next(iter(self.confidences), NO_ANSWER)

    @property
    def confidence(self) -> float:
        """Of the answer; 0 where there is none."""
        return next(iter(self.confidences.values()), 0.0)

    @property
    def right(self) -> bool:
        return self.answer in [CLASSES[i] for i in self.picture.targets]

    @property
    def in_targets(self) -> float:
        """The confidence in all targets together."""
        return sum(self.confidences.get(CLASSES[i], 0.0) for i in self.picture.targets)

    @property
    def out_of_distribution(self) -> float:
        """From 0 to 1: the probability of none of the ten, else what lacks to a confidence of 1."""
        return 1 - self.confidence if self.probability is None else self.probability

    @property
    def doubted(self) -> bool:
        """Whether the page says that the picture is none of the ten."""
        return self.probability is not None and self.probability >= OUT_OF_DISTRIBUTION

    @property
    def role(self) -> str:
        """One of ROLES; "other" is a thing of none of the ten classes, "vague" is neither."""
        if self.picture.targets:
            return "scored"
        return "vague" if self.picture.vague else "other"


@dataclass(frozen=True)
class Score:
    """The scored pictures of a source or a kind, and its other things; None: nothing to measure.

    A picture without an answer counts as wrong, with confidence 0; nll, ece, its noise floor and
    bins are of the answers alone. auroc and fpr95 are of the scored pictures against the other
    things by Outcome.out_of_distribution, those by_confidence by the confidence of the answer.
    doubted: the share of the right answers, and of the other things, that are told as such.
    """

    name: str
    count: int
    accuracy: float | None
    macro_accuracy: float | None
    nll: float | None
    ece: float | None
    ece_noise_floor: float | None
    coverage: float | None  # with 95 % of the answers right
    others: int
    auroc: float | None
    fpr95: float | None
    auroc_by_confidence: float | None
    fpr95_by_confidence: float | None
    right_doubted: float | None
    others_doubted: float | None
    no_answer: int  # of scored pictures and other things together
    kinds: dict[str, float]  # the share of the answers that was read as each kind
    bins: list[Bin]


@dataclass(frozen=True)
class LabelScore:
    """The pictures of one label. answers: how often each was given, most frequent first."""

    source: str
    kind: str
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
    """A Classifier on a folder of labeled pictures. vague: how many were left out as such."""

    sources: list[Score]
    kinds: list[Score]  # all drawings, all photos
    labels: list[LabelScore]
    unreadable: list[Unreadable]
    vague: int


def score_folder(outcomes: Sequence[Outcome]) -> FolderScore:
    """The figures for each source, each kind and each label.

    The other things of a source are those in it and those of the source "SOURCE-other". Where a
    source is other things only, all scored pictures of the same kind stand against them.
    """
    sources = {o.picture.origin for o in outcomes}

    def home(o: Outcome) -> str:
        name = o.picture.origin.removesuffix("-other")
        return name if name in sources else o.picture.origin

    by_source = grouped(outcomes, home)
    by_kind = grouped(outcomes, lambda o: o.picture.kind)
    labels = []
    for _, group in sorted(by_source.items()):
        by_label = grouped(
            group, lambda o: (ROLES.index(o.role), o.picture.origin, o.picture.label)
        )
        labels += [_score_label(by_label[key]) for key in sorted(by_label)]
    errors = [Unreadable(str(o.picture.path), o.error) for o in outcomes if o.error]
    return FolderScore(
        sources=[
            score(name, group, by_kind[group[0].picture.kind])
            for name, group in sorted(by_source.items())
        ],
        kinds=[score(kind, group) for kind, group in sorted(by_kind.items())],
        labels=labels,
        unreadable=list(dict.fromkeys(errors)),
        vague=sum(o.role == "vague" for o in outcomes),
    )


def score(name: str, outcomes: Sequence[Outcome], garments: Sequence[Outcome] = ()) -> Score:
    """The figures of outcomes; garments: whose scored pictures to take where outcomes have none."""
    scored = [o for o in outcomes if o.role == "scored"]
    other = [o for o in outcomes if o.role == "other"]
    known = scored or [o for o in garments if o.role == "scored"]
    answered = [o for o in scored if o.confidences]
    confidence = [o.confidence for o in answered]
    bins = metrics.reliability(confidence, [o.right for o in answered])
    kinds = Counter(o.kind for o in answered)
    by_score = (
        [1 - o.out_of_distribution for o in known],
        [1 - o.out_of_distribution for o in other],
    )
    by_confidence = [o.confidence for o in known], [o.confidence for o in other]
    right = [o.right for o in scored]
    return Score(
        name=name,
        count=len(scored),
        accuracy=_mean(right),
        macro_accuracy=metrics.macro_accuracy(right, [o.picture.targets for o in scored]),
        nll=metrics.negative_log_likelihood([o.in_targets for o in answered]),
        ece=metrics.expected_calibration_error(bins),
        ece_noise_floor=metrics.ece_noise_floor(confidence),
        coverage=metrics.coverage([o.confidence for o in scored], right),
        others=len(other),
        auroc=metrics.auroc(*by_score),
        fpr95=metrics.false_positive_rate(*by_score),
        auroc_by_confidence=metrics.auroc(*by_confidence),
        fpr95_by_confidence=metrics.false_positive_rate(*by_confidence),
        right_doubted=_mean([o.doubted for o in scored if o.right]),
        others_doubted=_mean([o.doubted for o in other]),
        no_answer=sum(not o.confidences for o in (*scored, *other)),
        kinds={kind: count / len(answered) for kind, count in sorted(kinds.items())},
        bins=bins,
    )


def _score_label(outcomes: Sequence[Outcome]) -> LabelScore:
    """outcomes: of one label, at least one."""
    first = outcomes[0]
    return LabelScore(
        source=first.picture.origin,
        kind=first.picture.kind,
        label=first.picture.label,
        role=first.role,
        count=len(outcomes),
        accuracy=_mean([o.right for o in outcomes]) if first.role == "scored" else None,
        confidence=_mean([o.confidence for o in outcomes]) or 0.0,
        answers=dict(Counter(o.answer for o in outcomes).most_common()),
    )


def grouped(outcomes: Sequence[Outcome], key: Callable[[Outcome], K]) -> dict[K, list[Outcome]]:
    groups: dict[K, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(key(outcome), []).append(outcome)
    return groups


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
