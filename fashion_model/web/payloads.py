"""Payloads in, results out: what browsers and scripts send, and what the page is told."""

import base64
import io
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta
from PIL import Image
from pydantic import model_validator

from fashion_model import Answer, FashionModelError, InputError
from fashion_model.sentences import Said

MAX_FILE_BYTES = 20 * 1024 * 1024
CUTOUT_PIXELS = 360  # longest side on the page


def told(error: FashionModelError) -> str:
    """The error as a sentence for people."""
    text = str(error)
    return text[:1].upper() + text[1:]


def data_url(picture: Image.Image, **options: Any) -> str:
    file = io.BytesIO()
    picture.save(file, **options)
    body = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{options['format'].lower()};base64,{body}"


def said(sentence: Said) -> dict[str, Any]:
    """For the page, which says it in the visitor's language."""
    return {"key": f"says.{sentence.key}", "values": sentence.values}


def from_data_url(url: str, most: int = MAX_FILE_BYTES) -> bytes:
    head, comma, body = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise InputError("A data URL must look like data:image/png;base64,... .")
    if len(body) > most * 4 // 3 + 4:
        raise InputError(f"The picture is larger than {most >> 20} MB: send a smaller one.")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise InputError("The data URL is not valid base64: send the picture again.") from None


def uploaded(path: str) -> Path:
    """An uploaded file; nothing outside Gradio's upload folder passes."""
    file = Path(path).resolve()
    if not file.is_relative_to(Path(get_upload_folder()).resolve()):
        raise InputError("Only uploaded pictures are read: send the file itself.")
    if not file.is_file():
        raise InputError("The picture is no longer on the server: upload it again.")
    if file.stat().st_size > MAX_FILE_BYTES:
        most = MAX_FILE_BYTES >> 20
        raise InputError(f"The picture is larger than {most} MB: send a smaller one.")
    return file


def from_api(image: Any) -> bytes:
    """A caller's picture: an uploaded file (handle_file), a URL that Gradio fetched, or a data URL.

    A dict with a path but without Gradio's `meta` is refused: Gradio checks only paths with it.
    """
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str) and url.startswith("data:"):
        return from_data_url(url)
    if is_file_obj_with_meta(image):
        return uploaded(image["path"]).read_bytes()
    raise InputError("Send the picture with gradio_client's handle_file(...), or as a data URL.")


def forget(image: Any) -> None:
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


class UploadedImageData(ImageData):
    """ImageData that refuses a bare server path: without `meta`, Gradio would open any file."""

    @model_validator(mode="before")
    @classmethod
    def from_an_upload(cls, value: Any) -> Any:
        data = isinstance(value, dict) and str(value.get("url") or "").startswith("data:")
        if isinstance(value, dict) and not data and not is_file_obj_with_meta(value):
            raise ValueError("only uploaded pictures are read")
        return value


def undecoded(component: gr.Image) -> gr.Image:
    """component, handing over its payload as from_api takes it: decoding and its errors are ours.

    Set on the instance: beside the file of a subclass Gradio would write a .pyi.
    """
    component.data_model = UploadedImageData
    component.preprocess = lambda payload: payload and payload.model_dump()
    return component


def tapped(tap: Any, image: Any) -> tuple[float, float] | None:
    """Where the person tapped on image, as shares of width and height; None if nowhere.

    tap is what answer.js tells: {"x", "y", "of": the address of the picture}.
    """
    try:
        if not tap["of"].endswith(f"/file={image['path']}"):
            return None  # an earlier picture
        x, y = float(tap["x"]), float(tap["y"])
    except (AttributeError, TypeError, ValueError, LookupError):
        return None
    return (x, y) if 0 <= x <= 1 and 0 <= y <= 1 else None


def for_page(answer: Answer) -> dict[str, Any]:
    """What answer.js shows, as JSON."""
    cutout = None
    if answer.cutout is not None:
        small = answer.cutout.copy()
        small.thumbnail((CUTOUT_PIXELS, CUTOUT_PIXELS))
        cutout = data_url(small, format="JPEG", quality=85)
    return {
        "confidences": list(answer.confidences.items()),
        "sentence": answer.sentence,
        "said": said(answer.sentence),
        "known": answer.known,
        "kind": answer.kind,
        "seen": data_url(answer.seen, format="PNG"),
        "cutout": cutout,
        "closers": answer.closers,
    }
