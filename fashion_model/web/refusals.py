"""What scripts are told of a call that cannot be answered: a sentence, and no path of ours."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio.exceptions import InvalidPathError

from fashion_model import DataError, InputError
from fashion_model.web.beside import ReaderError
from fashion_model.web.fetching import FetchError, addresses, begin_call
from fashion_model.web.payloads import MAX_FILE_BYTES, forget, told

MAX_PICTURES = 64  # in one call
log = logging.getLogger("uvicorn.error")


@contextmanager
def refusing(image: Any = None, name: str = "") -> Iterator[None]:
    """Inside, our errors become what the caller is told, and image, if uploaded, is deleted."""
    try:
        yield
    except (InputError, DataError) as error:
        if isinstance(error, InputError):
            forget(image)
        raise gr.Error(
            name + (str(error) if name else told(error)), print_exception=False
        ) from None


def explaining(process: Callable[..., Any]) -> Callable[..., Any]:
    """process_api, whose failures outside our own functions are told to scripts in a sentence.

    Gradio tells either nothing of them or all, with paths of the server.
    """

    async def process_api(block_fn: Any, inputs: list[Any], **options: Any) -> Any:
        scripts = not isinstance(block_fn, int) and block_fn.api_visibility != "private"
        if not isinstance(block_fn, int) and len(inputs) != len(block_fn.inputs):
            names = ", ".join(str(component.label).lower() for component in block_fn.inputs)
            text = f"/{block_fn.api_name} takes {len(block_fn.inputs)} values: {names}."
            raise gr.Error(text, print_exception=False)
        try:
            if addresses(inputs) > MAX_PICTURES:
                text = f"Name {MAX_PICTURES} addresses at most."
                raise gr.Error(text, print_exception=False)
            begin_call()
            return await process(block_fn=block_fn, inputs=inputs, **options)
        except gr.Error:
            raise
        except Exception as error:
            if not scripts:
                raise  # the page tells itself what is wrong
            text, expected = why(error)
            kind = type(error).__name__
            log.warning("/%s failed: %s", block_fn.api_name, kind, exc_info=not expected)
            raise gr.Error(text, print_exception=False) from None

    return process_api


def why(error: Exception) -> tuple[str, bool]:
    """What a script is told, and whether such a thing is to be expected."""
    if isinstance(error, FetchError):
        most = MAX_FILE_BYTES >> 20
        return (
            f"The picture cannot be fetched. The address must be public, answer at once, and hold "
            f"{most} MB at most: check it, or send the file itself."
        ), True
    if isinstance(error, InvalidPathError):
        return "Only uploaded pictures are read: send the file itself.", True
    if isinstance(error, ReaderError):
        failed = "The server failed while it read this picture. Try again, or send another one."
        return failed, False
    return "The picture cannot be read here. Send the file itself, or a data URL.", False
