"""A picture in, a label -> confidence dictionary out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from fashion_model import calibration, checkpoint
from fashion_model import sentences as wording
from fashion_model.errors import CheckpointError
from fashion_model.explain import Look
from fashion_model.networks import CLASSES, CLASSIFIERS, NETWORKS, Closer
from fashion_model.packing import Ready
from fashion_model.preprocessing import Prepared, prepare
from fashion_model.preprocessing.decode import Source, decode

DEFAULT = "cnn"
LONGEST = 512  # pixels; more detail than that is lost in 28x28 anyway


@dataclass(frozen=True)
class Answer:
    """What the network says of one picture, and what it saw of it.

    confidences: all ten labels, most confident first, summing to 1. kind: "drawing", "photo" or
    "dataset", how the picture was read. known: False where it looks like nothing the network
    knows. sentence: the answer in words, a str. seen: the 28x28 "L" picture that the network read.
    cutout: a photo, "RGB", with all that was cut away dimmed; None for other kinds. closers: the
    names of those who took a closer look at it, so that what was seen is not all that counted.
    """

    confidences: dict[str, float]
    kind: str
    known: bool
    sentence: wording.Said
    seen: Image.Image
    cutout: Image.Image | None
    closers: tuple[str, ...]
    prepared: Prepared


class Classifier:
    """A network that was loaded once, with the preprocessing and the calibration around it.

    It answers by a copy, see packing, which is made anew where an optimizer, load_state_dict or
    another network has changed the weights (but not where their .data was written to).
    """

    def __init__(
        self,
        network: nn.Module,
        card: dict[str, Any],
        finder: nn.Module,
        lines: nn.Module | None = None,
        people: "Classifier | None" = None,
        closers: Sequence[tuple[Closer, dict[str, Any]]] = (),
    ) -> None:
        """network and card: see checkpoint.load. finder and lines: finder.Finder and LineTeller.
        people: reads what people draw and photograph; network then reads Fashion-MNIST alone.
        closers: take a closer look at pictures of their kinds; their logits are added to network's.
        """
        self.network = network
        self.card = card
        self.finder = finder
        self.lines = lines
        self.people = people
        self.closers = list(closers)
        self.device = next(network.parameters()).device
        self._packed: dict[int, Ready] = {}

    @property
    def networks(self) -> list[nn.Module]:
        """Those that answer: network, and where there are such, closers and those of people."""
        own = [self.network, *(closer for closer, _ in self.closers)]
        return own + ([] if self.people is None else self.people.networks)

    def of(self, kind: str) -> "Classifier":
        """Who reads pictures of this kind: self, or people."""
        return self if kind == "dataset" or self.people is None else self.people

    def predict(self, image: Source, kind: str = "auto") -> dict[str, float]:
        """All ten labels with their confidences, most confident first, summing to 1.

        image: a PIL image of any mode and size, a path, bytes, or an array (H, W), (H, W, 3) or
        (H, W, 4). kind: "auto", "drawing" or "photo". Raises InputError for what is no image or
        has nothing in it.
        """
        return self.confidences([self.prepare(image, kind)[1]])[0]

    def predict_batch(self, images: Sequence[Source], kind: str = "auto") -> list[dict[str, float]]:
        """predict for many images, in one pass through the network."""
        if not images:
            return []
        return self.confidences([self.prepare(image, kind)[1] for image in images])

    def confidences(self, prepared: Sequence[Prepared]) -> list[dict[str, float]]:
        """What predict says of pictures that were prepared already, in one pass."""
        return [_sorted(row) for row in self.probabilities(prepared)]

    def answer(
        self, image: Source, kind: str = "auto", point: tuple[float, float] | None = None
    ) -> Answer:
        """predict, with what was seen and a sentence on it.

        point: (x, y) in shares of width and height, a place on the garment of a photo.
        """
        picture, prepared = self.prepare(image, kind, point)
        (confidences,) = self.confidences([prepared])
        known = self._known(confidences, prepared.kind)
        pixels = (prepared.pixels[0, 0] * 255).round().byte().numpy()
        return Answer(
            confidences=confidences,
            kind=prepared.kind,
            known=known,
            sentence=wording.answer(confidences, known),
            seen=Image.fromarray(pixels),
            cutout=None if prepared.mask is None else _dimmed(picture, prepared.mask),
            closers=tuple(who.name for who, _ in self.looks(prepared)),
            prepared=prepared,
        )

    def prepare(
        self, image: Source, kind: str = "auto", point: tuple[float, float] | None = None
    ) -> tuple[Image.Image, Prepared]:
        """The decoded picture and what the network reads of it."""
        picture = decode(image, longest=LONGEST)
        return picture, prepare(picture, self._find, kind, point, self._tell_lines)

    @torch.inference_mode()
    def probabilities(self, prepared: Sequence[Prepared]) -> torch.Tensor:
        """Calibrated confidences float32 (N, 10) on the CPU, in the order of CLASSES."""
        whose = [self.of(each.kind) for each in prepared]
        readers = list(dict.fromkeys(whose))
        if len(readers) == 1:  # as where there is one picture
            return readers[0]._softmax(prepared)
        found = torch.empty(len(prepared), len(CLASSES))
        for who in readers:
            own = [i for i, each in enumerate(whose) if each is who]
            found[own] = who._softmax([prepared[i] for i in own])
        return found

    def _softmax(self, prepared: Sequence[Prepared]) -> torch.Tensor:
        """probabilities of pictures that are all read here."""
        logits = self._logits(prepared)
        divisors = calibration.temperatures(self.card, [each.kind for each in prepared], logits)
        return F.softmax(logits / divisors[:, None], dim=1).float()

    @torch.inference_mode()
    def temperature(self, prepared: Prepared) -> float:
        """What the logits of this picture are divided by before Softmax."""
        who = self.of(prepared.kind)
        logits = who._logits([prepared])
        return calibration.temperatures(who.card, [prepared.kind], logits).item()

    def looks(self, prepared: Prepared) -> list[Look]:
        """Who takes a closer look at prepared, and at what: see explain."""
        closers = self.of(prepared.kind).closers
        fine = prepared.fine
        if fine is None:
            return []
        return [(who, who.of(fine)) for who, _ in closers if who.kind == prepared.kind]

    def _logits(self, prepared: Sequence[Prepared]) -> torch.Tensor:
        """What network and closers say together: float32 (N, 10) on the CPU."""
        pixels = torch.cat([each.pixels for each in prepared]).to(self.device)
        logits: torch.Tensor = self._ready(0, self.network, pixels)(pixels).float().cpu()
        for place, (closer, _) in enumerate(self.closers, 1):
            own = [i for i, each in enumerate(prepared) if each.kind == closer.kind]
            fine = [each for i in own if (each := prepared[i].fine) is not None]
            if fine:  # as all of a kind have it, or none
                seen = closer.of(torch.cat(fine)).to(self.device)
                added = self._ready(place, closer, seen)(seen).float().cpu()
                if len(own) == len(prepared):
                    logits = logits + added
                else:
                    logits[own] += added
        return logits

    def _ready(self, place: int, network: nn.Module, pixels: torch.Tensor) -> nn.Module:
        """network, of this place among those that answer, as it does, for pictures like pixels."""
        ready = self._packed.get(place)
        if ready is None or not ready.is_of(network):  # at first, and after it was trained on
            self._packed[place] = ready = Ready(network, pixels)
        return ready.answers

    def __getstate__(self) -> dict[str, Any]:
        """All but what is packed for this machine, which can neither be copied nor pickled."""
        return {**self.__dict__, "_packed": {}}

    def _find(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mask, drawing = self.finder(pictures.to(self.device))
        return mask.float().cpu(), drawing.float().cpu()

    def _tell_lines(self, pixels: torch.Tensor) -> float:
        if self.lines is None:
            return -math.inf
        with torch.inference_mode():
            logit: float = self.lines(pixels.to(self.device)).item()
        return logit

    def _known(self, confidences: dict[str, float], kind: str) -> bool:
        least: float = self.of(kind).card.get("unsure_below", {}).get(kind, 0.0)
        return next(iter(confidences.values())) >= least


def load(name: str | Path = DEFAULT, device: torch.device | str | None = None) -> Classifier:
    """A Classifier from checkpoints/NAME.safetensors or a path, on device (None: detected).

    Where its card names another network for what people draw and photograph, that reads those.
    Raises CheckpointError if a file is missing, truncated, foreign or mismatched.
    """
    path = checkpoint.resolve(name)
    network, card = _named(path, device)
    finder, _ = checkpoint.load("finder", device)
    lines, _ = checkpoint.load("lines", device)
    people = None
    if "people" in card:
        beside = checkpoint.beside(path, card["people"])
        who, told = _named(beside, device)
        closers = checkpoint.load_closers(beside, told, device)
        people = Classifier(who, told, finder, lines, closers=closers)
    closers = checkpoint.load_closers(path, card, device)
    made = Classifier(network, card, finder, lines, people, closers)
    for each in (*made.networks, finder, lines):
        each.to(
            memory_format=torch.channels_last
        )  # on one core, a quarter faster to explain and to find with
    return made


def _named(path: Path, device: torch.device | str | None) -> tuple[nn.Module, dict[str, Any]]:
    """checkpoint.load of a network that names classes."""
    network, card = checkpoint.load(path, device)
    if card["architecture"] not in CLASSIFIERS:
        raise CheckpointError(
            f"{path} holds a {card['architecture']!r}, which names no classes. "
            f"Choose one of {', '.join(sorted(NETWORKS))}."
        )
    return network, card


def _sorted(probabilities: torch.Tensor) -> dict[str, float]:
    values, order = probabilities.double().div(probabilities.double().sum()).sort(descending=True)
    return {CLASSES[i]: v for i, v in zip(order.tolist(), values.tolist(), strict=True)}


def _dimmed(picture: Image.Image, mask: torch.Tensor) -> Image.Image:
    """picture with what mask, (S, S) over all of it, leaves out mixed with grey."""
    rgb = np.asarray(picture.convert("RGB"), dtype=np.float32)
    size = [picture.height, picture.width]
    shape = F.interpolate(mask[None, None], size, mode="bilinear")[0, 0, :, :, None].clamp(0, 1)
    kept = 0.15 + 0.85 * shape.numpy()
    return Image.fromarray((rgb * kept + 255 * 0.6 * (1 - kept)).astype(np.uint8))
