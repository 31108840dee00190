"""A picture in, a label -> confidence dictionary out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from fashion_model import calibration, checkpoint, sentences
from fashion_model.calibration import OUT_OF_DISTRIBUTION, Calibration
from fashion_model.errors import CheckpointError
from fashion_model.networks import CLASSES, CLASSIFIERS, NETWORKS, READ_28X28
from fashion_model.preprocessing import Detectors, ModelInput, preprocess
from fashion_model.preprocessing.decode import ImageLike, decode
from fashion_model.sentences import Sentence

DEFAULT = "cnn"
LONGEST = 512  # pixels; no network reads more detail
DECODING = BoundedSemaphore(4)  # pictures at a time: one of 20 megapixels needs 60 MB meanwhile
KINDS = ("dataset", "drawing", "photo")  # of pictures, each read by one network


@dataclass(frozen=True)
class Prediction:
    """The answer to one picture, and what the network read of it.

    confidences: all ten labels, most confident first, summing to 1. kind: "drawing", "photo" or
    "dataset", how the picture was read. out_of_distribution: the probability that it is none of the
    ten classes. message: the answer in words, a str. network_input: the picture that the network
    read, "L" 28x28 or "RGB". segmented: a photo, "RGB", with all but the garment dimmed; None where
    nothing was cut out.
    """

    confidences: dict[str, float]
    kind: str
    out_of_distribution: float
    message: Sentence
    network_input: Image.Image
    segmented: Image.Image | None

    @property
    def in_distribution(self) -> bool:
        """Whether the picture is more likely one of the ten classes than not."""
        return self.out_of_distribution < OUT_OF_DISTRIBUTION


class Classifier:
    """Networks that were loaded once, one for each kind of picture, with the preprocessing and the
    calibration around them."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        cards: Mapping[str, dict[str, Any]],
        detectors: Detectors,
    ) -> None:
        """networks and cards: by kind, see checkpoint.load. detectors: see preprocessing."""
        self.networks, self.cards = dict(networks), dict(cards)
        self.detectors = detectors
        self.calibrations = {kind: _calibration(card, kind) for kind, card in self.cards.items()}
        self.device = next(self.network.parameters()).device
        self._high_resolution = {
            kind for kind, network in networks.items() if not isinstance(network, READ_28X28)
        }

    @property
    def network(self) -> nn.Module:
        """The network that reads Fashion-MNIST's own images."""
        return self.networks["dataset"]

    @property
    def card(self) -> dict[str, Any]:
        """The metadata of its checkpoint."""
        return self.cards["dataset"]

    def predict(self, image: ImageLike, kind: str = "auto") -> dict[str, float]:
        """All ten labels with their confidences, most confident first, summing to 1.

        image: a PIL image of any mode and size, a path, bytes, or an array (H, W), (H, W, 3) or
        (H, W, 4). kind: "auto", "drawing" or "photo". Raises InputError for what is no image or
        has nothing in it.
        """
        return self.predict_batch([image], kind)[0]

    def predict_batch(
        self, images: Sequence[ImageLike], kind: str = "auto"
    ) -> list[dict[str, float]]:
        """predict for many images, in one pass through each network."""
        return self.confidences([self.preprocess(image, kind) for image in images])

    def confidences(self, inputs: Sequence[ModelInput]) -> list[dict[str, float]]:
        """predict of pictures that were preprocessed."""
        return [_sorted(row) for row in self.probabilities(inputs)[0]]

    def classify(
        self, image: ImageLike, kind: str = "auto", point: tuple[float, float] | None = None
    ) -> Prediction:
        """predict, with what the network read and a sentence on it.

        point: (x, y) in shares of width and height, a place on the garment of a photo.
        """
        return self.prediction(self.preprocess(image, kind, point))

    def preprocess(
        self, image: ImageLike, kind: str = "auto", point: tuple[float, float] | None = None
    ) -> ModelInput:
        """What the network for its kind reads of image."""
        with DECODING:
            picture = decode(image, longest=LONGEST)
        return preprocess(
            picture, self.detectors, kind, point, high_resolution=self._high_resolution
        )

    def prediction(self, model_input: ModelInput) -> Prediction:
        """The Prediction for a picture that was preprocessed."""
        confidences, out_of_distribution = self.probabilities([model_input])
        by_label, score = _sorted(confidences[0]), float(out_of_distribution[0])
        mask = model_input.mask
        return Prediction(
            confidences=by_label,
            kind=model_input.kind,
            out_of_distribution=score,
            message=sentences.answer(by_label, score),
            network_input=_as_picture(model_input.tensor),
            segmented=None if mask is None else _dimmed(model_input.picture, mask),
        )

    @torch.inference_mode()
    def probabilities(self, inputs: Sequence[ModelInput]) -> tuple[torch.Tensor, torch.Tensor]:
        """Confidences (N, 10) in the order of CLASSES, and the probabilities (N,) of none of the
        ten; float32 on the CPU."""
        confidences = torch.empty(len(inputs), len(CLASSES))
        out_of_distribution = torch.empty(len(inputs))
        for kind in dict.fromkeys(each.kind for each in inputs):
            rows = [i for i, each in enumerate(inputs) if each.kind == kind]
            logits = self.logits([inputs[i] for i in rows])
            found = calibration.apply(logits, self.calibrations[kind])
            confidences[rows], out_of_distribution[rows] = (part.float() for part in found)
        return confidences, out_of_distribution

    @torch.inference_mode()
    def logits(self, inputs: Sequence[ModelInput]) -> torch.Tensor:
        """What the network for it says of inputs of one kind, float32 (N, 10 or 11) on the CPU."""
        tensors = torch.cat([each.tensor for each in inputs]).to(self.device)
        return self.networks[inputs[0].kind](tensors).float().cpu()


def load(name: str | Path = DEFAULT, device: torch.device | str | None = None) -> Classifier:
    """A Classifier from checkpoints/NAME.safetensors or a path, on device (None: detected).

    The card's "networks" names those that read drawings and photos, which lie beside the file or
    in checkpoints/; where it names none, the network reads all. Raises CheckpointError if a file is
    missing, truncated, foreign or mismatched.
    """
    path = checkpoint.resolve(name)
    network, card = _load_classifier(path, device)
    networks, cards = dict.fromkeys(KINDS, network), dict.fromkeys(KINDS, card)
    others = card.get("networks", {})
    if not isinstance(others, dict) or not others.keys() <= set(KINDS):
        raise CheckpointError(f"{path} names networks for other kinds than {', '.join(KINDS)}.")
    for other in dict.fromkeys(others.values()):  # which may be named for several kinds
        found = _load_classifier(checkpoint.resolve(other, path), device)
        for kind in (kind for kind, name in others.items() if name == other):
            networks[kind], cards[kind] = found
    if not isinstance(networks["dataset"], READ_28X28):
        raise CheckpointError(
            f"{path} reads pictures of one kind only. Choose one of {', '.join(sorted(NETWORKS))}."
        )
    segmenter, _ = checkpoint.load("segmenter", device)
    line_detector, _ = checkpoint.load("line-detector", device)
    for each in (*networks.values(), segmenter):
        each.to(memory_format=torch.channels_last)  # a quarter faster on one core
    return Classifier(networks, cards, Detectors(segmenter, line_detector))


def _calibration(card: Mapping[str, Any], kind: str) -> Calibration:
    try:
        return Calibration(**card.get("calibration", {}).get(kind, {}))
    except (TypeError, AttributeError) as error:
        raise CheckpointError(
            f"the calibration in a checkpoint's card is not understood ({error}). Restore the file."
        ) from error


def _load_classifier(
    path: Path, device: torch.device | str | None
) -> tuple[nn.Module, dict[str, Any]]:
    network, card = checkpoint.load(path, device)
    if card["architecture"] not in CLASSIFIERS:
        raise CheckpointError(
            f"{path} holds a {card['architecture']!r}, which names no classes. "
            f"Choose one of {', '.join(sorted(NETWORKS))}."
        )
    return network, card


def _sorted(confidences: torch.Tensor) -> dict[str, float]:
    values, order = confidences.double().div(confidences.double().sum()).sort(descending=True)
    return {CLASSES[i]: v for i, v in zip(order.tolist(), values.tolist(), strict=True)}


def _as_picture(tensor: torch.Tensor) -> Image.Image:
    """What a network read, (1, C, H, W) in [0, 1]: "RGB", or "L" where there are no colors."""
    pixels = (tensor[0] * 255).round().byte()
    if len(pixels) == 3:
        return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    return Image.fromarray(pixels[0].numpy())


def _dimmed(picture: Image.Image, mask: torch.Tensor) -> Image.Image:
    """picture with what mask, (S, S) over all of it, leaves out mixed with gray."""
    rgb = np.asarray(picture.convert("RGB"), dtype=np.float32)
    size = [picture.height, picture.width]
    shape = F.interpolate(mask[None, None], size, mode="bilinear")[0, 0, :, :, None].clamp(0, 1)
    share = 0.15 + 0.85 * shape.numpy()
    return Image.fromarray((rgb * share + 255 * 0.6 * (1 - share)).astype(np.uint8))
