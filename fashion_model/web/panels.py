"""What the page asks below the answer: why, the layers, similar images, all networks, the card.

Each question names an answer by its id: {"id", ...}; each reply is JSON, or {"error": ...}.
"""

import base64
import functools
from collections.abc import Callable
from dataclasses import asdict
from threading import BoundedSemaphore
from typing import Any

import numpy as np
from PIL import Image

from fashion_model import (
    Classifier,
    InputError,
    NeuralNetwork,
    explain,
    retrieval,
    script,
    visualization,
)
from fashion_model.calibration import Calibration
from fashion_model.evaluation.compare import compare
from fashion_model.evaluation.model_card import model_card
from fashion_model.explain import Step
from fashion_model.preprocessing import ModelInput
from fashion_model.retrieval import Neighbor
from fashion_model.web.inference import Inference, Pictures, label_index
from fashion_model.web.serialization import (
    MAX_DRAWING_BYTES,
    data_url,
    decode_data_url,
    or_error,
    picture_bytes,
    sentence_to_json,
    tapped_point,
)

MAP_PIXELS = 360  # longest side on the page
MAX_UPLOADS = 4  # read at the same time: one of 20 megapixels needs 60 MB while it is decoded
VISITORS_FILE = "my-network.safetensors"  # as training.js names a visitor's download
UNITS = 8  # whose templates or feature maps the page shows
STEP_FIELDS = ("name", "title", "module", "code", "shape", "off", "message")
BELOW = (70, 130, 255)  # the color of negative numbers
Ask = Callable[[Any], dict[str, Any]]


class Panels:
    """The page's questions, of networks that are loaded."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference
        self.pictures = Pictures()
        self._uploads = BoundedSemaphore(MAX_UPLOADS)

    def read_drawing(self, drawing: Any) -> dict[str, Any]:
        """The Draw tab's question, straight over HTTP: the queue would double the waiting."""

        def answer() -> dict[str, Any]:
            if not isinstance(drawing, dict) or not isinstance(drawing.get("image"), str):
                raise InputError("This is no drawing.", key="no picture")
            picture = decode_data_url(drawing["image"], MAX_DRAWING_BYTES)
            return self._answer(drawing.get("network"), picture, picture, "drawing")

        return or_error(answer)

    def read_upload(self, upload: Any) -> dict[str, Any]:
        """The Upload tab's question, as straight: {"image", "kind", "network", "tap"}, of which
        image is an uploaded file; tap: see serialization.tapped_point."""

        def answer() -> dict[str, Any]:
            if not isinstance(upload, dict):
                raise InputError("This is no upload.", key="upload")
            image, kind, tap = upload.get("image"), upload.get("kind"), upload.get("tap")
            point = tapped_point(tap, image) if kind != "drawing" else None
            with self._uploads:
                picture = picture_bytes(image)
                return self._answer(upload.get("network"), picture, image, kind, point)

        return or_error(answer)

    def _answer(
        self, network: Any, picture: bytes, image: Any, kind: Any, point: Any = None
    ) -> dict[str, Any]:
        """image: what to read picture from again, when a panel asks."""
        self.inference.find(network)
        answer = self.inference.answer(network, picture, kind, point)
        question = {"network": network, "image": image, "kind": kind, "point": point}
        return {**answer, "id": self.pictures.add(**question)}

    def _request(self, question: Any) -> tuple[Classifier, tuple[bytes, str, Any]]:
        """The classifier, and image, kind and point of the answer that question names."""
        if not isinstance(question, dict):
            raise InputError("This is no question.")
        asked = self.pictures.get(question.get("id"))
        image = asked["image"]
        source = image if isinstance(image, bytes) else picture_bytes(image)
        return self.inference.find(asked["network"]), (source, asked["kind"], asked["point"])

    def _read(self, question: Any) -> tuple[Classifier, ModelInput]:
        classifier, request = self._request(question)
        return classifier, classifier.preprocess(*request)

    def ask_maps(self, question: Any) -> dict[str, Any]:
        """{"maps": the picture with the pixels marked that speak for it, by label}, of "labels"."""

        def answer() -> dict[str, Any]:
            labels = question.get("labels") if isinstance(question, dict) else None
            if not isinstance(labels, list) or not 0 < len(labels) <= 2:
                raise InputError("Ask about one or two labels.")
            indices = [label_index(label) for label in labels]
            classifier, model_input = self._read(question)
            network = classifier.networks[model_input.kind]
            picture = _for_map(model_input.picture)
            maps = {}
            for label, index in zip(labels, indices, strict=True):
                marks = explain.saliency(network, model_input.tensor, index)
                marked = visualization.overlay(picture, model_input.box, marks)
                maps[label] = data_url(marked, format="JPEG", quality=85)
            return {"maps": maps}

        return or_error(answer)

    def ask_inside(self, question: Any) -> dict[str, Any]:
        """{"steps": from the pixels to the answer, "units": what the first layers found, "script":
        all of it as code, "input": the file that this reads, as base64, or None}."""

        def answer() -> dict[str, Any]:
            classifier, model_input = self._read(question)
            network = classifier.networks[model_input.kind]
            steps, calibration = steps_of(classifier, model_input)
            units = explain.templates(network, model_input.tensor, UNITS)
            name = self.pictures.get(question["id"])["network"]
            if self.inference.visitors.is_name(name):
                name = VISITORS_FILE
            name = classifier.card.get("networks", {}).get(model_input.kind, name)
            codes = [step.code for step in steps]
            written = script.write(name, network, model_input.tensor, codes)
            return {
                "script": written.text,
                "input": written.numbers and base64.b64encode(written.numbers).decode(),
                "steps": [_step_with_picture(step) for step in steps],
                "temperature": calibration.temperature,
                "softmax": [asdict(term) for step in steps for term in step.terms],
                "weights": isinstance(network, NeuralNetwork),
                "units": [{"index": u.index, "picture": _tones(u.picture)} for u in units],
            }

        return or_error(answer)

    def ask_similar(self, question: Any) -> dict[str, Any]:
        """{"similar": [...]}, the training images that are closest to the picture."""

        def answer() -> dict[str, Any]:
            classifier, model_input = self._read(question)
            network = classifier.networks[model_input.kind]
            found = retrieval.nearest(network, model_input.tensor)
            pixels = classifier.prediction(model_input).network_input
            return {
                "similar": [_neighbor_to_json(neighbor) for neighbor in found],
                "network_input": data_url(pixels, format="PNG"),
                "about": retrieval.about(network),
            }

        return or_error(answer)

    def ask_compare(self, question: Any) -> dict[str, Any]:
        """{"networks": [...]}: every network's answer to the same picture; "yours" among them,
        where question names one."""

        def answer() -> dict[str, Any]:
            _, request = self._request(question)
            classifiers = dict(self.inference.classifiers)
            if question.get("yours"):
                classifiers["yours"] = self.inference.find(question["yours"])
            networks = compare(classifiers, *request)
            confidences = [{"confidences": list(n.confidences.items())} for n in networks]
            return {"networks": [asdict(n) | c for n, c in zip(networks, confidences, strict=True)]}

        return or_error(answer)

    def ask_card(self, question: Any) -> dict[str, Any]:
        """What /model_card says of "network"."""
        network = question.get("network") if isinstance(question, dict) else None
        return or_error(lambda: self.card(network))

    def card(self, network: Any) -> dict[str, Any]:
        """See model_card.model_card."""
        return model_card(self.inference.find(network))


def server_functions(*methods: Ask) -> list[Ask]:
    """methods for gr.HTML's server_functions: Gradio sets an attribute on each."""
    return [functools.wraps(method)(functools.partial(method)) for method in methods]


def steps_of(classifier: Classifier, model_input: ModelInput) -> tuple[list[Step], Calibration]:
    """What each layer did, and the calibration behind the last steps."""
    calibration = classifier.calibrations[model_input.kind]
    network = classifier.networks[model_input.kind]
    return explain.layers(network, model_input.tensor, calibration), calibration


def step_to_json(step: Step) -> dict[str, Any]:
    return {key: getattr(step, key) for key in STEP_FIELDS}


def _step_with_picture(step: Step) -> dict[str, Any]:
    picture = _tones(visualization.tiled(step.activations))
    return {**step_to_json(step), "message": sentence_to_json(step.message), "picture": picture}


def _tones(values: np.ndarray) -> str:
    """values (rows, columns) as a picture: 0 is black, more is whiter, less is bluer."""
    largest = max(float(np.abs(values).max()), 1e-9)
    above, below = ((sign * values).clip(min=0) / largest for sign in (1, -1))
    colors = above[..., None] ** 0.6 * np.array([255, 255, 255])
    colors = colors + below[..., None] ** 0.6 * np.array(BELOW)
    return data_url(Image.fromarray(colors.astype(np.uint8)), format="PNG")


def _for_map(picture: Image.Image) -> Image.Image:
    """picture at the size of a map; a 28x28 original by whole pixels, larger."""
    if max(picture.size) > MAP_PIXELS:
        picture.thumbnail((MAP_PIXELS, MAP_PIXELS))
    elif max(picture.size) < MAP_PIXELS / 2:
        times = MAP_PIXELS // max(picture.size)
        size = (picture.width * times, picture.height * times)
        picture = picture.resize(size, Image.Resampling.NEAREST)
    return picture


def _neighbor_to_json(neighbor: Neighbor) -> dict[str, Any]:
    picture = data_url(Image.fromarray(neighbor.pixels), format="PNG")
    return {**asdict(neighbor), "pixels": None, "picture": picture}
