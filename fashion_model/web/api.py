"""The endpoints that scripts and MCP clients call, with what the API page tells of them."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from gradio.utils import get_function_description

from fashion_model import DEFAULT, DataError, InputError
from fashion_model.evaluation.model_card import compare, model_card
from fashion_model.explain import saliency, steps_of
from fashion_model.preprocessing import check_kind
from fashion_model.retrieval import nearest
from fashion_model.web.fetching import MAX_CALL_SECONDS, fetch
from fashion_model.web.panels import Inference, step_to_json
from fashion_model.web.serialization import forget_upload, label_index, sentence
from fashion_model.web.server import describe_endpoint

MAX_PICTURES = 64  # in one call
MAX_SECONDS = 60  # in one call: 64 photos of 12 megapixels take 7 on an idle core
MAX_SIMILAR = 50

# A drawn T-shirt, which works as it stands in every language of the API page.
TEE = Path(__file__).with_name("static") / "tee.png"
EXAMPLE = "data:image/png;base64," + base64.b64encode(TEE.read_bytes()).decode()
EXAMPLES = {"image": EXAMPLE, "images": [EXAMPLE]}

Kind = Literal["auto", "drawing", "photo"]
# handle_file(...), an address or a data URL. As text, no client turns what it is given into a file
# of the server's, as Gradio's MCP server would.
Picture = str


@contextmanager
def api_errors(image: Any = None, which: str = "") -> Iterator[None]:
    """Inside, our errors become what the caller is told, and the upload that failed is deleted."""
    try:
        yield
    except (InputError, DataError) as error:
        if isinstance(error, InputError):
            forget_upload(image)
        raise gr.Error(sentence(f"{which}{error}"), print_exception=False) from None


class Endpoints:
    """Each public method is an endpoint of its name."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def predict(
        self, image: Picture, kind: Kind = "auto", network: str = DEFAULT
    ) -> dict[str, float]:
        """Name the garment in a picture: all ten labels with confidences that sum to 1, most
        confident first.

        Args:
            image: handle_file("shirt.png"), an https address or a data URL, of 20 MB at most
            kind: how to read it, "auto", "drawing" or "photo"
            network: which network answers, one of those that /compare lists
        """
        with api_errors(image):
            self._inference.get(network)  # before anything is fetched
            return self._inference.predict(network, fetch(image), kind)

    def predict_many(
        self, images: list[Picture], kind: Kind = "auto", network: str = DEFAULT
    ) -> list[dict[str, float]]:
        """Name the garments in 1 to 64 pictures at once: a list with what /predict says of each.

        Args:
            images: a list of pictures, each as /predict takes it
            kind: how to read them, "auto", "drawing" or "photo"
            network: which network answers, one of those that /compare lists
        """
        with api_errors():
            if not isinstance(images, list) or not 0 < len(images) <= MAX_PICTURES:
                raise InputError(f"Send a list of 1 to {MAX_PICTURES} pictures.")
            check_kind(kind)
            self._inference.get(network)
        start, answers = time.monotonic(), []
        for number, image in enumerate(images, start=1):
            with api_errors(image, f"Picture {number} of {len(images)}: "):
                if time.monotonic() > start + MAX_SECONDS:
                    raise InputError("all this takes too long. Send fewer or smaller pictures.")
                picture = fetch(image, start + MAX_CALL_SECONDS)
                answers.append(self._inference.predict(network, picture, kind))
        return answers

    def explain(
        self, image: Picture, kind: Kind = "auto", network: str = DEFAULT, label: str = ""
    ) -> dict[str, Any]:
        """Why a picture gets its answer: each layer's module, line of code, shape and share of
        units that are off, softmax written out, the pixels that the network reads (rows and
        columns, or channels, rows and columns), and the map of those that speak for a label, 1
        for the strongest.

        Args:
            image: a picture, as /predict takes it
            kind: how to read it, "auto", "drawing" or "photo"
            network: which network answers, one of those that /compare lists
            label: the label to explain, empty for the most confident one
        """
        with api_errors(image):
            self._inference.get(network)
            classifier, model_input, model = self._inference.preprocess(network, fetch(image), kind)
            steps = steps_of(classifier, model_input)
            softmax = next(step for step in steps if step.terms)
            label = softmax.terms[0].label if label == "" else label
            marks = saliency(model, model_input.tensor, label_index(label))
            return {
                "label": label,
                "kind": model_input.kind,
                "temperature": classifier.calibrations[model_input.kind].temperature,
                "steps": [step_to_json(step) for step in steps],
                "softmax": [asdict(term) for term in softmax.terms],
                "pixels": model_input.tensor[0].squeeze(0).double().numpy().round(4).tolist(),
                "map": marks.astype(float).round(4).tolist(),
            }

    def similar(
        self, image: Picture, kind: Kind = "auto", network: str = DEFAULT, count: int = 5
    ) -> list[dict[str, Any]]:
        """The training images closest to a picture in the network's embedding, of a subset of
        Fashion-MNIST, closest first: index (in its training set), label and distance (1 minus the
        cosine: 0 for the same picture).

        Args:
            image: a picture, as /predict takes it
            kind: how to read it, "auto", "drawing" or "photo"
            network: in whose embedding, one of those that /compare lists
            count: how many, 1 to 50
        """
        with api_errors(image):
            if type(count) is not int or not 0 < count <= MAX_SIMILAR:
                raise InputError(f"Ask for 1 to {MAX_SIMILAR} images.")
            self._inference.get(network)
            _, model_input, embedding = self._inference.preprocess(network, fetch(image), kind)
            found = nearest(embedding, model_input.tensor, count)
        return [{"index": n.index, "label": n.label, "distance": n.distance} for n in found]

    def compare(self, image: Picture, kind: Kind = "auto") -> list[dict[str, Any]]:
        """Every network on the same picture: network, architecture, confidences, parameters,
        milliseconds (of the network alone, here and now) and accuracy on held-out pictures of the
        same kind.

        Args:
            image: a picture, as /predict takes it
            kind: how to read it, "auto", "drawing" or "photo"
        """
        with api_errors(image):
            return [asdict(n) for n in compare(self._inference.classifiers, fetch(image), kind)]

    def model_card(self, network: str = DEFAULT) -> dict[str, Any]:
        """A network's model card: networks, one for each kind of picture, each with kinds (of the
        pictures that it answers), card (what it was trained on, and how), print (its modules),
        parameters, layers, and results by kind.

        Args:
            network: which network, one of those that /compare lists
        """
        with api_errors():
            return model_card(self._inference.get(network))


def publish(demo: gr.Blocks, inference: Inference, concurrency: int) -> None:
    """Set up the endpoints, inside the Blocks. concurrency: calls of /predict at the same time."""
    endpoints = Endpoints(inference)
    for name in ("predict", "predict_many", "explain", "similar", "compare", "model_card"):
        method, limit = getattr(endpoints, name), concurrency if name == "predict" else "default"
        function = demo.fns[gr.api(method, concurrency_limit=limit).get("id")]
        describe_endpoint(function, get_function_description(method)[1], EXAMPLES)
