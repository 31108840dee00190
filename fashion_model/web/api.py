"""The endpoints that scripts and MCP clients call, with what the API page tells of them."""

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, Literal, get_args

import gradio as gr
from anyio import to_thread
from gradio.data_classes import FileData
from gradio.mcp import GradioMCPServer
from gradio.utils import get_function_description
from gradio_client import handle_file

from fashion_model import DEFAULT, Classifier, InputError
from fashion_model.evaluation import compare as comparison
from fashion_model.preprocessing import Prepared
from fashion_model.web import serving
from fashion_model.web.ahead import Ahead, confidences
from fashion_model.web.elsewhere import Elsewhere
from fashion_model.web.fetching import bound
from fashion_model.web.more import Panels
from fashion_model.web.payloads import from_api
from fashion_model.web.refusals import MAX_PICTURES, explaining, refusing
from fashion_model.web.why import explained, index_of

# Calls of /predict: they go through the network together, or to replicas
PREDICTED_AT_ONCE = max(8, 2 * serving.REPLICAS)
MOST_SIMILAR = 50
MAX_CPU_SECONDS = 20  # in one call: 64 photos of 12 megapixels take 7
MAX_SECONDS = 60  # in one call, with those of others in between

# A drawn T-shirt, which works as it stands in every language of the API page.
TEE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAADgAAAA4AQAAAACA/QazAAAAmElEQVR42sXNsU3DYBiE4ef/"
    "iKhSRFmA1FRMgD1EBvAo7qgYgC4SDUsgMQkKHQNQRMjJpYgL6jRUp5Pu3rcFKFfknuLLGy2eDq+f5HRn6rJw2l92RwzK"
    "Lx7m/0b5wUH5xlJZ4Vb5uAjSJZlSetRYgaZNN9BX0zsaFgnGXdUj3gd57jK9pGxxr6xn/vKP379ni0YU49yv4pwBWd8t"
    "ZvHmeSwAAAAASUVORK5CYII="
)
EXAMPLES = {"image": {"url": TEE}, "images": [{"url": TEE}]}

Kind = Literal["auto", "drawing", "photo"]
KINDS = get_args(Kind)


def endpoints(panels: Panels, ahead: Ahead | None) -> list[Callable[..., Any]]:
    def chosen(kind: Any, network: Any) -> Classifier:
        with refusing():
            if kind not in KINDS:
                raise InputError(f"Kind must be one of {', '.join(KINDS)}.")
            return panels.find(network)

    async def predict(
        image: FileData, kind: Kind = "auto", network: str = DEFAULT
    ) -> dict[str, float]:
        """Name the garment in a picture: all ten labels with confidences that sum to 1, most
        confident first.

        Args:
            image: handle_file("shirt.png"), an https address or a data URL, of 20 MB at most
            kind: how to read it, "auto", "drawing" or "photo"
            network: which network answers, one of those that /compare lists
        """
        classifier = chosen(kind, network)
        with refusing(image):
            if ahead is not None:
                return await ahead.predict(image, kind, network)
            return await to_thread.run_sync(lambda: classifier.predict(from_api(image), kind=kind))

    def predict_many(
        images: list[FileData], kind: Kind = "auto", network: str = DEFAULT
    ) -> list[dict[str, float]]:
        """Name the garments in 1 to 64 pictures at once: a list with what /predict says of each.

        Args:
            images: a list of pictures, each as /predict takes it
            kind: how to read them, "auto", "drawing" or "photo"
            network: which network answers, one of those that /compare lists
        """
        classifier = chosen(kind, network)
        with refusing():
            if not isinstance(images, list) or not 0 < len(images) <= MAX_PICTURES:
                raise InputError(f"Send a list of 1 to {MAX_PICTURES} pictures.")
        # for who reads elsewhere, this thread only waits, and others are read in between
        waits = isinstance(classifier, Elsewhere)
        clock, most = (
            (time.monotonic, MAX_SECONDS) if waits else (time.thread_time, MAX_CPU_SECONDS)
        )
        found: dict[int, dict[str, float]] = {}
        prepared: dict[int, Prepared] = {}
        start = clock()
        for number, image in enumerate(images, start=1):
            with refusing(image, name=f"Picture {number} of {len(images)}: "):
                told = None if ahead is None else ahead.taken(image, kind, network)
                if told is not None:
                    found[number] = confidences(told.result())
                else:
                    prepared[number] = classifier.prepare(from_api(image), kind)[1]
            with refusing(name=f"After {number} of {len(images)} pictures: "):
                if clock() - start > most:
                    raise InputError("all this takes too long. Send fewer or smaller pictures.")
        if prepared:
            answers = classifier.confidences(list(prepared.values()))
            found |= zip(prepared, answers, strict=True)
        return [found[number] for number in sorted(found)]

    def explain(
        image: FileData, kind: Kind = "auto", network: str = DEFAULT, label: str = ""
    ) -> dict[str, Any]:
        """Why a picture gets its answer: each layer's module, shape and share of units that are
        off, softmax written out, the 28x28 pixels that the network reads, and the 28x28 map of
        those that speak for a label, 1 for the strongest.

        Args:
            image: a picture, as /predict takes it
            kind: how to read it, "auto", "drawing" or "photo"
            network: which network answers, one of those that /compare lists
            label: the label to explain, empty for the most confident one
        """
        classifier = chosen(kind, network)
        with refusing():
            if label != "":
                index_of(label)
        with refusing(image):
            return explained(classifier, from_api(image), kind, label)

    def similar(
        image: FileData, kind: Kind = "auto", network: str = DEFAULT, count: int = 5
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
        classifier = chosen(kind, network)
        with refusing():
            if type(count) is not int or not 0 < count <= MOST_SIMILAR:
                raise InputError(f"Ask for 1 to {MOST_SIMILAR} images.")
        with refusing(image):
            prepared = classifier.prepare(from_api(image), kind)[1]
            found = panels.similar_images(classifier, prepared).nearest(prepared.pixels, count)
        return [{"index": n.index, "label": n.label, "distance": n.distance} for n in found]

    def compare(image: FileData, kind: Kind = "auto") -> list[dict[str, Any]]:
        """Every network on the same picture: network, architecture, confidences, parameters,
        milliseconds (of the network alone, here and now) and accuracy on the test images.

        Args:
            image: a picture, as /predict takes it
            kind: how to read it, "auto", "drawing" or "photo"
        """
        classifier = chosen(kind, DEFAULT)
        with refusing(image):
            prepared = classifier.prepare(from_api(image), kind)[1]
        return [asdict(n) for n in comparison.compare(panels.classifiers, prepared)]

    def describe(network: str = DEFAULT) -> dict[str, Any]:
        """A network's model card: card (what it was trained on, and how; people_card if drawings
        and photos are read by other weights), print (its modules), parameters, layers, dataset
        (Fashion-MNIST's test images: accuracy by class, confusion, calibration), people (drawings
        and photos by people).

        Args:
            network: which network, one of those that /compare lists
        """
        classifier = chosen("auto", network)
        with refusing():
            return panels.card(classifier, network)

    describe.__name__ = "model_card"
    return [predict, predict_many, explain, similar, compare, describe]


def publish(demo: gr.Blocks, panels: Panels, ahead: Ahead | None = None) -> None:
    """Set up the endpoints, inside the Blocks, and the errors that their callers get.

    ahead: who answers /predict; None where there is no process beside this one.
    """
    for endpoint in endpoints(panels, ahead):
        limit = PREDICTED_AT_ONCE if endpoint.__name__ == "predict" else "default"
        function = demo.fns[gr.api(endpoint, concurrency_limit=limit).get("id")]
        texts = get_function_description(endpoint)[1]
        for component, (name, text) in zip(function.inputs, texts.items(), strict=True):
            component.label = name.capitalize()  # the page would look "image" up as a text's key
            component._api_info = {**component._api_info, "additional_description": text}
            if name in EXAMPLES:
                component.example_payload = partial(dict.get, EXAMPLES, name)
    demo.process_api = explaining(demo.process_api)
    bound()
    GradioMCPServer.convert_strings_to_filedata = from_mcp


def from_mcp(_server: Any, arguments: dict[str, Any], _positions: Any) -> dict[str, Any]:
    """A tool's arguments as our endpoints take them: addresses to fetch, else texts as they are.

    Gradio would write data URLs to files that nobody deletes. And nothing that names a file may
    pass: Gradio's MCP server calls the app through a client, which would upload it from here.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(each) for each in value]
        if isinstance(value, str) and value.startswith(("http://", "https://")):
            return handle_file(value)
        return value if value is None or isinstance(value, str | int | float) else None

    return {name: plain(value) for name, value in arguments.items()}
