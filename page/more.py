"""What the page asks beside the answer, and the same for scripts: why, the layers, similar images,
the networks side by side, the model card."""

import functools
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

import gradio as gr
from gradio.data_classes import FileData
from PIL import Image

from fashion_model import DEFAULT, Classifier, DataError, InputError, comparison, results
from fashion_model.images import Prepared
from fashion_model.model_card import model_card
from fashion_model.similar import Neighbour, SimilarImages
from page.payloads import data_url, from_api, told
from page.why import Find, asked, explained, inside, maps, read

Kind = Literal["auto", "drawing", "photo"]
Ask = Callable[[Any], dict[str, Any]]  # a question of the page -> its answer, or {"error": ...}
MOST_SIMILAR = 50  # that a script may ask for


class Panels:
    """What the panels and the endpoints ask, of networks that are loaded."""

    def __init__(self, classifiers: dict[str, Classifier], find: Find) -> None:
        self.classifiers = classifiers
        self.find = find
        self.similar_images = {
            name: SimilarImages(each.network) for name, each in classifiers.items()
        }

    def ask_maps(self, question: Any) -> dict[str, Any]:
        """Asked by the page after an answer, which so never waits for this."""
        return maps(self.find, question)

    def ask_inside(self, question: Any) -> dict[str, Any]:
        """Every layer, from the pixels to the answer."""
        return inside(self.find, question)

    def ask_similar(self, question: Any) -> dict[str, Any]:
        """{"similar": [...]}, or {"pending": True} while the training images are embedded."""

        def answer() -> dict[str, Any]:
            classifier = asked(self.find, question)
            _, prepared = read(classifier, question)
            images = self.similar_images[question["network"]]
            if not images.ready():
                return {"pending": True}
            found = [_shown(n) for n in images.nearest(prepared.pixels)]
            return {"similar": found, "seen": _seen(prepared), "about": images.about()}

        return _answered(answer)

    def ask_compare(self, question: Any) -> dict[str, Any]:
        """{"networks": [...]}: every network's answer to the same picture."""

        def answer() -> dict[str, Any]:
            _, prepared = read(asked(self.find, question), question)
            networks = comparison.compare(self.classifiers, prepared)
            told = [{**asdict(n), "confidences": list(n.confidences.items())} for n in networks]
            return {"networks": told}

        return _answered(answer)

    def ask_card(self, question: Any) -> dict[str, Any]:
        """What /model_card says."""
        return _answered(lambda: self._card(asked(self.find, question), question["network"]))

    def endpoints(self) -> list[Callable[..., Any]]:
        """What scripts call: named, typed and documented for gr.api."""

        def explain(
            image: FileData, kind: Kind = "auto", network: str = DEFAULT, label: str = ""
        ) -> dict[str, Any]:
            """Why a picture gets its answer: each layer's module, shape and share of units that are
            off, softmax written out, the 28x28 pixels that the network reads, and the 28x28 map of
            those that speak for label (the most confident one if empty), 1 for the strongest."""
            try:
                return explained(self.find(network), from_api(image), kind, label)
            except InputError as error:
                raise gr.Error(told(error), print_exception=False) from None

        def similar(
            image: FileData, kind: Kind = "auto", network: str = DEFAULT, count: int = 5
        ) -> list[dict[str, Any]]:
            """The training images closest to a picture in the network's embedding, of a subset
            of Fashion-MNIST, closest first: index (in its training set), label and distance (1
            minus the cosine: 0 for the same picture). count: 1 to 50."""
            if not isinstance(count, int) or not 0 < count <= MOST_SIMILAR:
                raise gr.Error(f"Ask for 1 to {MOST_SIMILAR} images.", print_exception=False)
            prepared = self._prepared(image, kind, network)
            try:
                found = self.similar_images[network].nearest(prepared.pixels, count)
            except DataError as error:
                raise gr.Error(told(error), print_exception=False) from None
            return [{"index": n.index, "label": n.label, "distance": n.distance} for n in found]

        def compare(image: FileData, kind: Kind = "auto") -> list[dict[str, Any]]:
            """Every network on the same picture: network, architecture, confidences, parameters,
            milliseconds (of the network alone, here and now) and accuracy on the test images."""
            prepared = self._prepared(image, kind, next(iter(self.classifiers)))
            return [asdict(n) for n in comparison.compare(self.classifiers, prepared)]

        def describe(network: str = DEFAULT) -> dict[str, Any]:
            """A network's model card: card (what it was trained on, and how), print (its modules),
            parameters, layers, dataset (Fashion-MNIST's test images: accuracy by class, confusion,
            calibration), people (drawings and photos by people)."""
            try:
                return self._card(self.find(network), network)
            except InputError as error:
                raise gr.Error(told(error), print_exception=False) from None

        describe.__name__ = "model_card"
        return [explain, similar, compare, describe]

    def _prepared(self, image: Any, kind: str, network: Any) -> Prepared:
        try:
            return self.find(network).prepare(from_api(image), kind)[1]
        except InputError as error:
            raise gr.Error(told(error), print_exception=False) from None

    def _card(self, classifier: Classifier, network: str) -> dict[str, Any]:
        return model_card(classifier, results.load(network, classifier.network))


def functions(*methods: Ask) -> list[Ask]:
    """methods for gr.HTML's server_functions: Gradio sets an attribute on each."""
    return [functools.wraps(method)(functools.partial(method)) for method in methods]


def _answered(answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return answer()
    except (InputError, DataError) as error:
        return {"error": told(error)}


def _seen(prepared: Prepared) -> str:
    pixels = (prepared.pixels[0, 0] * 255).round().byte().numpy()
    return data_url(Image.fromarray(pixels), format="PNG")


def _shown(neighbour: Neighbour) -> dict[str, Any]:
    picture = data_url(Image.fromarray(neighbour.pixels), format="PNG")
    return {**asdict(neighbour), "pixels": None, "picture": picture}
