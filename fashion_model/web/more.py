"""What the page asks beside the answer: why, the layers, similar images, the networks side by side,
the model card."""

import functools
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from PIL import Image

from fashion_model import Classifier, DataError, InputError
from fashion_model.evaluation import compare as comparison
from fashion_model.evaluation import results
from fashion_model.evaluation.model_card import model_card
from fashion_model.preprocessing import Prepared
from fashion_model.retrieval import Neighbour, SimilarImages
from fashion_model.web.payloads import data_url, told
from fashion_model.web.why import Find, asked, inside, maps, read

Ask = Callable[[Any], dict[str, Any]]  # a question of the page -> its answer, or {"error": ...}


class Panels:
    """What the panels ask, of networks that are loaded."""

    def __init__(self, classifiers: dict[str, Classifier], find: Find) -> None:
        self.classifiers = classifiers
        self.find = find
        self._similar = {
            network: SimilarImages(network)
            for each in classifiers.values()
            for network in (each.network, each.of("photo").network)
        }

    def similar_images(self, classifier: Classifier, prepared: Prepared) -> SimilarImages:
        """Those of the network that reads prepared."""
        return self._similar[classifier.of(prepared.kind).network]

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
            images = self.similar_images(classifier, prepared)
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
        return _answered(lambda: self.card(asked(self.find, question), question["network"]))

    def card(self, classifier: Classifier, network: str) -> dict[str, Any]:
        """See model_card.model_card."""
        return model_card(classifier, results.load(network, classifier.networks))


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
