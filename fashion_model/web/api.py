"""The endpoints that scripts and MCP clients call, with what the API page tells of them."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any, Literal, get_args

import gradio as gr
from anyio import to_thread
from gradio.utils import get_function_description

from fashion_model import DEFAULT, Classifier, DataError, InputError
from fashion_model.evaluation.compare import compare
from fashion_model.explain import saliency
from fashion_model.preprocessing import ModelInput
from fashion_model.retrieval import nearest
from fashion_model.web.fetching import MAX_CALL_SECONDS, fetch
from fashion_model.web.inference import PictureError, label_index
from fashion_model.web.panels import Panels, step_to_json, steps_of
from fashion_model.web.patches import describe_endpoint
from fashion_model.web.serialization import forget_upload, picture_bytes, sentence, web_address

MAX_PICTURES = 64  # in one call
MAX_SIMILAR = 50

# A drawn T-shirt, which works as it stands in every language of the API page.
TEE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAADgAAAA4AQAAAACA/QazAAAAmElEQVR42sXNsU3DYBiE4ef/"
    "iKhSRFmA1FRMgD1EBvAo7qgYgC4SDUsgMQkKHQNQRMjJpYgL6jRUp5Pu3rcFKFfknuLLGy2eDq+f5HRn6rJw2l92RwzK"
    "Lx7m/0b5wUH5xlJZ4Vb5uAjSJZlSetRYgaZNN9BX0zsaFgnGXdUj3gd57jK9pGxxr6xn/vKP379ni0YU49yv4pwBWd8t"
    "ZvHmeSwAAAAASUVORK5CYII="
)
EXAMPLES = {"image": TEE, "images": [TEE]}

Kind = Literal["auto", "drawing", "photo"]
# handle_file(...), an address or a data URL. As text, no client turns what it is given into a file
# of the server's, as Gradio's MCP server would.
Picture = str


@contextmanager
def api_errors(*images: Any) -> Iterator[None]:
    """Inside, our errors become what the caller is told, and the upload that failed is deleted."""
    try:
        yield
    except (InputError, DataError) as error:
        if isinstance(error, PictureError):
            images = images[error.number - 1 : error.number]
        if isinstance(error, InputError) and images:
            forget_upload(images[0])
        raise gr.Error(sentence(error), print_exception=False) from None


class Endpoints:
    """Each public method is an endpoint of its name; None for an option is its default."""

    def __init__(self, panels: Panels) -> None:
        self._panels = panels
        self._inference = panels.inference

    def _options(self, kind: Any, network: Any) -> tuple[Any, Any]:
        kind = "auto" if kind is None else kind
        network = DEFAULT if network is None else network
        if kind not in get_args(Kind):
            kinds = ", ".join(get_args(Kind))
            raise InputError(f"Kind must be one of {kinds}.", key="kind", kinds=kinds)
        self._inference.find(network)
        return kind, network

    def _preprocess(self, image: Any, kind: Any, network: Any) -> tuple[Classifier, ModelInput]:
        kind, network = self._options(kind, network)
        classifier = self._inference.find(network)
        return classifier, classifier.preprocess(read(image), kind)

    async def predict(
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
            kind, network = self._options(kind, network)
            picture = await to_thread.run_sync(read, image)
            return await asyncio.wrap_future(self._inference.predict(network, picture, kind))

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
            kind, network = self._options(kind, network)
        deadline = time.monotonic() + MAX_CALL_SECONDS
        with api_errors(*images):
            readers = [partial(read, image, deadline) for image in images]
            return self._inference.predict_many(network, readers, kind)

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
            index = None if label in (None, "") else label_index(label)
            classifier, model_input = self._preprocess(image, kind, network)
            steps, calibration = steps_of(classifier, model_input)
            softmax = next(step for step in steps if step.terms)
            label = label or softmax.terms[0].label
            index = label_index(label) if index is None else index
            marks = saliency(classifier.networks[model_input.kind], model_input.tensor, index)
            return {
                "label": label,
                "kind": model_input.kind,
                "temperature": calibration.temperature,
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
            count = 5 if count is None else count
            if type(count) is not int or not 0 < count <= MAX_SIMILAR:
                raise InputError(f"Ask for 1 to {MAX_SIMILAR} images.")
            classifier, model_input = self._preprocess(image, kind, network)
            found = nearest(classifier.networks[model_input.kind], model_input.tensor, count)
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
            kind, _ = self._options(kind, DEFAULT)
            return [asdict(n) for n in compare(self._inference.classifiers, read(image), kind)]

    def model_card(self, network: str = DEFAULT) -> dict[str, Any]:
        """A network's model card: networks, one for each kind of picture, each with kinds (of the
        pictures that it answers), card (what it was trained on, and how), print (its modules),
        parameters, layers, and results by kind.

        Args:
            network: which network, one of those that /compare lists
        """
        with api_errors():
            return self._panels.card(DEFAULT if network is None else network)


def read(image: Any, deadline: float | None = None) -> bytes:
    """A caller's picture. deadline: see fetching.fetch."""
    address = web_address(image)
    if address is None:
        return picture_bytes(image)
    return fetch(address, deadline or time.monotonic() + MAX_CALL_SECONDS)


def publish(demo: gr.Blocks, panels: Panels, concurrency: int) -> None:
    """Set up the endpoints, inside the Blocks. concurrency: calls of /predict at the same time."""
    endpoints = Endpoints(panels)
    methods: list[Callable[..., Any]] = [
        endpoints.predict,
        endpoints.predict_many,
        endpoints.explain,
        endpoints.similar,
        endpoints.compare,
        endpoints.model_card,
    ]
    for method in methods:
        limit = concurrency if method == endpoints.predict else "default"
        function = demo.fns[gr.api(method, concurrency_limit=limit).get("id")]
        describe_endpoint(function, get_function_description(method)[1], EXAMPLES)
