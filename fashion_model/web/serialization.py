"""Payloads in, JSON out: what browsers and scripts send, and what they are answered."""

import base64
import functools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta

from fashion_model import CLASSES, FashionModelError, InputError, Prediction
from fashion_model.sentences import Sentence
from fashion_model.visualization import at_map_size, data_url

MAX_FILE_BYTES = 20 * 1024 * 1024  # of an upload, which Gradio counts, and of a data URL
Reply = dict[str, Any]


def server_function(method: Callable[[Reply], Reply]) -> Callable[[Any], Reply]:
    """method for gr.HTML's server_functions: it gets a dict, and its errors become JSON."""

    @functools.wraps(method)  # a function, for Gradio sets an attribute on it
    def reply(question: Any) -> Reply:
        try:
            return method(question if isinstance(question, dict) else {})
        except FashionModelError as error:
            return {"error": error_to_json(error)}

    return reply


def sentence(error: object) -> str:
    """The error's message, with a capital letter."""
    text = str(error)
    return text[:1].upper() + text[1:]


def error_to_json(error: FashionModelError) -> Reply:
    """Its English, and the key and values by which the page translates it."""
    key, values = getattr(error, "key", ""), getattr(error, "values", {})
    return {"text": sentence(error), "key": key, "values": values}


def sentence_to_json(sentence: Sentence) -> Reply:
    """As error_to_json."""
    return {"text": sentence, "key": f"says.{sentence.key}", "values": sentence.values}


def decode_data_url(url: str) -> bytes:
    head, comma, body = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise InputError("A data URL must look like data:image/png;base64,... .", key="data url")
    try:
        content = base64.b64decode(body, validate=True)
    except ValueError:
        text = "The data URL is not valid base64: send the picture again."
        raise InputError(text, key="data url") from None
    if len(content) > MAX_FILE_BYTES:
        text = f"The picture is larger than {MAX_FILE_BYTES >> 20} MB: send a smaller one."
        raise InputError(text, key="large", most=MAX_FILE_BYTES >> 20)
    return content


def uploaded_file(file: Any) -> Path:
    """The path of an upload, {"path"}; nothing outside Gradio's upload folder passes."""
    try:
        path = Path(file["path"]).resolve()
        inside = path.is_relative_to(Path(get_upload_folder()).resolve())
        exists = inside and path.is_file()
    except (OSError, ValueError, TypeError, LookupError):  # no valid path
        inside = exists = False
    if not inside:
        raise InputError("Only uploaded pictures are read: send the file itself.", key="upload")
    if not exists:
        raise InputError("The picture is no longer on the server: upload it again.", key="gone")
    return path


def forget_upload(file: Any) -> None:
    """Delete the file of a picture that was uploaded and could not be answered."""
    with suppress(InputError, OSError):
        uploaded_file(file).unlink()


def web_address(image: Any) -> str | None:
    """The http or https address that a caller names, as handle_file does or as plain text."""
    for each in [image.get("path"), image.get("url")] if isinstance(image, dict) else [image]:
        if isinstance(each, str) and each.startswith(("http://", "https://")):
            return each
    return None


def picture_bytes(image: Any) -> bytes:
    """A caller's picture: an uploaded file (handle_file) or a data URL.

    A dict with a path but without Gradio's `meta` is refused: Gradio checks only paths with it.
    """
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str) and url.startswith("data:"):
        return decode_data_url(url)
    text = "Send the picture with gradio_client's handle_file(...), or as a data URL."
    if isinstance(image, dict) and isinstance(image.get("path"), str):
        if isinstance(image.get("meta"), dict) and is_file_obj_with_meta(image):
            return uploaded_file(image).read_bytes()
        text = 'The file lacks "meta": {"_type": "gradio.FileData"}: add it beside "path".'
    elif image is None:
        text = "The picture is missing: send one, as an uploaded file or a data URL."
    raise InputError(text, key="upload")


def label_index(label: Any) -> int:
    if label not in CLASSES:
        text = f"There is no such label. Choose one of: {', '.join(CLASSES)}."
        raise InputError(text, key="label")
    return CLASSES.index(label)


def prediction_to_json(prediction: Prediction) -> Reply:
    """What answer.js shows."""
    segmented = prediction.segmented
    return {
        "confidences": list(prediction.confidences.items()),
        "kind": prediction.kind,
        "in_distribution": prediction.in_distribution,
        "out_of_distribution": prediction.out_of_distribution,
        "message": sentence_to_json(prediction.message),
        "network_input": data_url(prediction.network_input),
        "segmented": segmented and data_url(at_map_size(segmented), format="JPEG", quality=85),
    }
