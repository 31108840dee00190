"""A picture in, a label -> confidence dictionary out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from fashion_model import calibration, checkpoint, wording
from fashion_model.decoding import Source, decode
from fashion_model.errors import CheckpointError
from fashion_model.explain import Look
from fashion_model.images import Prepared, prepare
from fashion_model.networks import CLASSES, CLASSIFIERS, NETWORKS
from fashion_model.packing import packed

DEFAULT = "cnn"
LONGEST = 512  # pixels; more detail than that is lost in 28x28 anyway


@dataclass(frozen=True)
class Answer:
    """What the network says of one picture, and what it saw of it.

    confidences: all ten labels, most confident first, summing to 1. kind: "drawing", "photo" or
    "dataset", how the picture was read. known: False where it looks like nothing the network
    knows. sentence: the answer in words, a str. seen: the 28x28 "L" picture that the network read.
    cutout: a photo, "RGB", with all that was cut away dimmed; None for other kinds.
    """

    confidences: dict[str, float]
    kind: str
    known: bool
    sentence: wording.Said
    seen: Image.Image
    cutout: Image.Image | None
    prepared: Prepared


class Closer(NamedTuple):
    """networks.CloserNetwork, and its checkpoint's card."""

    network: nn.Module
    card: dict[str, Any]


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
        closer: Closer | None = None,
    ) -> None:
        """network and card: see checkpoint.load. finder and lines: networks.Finder and LineTeller.
        people: reads what people draw and photograph; network then reads Fashion-MNIST alone.
        closer: takes a closer look at photos; its logits are added to network's.
        """
        self.network = network
        self.card = card
        self.finder = finder
        self.lines = lines
        self.people = people
        self.closer = closer
        self.device = next(network.parameters()).device
        self._packed: dict[str, tuple[object, nn.Module]] = {}  # of what, and that as it answers

    @property
    def networks(self) -> list[nn.Module]:
        """Those that answer: network, and where there are such, closer and those of people."""
        own = [self.network, *([] if self.closer is None else [self.closer.network])]
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
        found = torch.empty(len(prepared), len(CLASSES))
        for who in (self, self.people):
            own = [i for i, each in enumerate(prepared) if self.of(each.kind) is who]
            if who is None or not own:
                continue
            logits = who._logits([prepared[i] for i in own])
            divisors = calibration.temperatures(who.card, [prepared[i].kind for i in own], logits)
            found[own] = F.softmax(logits / divisors[:, None], dim=1).float()
        return found

    @torch.inference_mode()
    def temperature(self, prepared: Prepared) -> float:
        """What the logits of this picture are divided by before Softmax."""
        who = self.of(prepared.kind)
        logits = who._logits([prepared])
        return calibration.temperatures(who.card, [prepared.kind], logits).item()

    def look(self, prepared: Prepared) -> Look | None:
        """Who takes a closer look at prepared, and at what: see explain. None: nobody."""
        who = self.of(prepared.kind)
        if who.closer is None or prepared.fine is None:
            return None
        return who.closer.network, prepared.fine

    def _logits(self, prepared: Sequence[Prepared]) -> torch.Tensor:
        """What network, and of photos closer, say together: float32 (N, 10) on the CPU."""
        pixels = torch.cat([each.pixels for each in prepared]).to(self.device)
        logits: torch.Tensor = self._ready(self.network, pixels)(pixels).float().cpu()
        fine = {i: each.fine for i, each in enumerate(prepared) if each.fine is not None}
        if self.closer is not None and fine:
            seen = torch.cat(list(fine.values())).to(self.device)
            logits[list(fine)] += self._ready(self.closer.network, seen)(seen).float().cpu()
        return logits

    def _ready(self, network: nn.Module, pixels: torch.Tensor) -> nn.Module:
        """network as it answers, for pictures like pixels."""
        name = "network" if network is self.network else "closer"
        now = (network, [(id(p), p.is_inference() or p._version) for p in network.parameters()])
        ready = self._packed.get(name)
        if ready is None or ready[0] != now:  # at first, and after it was trained on
            self._packed[name] = ready = (now, packed(network, torch.zeros_like(pixels[:1])))
        return ready[1]

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
        people = Classifier(who, told, finder, lines, closer=_closer(beside, told, device))
    made = Classifier(network, card, finder, lines, people, _closer(path, card, device))
    for each in (*made.networks, finder, lines):
        each.to(
            memory_format=torch.channels_last
        )  # on one core, a quarter faster to explain and to find with
    return made


def _closer(path: Path, card: dict[str, Any], device: torch.device | str | None) -> Closer | None:
    """Who takes a closer look at photos beside the network of card, at path; None: nobody."""
    if "closer" not in card:
        return None
    return Closer(*checkpoint.load_closer(checkpoint.beside(path, card["closer"]), device))


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
