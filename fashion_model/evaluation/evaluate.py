"""How right a Classifier is and how honest its confidence: on Fashion-MNIST and on folders."""

from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from tqdm import tqdm

from fashion_model.classifier import Classifier
from fashion_model.datasets import LabeledPicture
from fashion_model.errors import DataError, InputError
from fashion_model.evaluation.fashion_mnist import DatasetScore, score_dataset
from fashion_model.evaluation.scores import Outcome, Score, score
from fashion_model.preprocessing import ModelInput
from fashion_model.preprocessing.geometry import WHOLE

NO_PICTURE = Image.new("L", (28, 28))  # where a network is asked about tensors


def evaluate(
    classifier: Classifier, images: torch.Tensor, labels: torch.Tensor, batch: int = 1000
) -> DatasetScore:
    """One pass over Fashion-MNIST images, uint8 (N, 28, 28), with labels int64 (N,)."""
    parts = []
    for part in images.split(batch):
        pixels = (part.float() / 255).view(-1, 1, 1, 28, 28)
        inputs = [ModelInput("dataset", p, NO_PICTURE, WHOLE) for p in pixels]
        parts.append(classifier.probabilities(inputs)[0])
    return score_dataset(torch.cat(parts).double().numpy(), labels.numpy(), images.numpy())


def answer_pictures(classifier: Classifier, pictures: Sequence[LabeledPicture]) -> list[Outcome]:
    """Each picture from its path, as an upload; one that cannot be read is an Outcome as well. It
    shows a bar on standard error where that is a terminal."""
    bar = tqdm(pictures, unit="picture", disable=None, mininterval=1.0)
    return [_outcome(classifier, picture) for picture in bar]


def _outcome(classifier: Classifier, picture: LabeledPicture) -> Outcome:
    try:
        prediction = classifier.classify(picture.path)
    except InputError as error:
        return Outcome(picture, {}, "", str(error))
    probability = prediction.out_of_distribution or None  # 0 where none was fit
    return Outcome(picture, prediction.confidences, prediction.kind, probability=probability)


def leave_one_source_out(
    classifiers: Mapping[str, Classifier], pictures: Sequence[LabeledPicture]
) -> list[Score]:
    """A Score for each source, by the Classifier that was trained without it, classifiers[source].

    Where a source is other things only, the garments among pictures of its kind stand against them.
    """
    found = []
    for source, classifier in classifiers.items():
        some = [p for p in pictures if p.origin.removesuffix("-other") == source]
        if not some:
            raise DataError(f"there is no picture of the source {source!r} to score.")
        kind = some[0].kind
        known = [] if any(p.targets for p in some) else [p for p in pictures if p.targets]
        outcomes = answer_pictures(classifier, some)
        garments = answer_pictures(classifier, [p for p in known if p.kind == kind])
        found.append(score(source, outcomes, garments))
    return found
