"""Payloads in, JSON out: what browsers and scripts send, and what they are answered."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta
from PIL import Image

from fashion_model import FashionModelError, InputError, Prediction
from fashion_model.sentences import Sentence

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_DRAWING_BYTES = 1024 * 1024  # the page sends about 10,000
SEGMENTED_PIXELS = 360  # longest side on the page
FILE_META = '"meta": {"_type": "gradio.FileData"}'


def sentence(error: FashionModelError) -> str:
    """The error's message, with a capital letter."""
    text = str(error)
    return text[:1].upper() + text[1:]


def error_to_json(error: FashionModelError) -> dict[str, Any]:
    """{"error": its English, and the key and values by which the page translates it}."""
    key, values = getattr(error, "key", ""), getattr(error, "values", {})
    return {"error": {"text": sentence(error), "key": key, "values": values}}


def or_error(answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What answer returns, or its error as JSON."""
    try:
        return answer()
    except FashionModelError as error:
        return error_to_json(error)


def data_url(picture: Image.Image, **options: Any) -> str:
    file = io.BytesIO()
    picture.save(file, **options)
    body = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{options['format'].lower()};base64,{body}"


def sentence_to_json(sentence: Sentence) -> dict[str, Any]:
    """Its English, and the key and values by which the page translates it."""
    return {"text": sentence, "key": f"says.{sentence.key}", "values": sentence.values}


def too_large(most: int) -> InputError:
    megabytes = most >> 20
    text = f"The picture is larger than {megabytes} MB: send a smaller one."
    return InputError(text, key="large", most=megabytes)


def decode_data_url(url: str, most: int = MAX_FILE_BYTES) -> bytes:
    head, comma, body = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise InputError("A data URL must look like data:image/png;base64,... .", key="data url")
    if len(body) > most * 4 // 3 + 4:
        raise too_large(most)
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise InputError(
            "The data URL is not valid base64: send the picture again.", key="data url"
        ) from None


def uploaded_file(path: str) -> Path:
    """An uploaded file; nothing outside Gradio's upload folder passes."""
    try:
        file = Path(path).resolve()
        inside = file.is_relative_to(Path(get_upload_folder()).resolve())
        exists = inside and file.is_file()
    except (OSError, ValueError):  # no valid path
        inside = exists = False
    if not inside:
        raise InputError("Only uploaded pictures are read: send the file itself.", key="upload")
    if not exists:
        raise InputError("The picture is no longer on the server: upload it again.", key="gone")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise too_large(MAX_FILE_BYTES)
    return file


def web_address(image: Any) -> str | None:
    """The http or https address that a caller names, as handle_file does or as plain text."""
    named = [image.get("path"), image.get("url")] if isinstance(image, dict) else [image]
    for each in named:
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
    if is_file_obj_with_meta(image) and isinstance(image["path"], str):
        return uploaded_file(image["path"]).read_bytes()
    if isinstance(image, dict) and isinstance(image.get("path"), str):
        raise InputError(f'The file lacks {FILE_META}: add it beside "path".', key="upload")
    if image is None:
        raise InputError(
            "The picture is missing: send one, as an uploaded file or a data URL.", key="upload"
        )
    raise InputError(
        "Send the picture with gradio_client's handle_file(...), or as a data URL.", key="upload"
    )


def forget_upload(image: Any) -> None:
    """Delete the file of a picture that was uploaded and could not be answered."""
    if not is_file_obj_with_meta(image) or not isinstance(image["path"], str):
        return
    try:
        file = Path(image["path"]).resolve()
        if file.is_file() and file.is_relative_to(Path(get_upload_folder()).resolve()):
            file.unlink(missing_ok=True)
            file.parent.rmdir()
    except (OSError, ValueError):
        return  # another file in its folder, or no valid path


def tapped_point(tap: Any, image: Any) -> tuple[float, float] | None:
    """Where the person tapped on image, as shares of width and height; None if nowhere.

    tap is what answer.js sends: {"x", "y", "of": the address of the picture}.
    """
    try:
        if not tap["of"].endswith(f"/file={image['path']}"):
            return None  # an earlier picture
        x, y = float(tap["x"]), float(tap["y"])
    except (AttributeError, TypeError, ValueError, LookupError):
        return None
    return (x, y) if 0 <= x <= 1 and 0 <= y <= 1 else None


def prediction_to_json(prediction: Prediction) -> dict[str, Any]:
    """What answer.js shows."""
    segmented = None
    if prediction.segmented is not None:
        small = prediction.segmented.copy()
        small.thumbnail((SEGMENTED_PIXELS, SEGMENTED_PIXELS))
        segmented = data_url(small, format="JPEG", quality=85)
    return {
        "confidences": list(prediction.confidences.items()),
        "kind": prediction.kind,
        "in_distribution": prediction.in_distribution,
        "out_of_distribution": prediction.out_of_distribution,
        "message": sentence_to_json(prediction.message),
        "network_input": data_url(prediction.network_input, format="PNG"),
        "segmented": segmented,
    }
