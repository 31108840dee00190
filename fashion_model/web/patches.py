"""All that is replaced in Gradio's private parts: three, each with its reason.

tests/web/test_patches.py fails for each as soon as Gradio has mended it; then it can go.
"""

import inspect
import logging
from functools import partial
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.exceptions import InvalidPathError
from gradio_client.utils import is_file_obj_with_meta

from fashion_model.web.serialization import web_address

log = logging.getLogger("uvicorn.error")


class Blocks(gr.Blocks):
    """1. Blocks.process_api. Upstream: "/call without its optional values fails, failures outside
    of one's function are told as nothing or with server paths, and whatever component gets a file
    with an address fetches it, without a limit on its size or time"."""

    async def process_api(
        self, block_fn: Any, inputs: list[Any], *args: Any, **options: Any
    ) -> Any:
        block_fn = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        named = block_fn.api_visibility != "private"
        try:
            inputs = [_unfetched(value) for value in complete(block_fn, inputs)]
            return await super().process_api(block_fn, inputs, *args, **options)
        except gr.Error:
            raise
        except Exception as error:
            if not named:
                raise  # the page tells itself what is wrong
            expected = isinstance(error, InvalidPathError)
            log.warning("/%s failed", block_fn.api_name, exc_info=not expected)
            text = "The picture cannot be read here. Send the file itself, or a data URL."
            if expected:
                text = "Only uploaded pictures are read: send the file itself."
            raise gr.Error(text, print_exception=False) from None


def complete(block_fn: Any, inputs: list[Any]) -> list[Any]:
    """inputs, with the defaults of the options that a caller left out."""
    wanted = block_fn.inputs
    if len(inputs) > len(wanted) or (
        block_fn.api_visibility == "private" and len(inputs) != len(wanted)
    ):
        names = ", ".join(str(component.label).lower() for component in wanted)
        text = f"/{block_fn.api_name} takes {len(wanted)} values: {names}."
        raise gr.Error(text, print_exception=False)
    return [*inputs, *(component.value for component in wanted[len(inputs) :])]


def _unfetched(value: Any) -> Any:
    """value, with no address on the web that Gradio would fetch: our own function does."""
    if isinstance(value, dict):
        named = is_file_obj_with_meta(value) and web_address(value)
        return {
            key: _unfetched(each) for key, each in value.items() if not (named and key == "meta")
        }
    return [_unfetched(each) for each in value] if isinstance(value, list) else value


def describe_endpoint(function: Any, texts: dict[str, str], examples: dict[str, Any]) -> None:
    """2. Api._api_info and example_payload. Upstream: "gr.api tells nothing of a parameter but its
    type, though its docstring does, and its example is '...'"."""
    for component, name in zip(
        function.inputs, inspect.signature(function.fn).parameters, strict=True
    ):
        component.label = name.capitalize()  # the page would look "image" up as a text's key
        text = texts[name]
        component._api_info = {**component._api_info, "additional_description": text}
        if name in examples:
            component.example_payload = partial(dict.get, examples, name)


def lighten_sessions(demo: gr.Blocks) -> None:
    """3. StateHolder.blocks. Upstream: "each call by a script is a session, for which every
    component is described anew for deep links": 5 ms a call here. Without components, none."""
    demo.state_holder.blocks = SimpleNamespace(default_config=demo.default_config, blocks=())
