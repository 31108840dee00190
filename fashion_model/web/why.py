"""Why an answer was given: the maps that the page shows, and what /explain tells scripts."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from fashion_model import CLASSES, Classifier, InputError, explain
from fashion_model import visualization as showing
from fashion_model.preprocessing import Prepared
from fashion_model.preprocessing.decode import Source
from fashion_model.web.payloads import data_url, from_api, from_data_url, said, tapped, told

MAX_DRAWING_BYTES = 1024 * 1024  # the page sends about 10,000
MAP_PIXELS = 360  # longest side on the page
UNITS = 8  # whose templates or feature maps the page shows
TOLD = ("name", "title", "module", "shape", "off", "sentence")  # of a step
BELOW = (70, 130, 255)  # the colour of negative numbers


def index_of(label: Any) -> int:
    if not isinstance(label, str) or label not in CLASSES:
        raise InputError(f"There is no such label. Choose one of: {', '.join(CLASSES)}.")
    return CLASSES.index(label)


Find = Callable[[Any], Classifier]  # by its network's name


def maps(find: Find, question: Any) -> dict[str, Any]:
    """{"maps": the picture with the pixels marked that speak for it, by label}, or {"error": ...}.

    question is what answer.js asks: {"image": a data URL or an upload, "network", "kind", "tap",
    "labels"}.
    """
    try:
        classifier = asked(find, question)
        labels = question.get("labels")
        if not isinstance(labels, list) or not 0 < len(labels) <= 2:
            raise InputError("Ask about one or two labels.")
        indices = [index_of(label) for label in labels]
        picture, prepared = read(classifier, question)
    except InputError as error:
        return {"error": told(error)}
    if max(picture.size) > MAP_PIXELS:
        picture.thumbnail((MAP_PIXELS, MAP_PIXELS))
    elif max(picture.size) < MAP_PIXELS / 2:  # a 28x28 original: whole pixels, larger
        times = MAP_PIXELS // max(picture.size)
        size = (picture.width * times, picture.height * times)
        picture = picture.resize(size, Image.Resampling.NEAREST)
    shown, network = {}, classifier.of(prepared.kind).network
    for label, index in zip(labels, indices, strict=True):
        marks = explain.saliency(network, prepared.pixels, index, classifier.looks(prepared))
        marked = showing.over(picture, prepared.box, marks)
        shown[label] = data_url(marked, format="JPEG", quality=85)
    return {"maps": shown}


def inside(find: Find, question: Any) -> dict[str, Any]:
    """{"steps": from the pixels to the answer, "units": what the first layers found}, or an error.

    question: as in maps, without labels.
    """
    try:
        classifier = asked(find, question)
        _, prepared = read(classifier, question)
    except InputError as error:
        return {"error": told(error)}
    temperature = classifier.temperature(prepared)
    network = classifier.of(prepared.kind).network
    steps = explain.layers(network, prepared.pixels, temperature, classifier.looks(prepared))
    units = explain.templates(network, prepared.pixels, UNITS)
    return {
        "steps": [
            {
                **_told(step),
                "said": said(step.sentence),
                "picture": _shown(showing.tiled(step.activations)),
            }
            for step in steps
        ],
        "temperature": temperature,
        "softmax": [asdict(term) for step in steps for term in step.terms],
        "weights": bool((units[0].picture < 0).any()),
        "units": [{"index": unit.index, "picture": _shown(unit.picture)} for unit in units],
    }


def _told(step: explain.Step) -> dict[str, Any]:
    return {key: getattr(step, key) for key in TOLD}


def _shown(values: np.ndarray) -> str:
    """values (rows, columns) as a picture: 0 is black, more is whiter, less is bluer."""
    most = max(float(np.abs(values).max()), 1e-9)
    more, less = (values.clip(min=0) / most) ** 0.6, (-values.clip(max=0) / most) ** 0.6
    colours = more[..., None] * np.array([255, 255, 255]) + less[..., None] * np.array(BELOW)
    return data_url(Image.fromarray(colours.astype(np.uint8)), format="PNG")


def asked(find: Find, question: Any) -> Classifier:
    """The network that a question of the page is about."""
    if not isinstance(question, dict):
        raise InputError("This is no question.")
    return find(question.get("network"))


def read(classifier: Classifier, question: dict[str, Any]) -> tuple[Image.Image, Prepared]:
    """The picture that a question of the page is about, and what the network reads of it."""
    image = question.get("image")
    drawn = isinstance(image, str)
    source = from_data_url(image, MAX_DRAWING_BYTES) if drawn else from_api(image)
    kind = "auto" if question.get("kind") == "dataset" else question.get("kind")
    return classifier.prepare(source, kind, tapped(question.get("tap"), image))


def explained(classifier: Classifier, image: Source, kind: str, label: str) -> dict[str, Any]:
    """/explain's answer, as JSON; label "" is the most confident one."""
    index = index_of(label) if label else None
    _, prepared = classifier.prepare(image, kind)
    temperature = classifier.temperature(prepared)
    network = classifier.of(prepared.kind).network
    steps = explain.layers(network, prepared.pixels, temperature, classifier.looks(prepared))
    softmax = next(step for step in steps if step.terms)
    label = label or softmax.terms[0].label
    index = CLASSES.index(label) if index is None else index
    marks = explain.saliency(network, prepared.pixels, index, classifier.looks(prepared))
    return {
        "label": label,
        "kind": prepared.kind,
        "temperature": temperature,
        "steps": [_told(step) for step in steps],
        "softmax": [asdict(term) for term in softmax.terms],
        "pixels": prepared.pixels[0, 0].tolist(),
        "map": marks.tolist(),
    }
