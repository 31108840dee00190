"""The loaded networks, and what the page asks of them.

A question of the page's is {"network", "image": a data URL or an uploaded file, "kind", "tap":
{"x", "y"} in shares of width and height, or null}. Each reply is JSON.
"""

import base64
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from queue import SimpleQueue
from typing import Any

from PIL import Image
from torch import nn

import fashion_model
from fashion_model import Classifier, InputError, NeuralNetwork, explain, script, visualization
from fashion_model.classifier import KINDS
from fashion_model.evaluation.model_card import compare, model_card
from fashion_model.explain import Step
from fashion_model.preprocessing import ModelInput
from fashion_model.retrieval import describe_subset, nearest
from fashion_model.visualization import data_url, tones
from fashion_model.web import serialization
from fashion_model.web.serialization import Reply, picture_bytes, sentence_to_json
from fashion_model.web.visitor_networks import VisitorNetworks

BATCH = 16  # pictures in one pass, at most: with so many callers, half as many again are answered
MAX_MAPS = 4  # pictures at the same time: the maps of a photo need 81 MB while they are made
VISITORS_FILE = "my-network.safetensors"  # as training.js names a visitor's download
UNITS = 8  # whose templates or feature maps the page shows
STEP_FIELDS = ("name", "title", "module", "code", "shape", "off", "message")
Answer = Future[dict[str, float]]
# A method of Inference, a network's name and the rest of its arguments -> what it returns
Remote = Callable[..., dict[str, Any]]


class Inference:
    """The networks by name. remote: who predicts and answers instead, see replicas."""

    def __init__(self, names: Sequence[str], remote: Remote | None = None) -> None:
        self.classifiers = {name: fashion_model.load(name) for name in names}
        self.remote = remote
        self.visitors = VisitorNetworks()
        self._waiting: SimpleQueue[tuple[Classifier, bytes, str, Answer]] = SimpleQueue()
        threading.Thread(target=self._predict_forever, daemon=True).start()

    def get(self, network: Any) -> Classifier:
        """That of a name, or of a visitor: the same preprocessing, and no calibration."""
        if self.visitors.is_name(network):
            found, card = self.visitors.get(network)
            detectors = next(iter(self.classifiers.values())).detectors
            return Classifier(dict.fromkeys(KINDS, found), dict.fromkeys(KINDS, card), detectors)
        if not isinstance(network, str) or network not in self.classifiers:
            names = ", ".join(self.classifiers)
            text = f"There is no such network here. Choose: {names}."
            raise InputError(text, key="network", names=names)
        return self.classifiers[network]

    def predict(self, network: str, image: bytes, kind: str) -> dict[str, float]:
        """Classifier.predict, in one pass with what others ask at the same time."""
        if self.remote and not self.visitors.is_name(network):  # nobody else knows the visitors'
            return self.remote("predict", network, image, kind)
        answer: Answer = Future()
        self._waiting.put((self.get(network), image, kind, answer))
        return answer.result()

    def classify(
        self, network: Any, image: bytes, kind: str, point: tuple[float, float] | None = None
    ) -> dict[str, Any]:
        """What the page shows of a picture, as JSON. point: where its garment was tapped."""
        if self.remote and not self.visitors.is_name(network):
            return self.remote("classify", network, image, kind, point)
        return serialization.prediction_to_json(self.get(network).classify(image, kind, point))

    def preprocess(
        self, network: Any, image: bytes, kind: str, point: tuple[float, float] | None = None
    ) -> tuple[Classifier, ModelInput, nn.Module]:
        """The classifier of that name, its input for a picture, and the network that reads it."""
        classifier = self.get(network)
        model_input = classifier.preprocess(image, kind, point)
        return classifier, model_input, classifier.networks[model_input.kind]

    def _predict_forever(self) -> None:
        while True:
            calls = [self._waiting.get()]
            more = min(BATCH - 1, self._waiting.qsize())  # nobody else takes any
            calls += [self._waiting.get() for _ in range(more)]
            for classifier in dict.fromkeys(call[0] for call in calls):
                _predict_batch(classifier, [call[1:] for call in calls if call[0] is classifier])


def _predict_batch(classifier: Classifier, calls: list[tuple[bytes, str, Answer]]) -> None:
    """One picture that fails does not spoil the others' pass."""
    inputs, answers = [], []
    for image, kind, answer in calls:
        try:
            inputs.append(classifier.preprocess(image, kind))
            answers.append(answer)
        except Exception as error:  # noqa: BLE001 - who waits is told
            answer.set_exception(error)
    try:
        for answer, confidences in zip(answers, classifier.confidences(inputs), strict=True):
            answer.set_result(confidences)
    except Exception as error:  # noqa: BLE001
        for answer in answers:
            answer.set_exception(error)


class Panels:
    """The page's questions, of networks that are loaded."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference
        self._maps = threading.BoundedSemaphore(MAX_MAPS)

    def read_picture(self, question: Reply) -> Reply:
        """A tab's question, straight over HTTP: the queue would double the waiting."""
        return self.inference.classify(*_parts(question))

    def ask_maps(self, question: Reply) -> Reply:
        """{"maps": by each of two "labels", the picture, marked where it speaks for it}."""
        _, model_input, network = self.inference.preprocess(*_parts(question))
        picture, box = visualization.at_map_size(model_input.picture), model_input.box
        labels = {label: serialization.label_index(label) for label in question["labels"][:2]}
        with self._maps:
            marks = {k: explain.saliency(network, model_input.tensor, i) for k, i in labels.items()}
        maps = {label: visualization.overlay(picture, box, each) for label, each in marks.items()}
        return {"maps": {k: data_url(map_, format="JPEG", quality=85) for k, map_ in maps.items()}}

    def ask_inside(self, question: Reply) -> Reply:
        """{"steps": from the pixels to the answer, "units": what the first layers found, "script":
        all of it as code, "input": the file that this reads, as base64, or None}."""
        classifier, model_input, network = self.inference.preprocess(*_parts(question))
        steps = explain.steps_of(classifier, model_input)
        units = explain.templates(network, steps, UNITS)
        name = question["network"]
        name = VISITORS_FILE if self.inference.visitors.is_name(name) else name
        name = classifier.card.get("networks", {}).get(model_input.kind, name)
        written = script.write(name, network, model_input.tensor, [step.code for step in steps])
        return {
            "script": written.text,
            "input": written.numbers and base64.b64encode(written.numbers).decode(),
            "steps": [_step_with_picture(step) for step in steps],
            "temperature": classifier.calibrations[model_input.kind].temperature,
            "softmax": [asdict(term) for step in steps for term in step.terms],
            "weights": isinstance(network, NeuralNetwork),
            "units": [{"index": u.index, "picture": data_url(tones(u.picture))} for u in units],
        }

    def ask_similar(self, question: Reply) -> Reply:
        """{"similar": [...]}, the training images that are closest to the picture."""
        _, model_input, network = self.inference.preprocess(*_parts(question))
        found = [
            {**vars(each), "pixels": data_url(Image.fromarray(each.pixels))}
            for each in nearest(network, model_input.tensor)
        ]
        return {"similar": found, "about": describe_subset(network)}

    def ask_compare(self, question: Reply) -> Reply:
        """{"networks": [...]}: every network's answer to the same picture; "yours" among them,
        where question names one."""
        classifiers = dict(self.inference.classifiers)
        if question.get("yours"):
            classifiers["yours"] = self.inference.get(question["yours"])
        return {"networks": [asdict(each) for each in compare(classifiers, *_parts(question)[1:])]}

    def ask_card(self, question: Reply) -> Reply:
        """The card of "network", see model_card.model_card."""
        return model_card(self.inference.get(question.get("network")))


def _parts(question: Reply) -> tuple[Any, bytes, Any, tuple[float, float] | None]:
    """The network, image, kind and point of question, as Inference.classify takes them."""
    kind, tap = question.get("kind"), question.get("tap")
    point = (float(tap["x"]), float(tap["y"])) if tap and kind != "drawing" else None
    return question.get("network"), picture_bytes(question.get("image")), kind, point


def step_to_json(step: Step) -> Reply:
    return {key: getattr(step, key) for key in STEP_FIELDS}


def _step_with_picture(step: Step) -> Reply:
    picture = data_url(tones(visualization.tiled(step.activations)))
    return {**step_to_json(step), "message": sentence_to_json(step.message), "picture": picture}
