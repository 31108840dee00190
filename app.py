"""The page and the API: draw or upload a picture, get ten labels. `python app.py` starts both."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Gradio summarises past events at each event: 10.8 -> 21 ms of CPU after 3,000; this turns it off.
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")  # it copies them all at each event
# A folder of our own, for what is old in it gets deleted.
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir()) / "fashion-pictures"))

from fashion_model.web.beside import Beside, two_cores, wanted

# Before the imports that take seconds, for it has its own
BESIDE = Beside(two_cores()) if __name__ == "__main__" and wanted() else None

import gradio as gr
import torch

import fashion_model
from fashion_model import CLASSES, DEFAULT, NETWORKS, Classifier, InputError
from fashion_model.checkpoint import resolve
from fashion_model.preprocessing import KINDS
from fashion_model.web import serving
from fashion_model.web.ahead import Ahead
from fashion_model.web.api import publish
from fashion_model.web.elsewhere import Elsewhere
from fashion_model.web.examples import EXAMPLES, chosen, gallery
from fashion_model.web.more import Panels, functions
from fashion_model.web.payloads import (
    MAX_FILE_BYTES,
    for_page,
    from_api,
    from_data_url,
    tapped,
    told,
    undecoded,
)
from fashion_model.web.why import MAX_DRAWING_BYTES
from fashion_model.web.words import script, text, translations

AHEAD = None if BESIDE is None else Ahead(BESIDE, DEFAULT)
STATIC = Path(__file__).resolve().parent / "fashion_model" / "web" / "static"


def asset(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def load_all() -> dict[str, Classifier]:
    """Every network that has a checkpoint, the default one first; a broken one raises."""
    names = [name for name in NETWORKS if name != DEFAULT and resolve(name).exists()]
    loaded = {name: fashion_model.load(name) for name in [DEFAULT, *names]}
    if BESIDE is not None:
        BESIDE.load(list(loaded))
        return {name: Elsewhere(name, each, BESIDE.ask) for name, each in loaded.items()}
    if not serving.REPLICAS:
        return loaded
    try:
        from fashion_model.web.replicas import spread
    except ModuleNotFoundError as error:
        raise fashion_model.FashionModelError(
            f"FASHION_REPLICAS needs {error.name}: pip install -r fashion_model/web/replicas.txt."
        ) from error
    return spread(loaded, serving.REPLICAS)


def build(classifiers: dict[str, Classifier]) -> gr.Blocks:
    def classifier(network: Any) -> Classifier:
        if not isinstance(network, str) or network not in classifiers:
            raise InputError(f"There is no such network here. Choose: {', '.join(classifiers)}.")
        return classifiers[network]

    def read_drawing(drawing: Any) -> dict[str, Any]:
        """The Draw tab's question, straight over HTTP: the queue would double the waiting."""
        try:
            if not isinstance(drawing, dict) or not isinstance(drawing.get("image"), str):
                raise InputError("This is no drawing.")
            picture = from_data_url(drawing["image"], MAX_DRAWING_BYTES)
            return for_page(classifier(drawing.get("network")).answer(picture, kind="drawing"))
        except InputError as error:
            return {"error": told(error)}

    def read_upload(image: Any, kind: str, network: str, tap: Any) -> dict[str, Any] | None:
        if image is None:
            return None
        try:
            picture = from_api(image)
            answer = classifier(network).answer(picture, kind=kind)
            point = tapped(tap, image)
            if point and answer.kind == "photo":
                answer = classifier(network).answer(picture, kind=kind, point=point)
            return for_page(answer)
        except InputError as error:
            return {"error": told(error)}

    panels = Panels(classifiers, classifier)
    with gr.Blocks(
        title="What garment is this?",
        analytics_enabled=False,
        delete_cache=(max(1, serving.KEPT_SECONDS // 6), serving.KEPT_SECONDS),
    ) as demo:
        gr.HTML(
            html_template=asset("header.html"),
            js_on_load=asset("header.js"),
            elem_id="top",
            apply_default_css=False,
        )
        with gr.Row(elem_id="stage"):
            with gr.Column(elem_id="question"), gr.Tabs():
                with gr.Tab(text("tab.draw")) as draw_tab:
                    gr.HTML(
                        html_template=asset("canvas.html"),
                        js_on_load=asset("canvas.js"),
                        apply_default_css=False,
                        server_functions=[read_drawing],
                        network=DEFAULT,
                        starters=json.loads(asset("starters.json")),
                    )
                with gr.Tab(text("tab.upload")) as upload_tab:
                    picture = undecoded(
                        gr.Image(
                            sources=["upload", "clipboard", "webcam"],
                            type="filepath",
                            image_mode=None,
                            label=text("picture"),
                            show_label=False,
                            buttons=[],
                            height=400,
                            elem_id="picture",
                        )
                    )
                    kind = gr.Radio(
                        [(text(f"kind.{name}"), name) for name in KINDS],
                        value="auto",
                        label=text("kind"),
                        elem_id="kind",
                    )
                    examples = gr.HTML(
                        html_template=gallery(),
                        js_on_load=asset("examples.js"),
                        apply_default_css=False,
                    )
            with gr.Column(elem_id="result"):
                network = gr.Radio(
                    [(text(f"network.{name}"), name) for name in classifiers],
                    value=DEFAULT,
                    label=text("network"),
                    visible=len(classifiers) > 1,
                    elem_id="network",
                )
                result = gr.HTML(
                    html_template=asset("answer.html"),
                    js_on_load=asset("answer.js"),
                    apply_default_css=False,
                    server_functions=functions(panels.ask_maps),
                    classes=list(CLASSES),
                    network=DEFAULT,
                )
                # A value, for Gradio forgets the data of an event that waits for another one.
                tap = gr.HTML(
                    html_template="",
                    js_on_load="document.addEventListener('fashion:tap', "
                    "(event) => { props.value = event.detail; })",
                    visible="hidden",
                )
        gr.HTML(
            html_template=asset("more.html"),
            js_on_load=asset("panels.js") + asset("card.js") + asset("more.js"),
            apply_default_css=False,
            server_functions=functions(
                panels.ask_inside, panels.ask_similar, panels.ask_compare, panels.ask_card
            ),
            network=DEFAULT,
            elem_id="more",
        )
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        reading = gr.on(
            [picture.change, kind.change, network.change, tap.change],
            read_upload,
            [picture, kind, network, tap],
            result,
            trigger_mode="always_last",
            **quiet,
        )
        # Gradio refused the payload before our code saw it, or our code failed: say so in the page.
        failed = "This picture could not be read here. Upload it again, or try another one."
        reading.failure(lambda: {"error": failed}, None, result, **quiet)
        examples.change(chosen, examples, picture, trigger_mode="always_last", **quiet)
        announce = "document.dispatchEvent(new CustomEvent('fashion:{}', {{detail: {}}}))"
        network.change(None, network, js=f"name => {{ {announce.format('network', 'name')} }}")
        draw_tab.select(None, js=f"() => {{ {announce.format('tab', repr('draw'))} }}")
        upload_tab.select(None, js=f"() => {{ {announce.format('tab', repr('upload'))} }}")
        publish(demo, panels, AHEAD)
    # api_open=False: /run/NAME would go past the queue's limits.
    return demo.queue(
        max_size=serving.MAX_WAITING,
        api_open=False,
        default_concurrency_limit=max(4, 2 * serving.REPLICAS),
    )


def launch(demo: gr.Blocks, **options: Any) -> None:
    """Serve the page and the API until SIGTERM; see fashion_model/web/serving.py."""
    if BESIDE is not None:
        BESIDE.settle()
    font = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    mono = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
    serving.launch(
        demo,
        AHEAD,
        theme=gr.themes.Base(font=font, font_mono=mono),
        css_paths=STATIC / "style.css",
        head=asset("head.html") + script(asset("words.js")),
        i18n=translations(),
        favicon_path=STATIC / "favicon.svg",
        allowed_paths=[str(EXAMPLES)],
        footer_links=["api"],
        max_file_size=MAX_FILE_BYTES,
        **options,
    )


torch.set_num_threads(1)  # one small picture at a time: more threads only fight over the cores
try:
    demo = build(load_all())
except fashion_model.FashionModelError as error:
    if __name__ != "__main__":
        raise
    sys.exit(f"app.py: {error}")

if __name__ == "__main__":
    try:
        launch(demo)
    except OSError as error:  # the port is taken
        sys.exit(f"app.py: {error}")
