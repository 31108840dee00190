"""The page and the API: draw or upload a picture, get ten labels. `python app.py` starts both."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Gradio summarizes past events at each event: 10.8 -> 21 ms of CPU after 3,000; this turns it off.
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")  # it copies them all at each event

from fashion_model.errors import FashionModelError
from fashion_model.web import make_upload_folder

make_upload_folder()

import gradio as gr
import torch
from PIL import Image

from fashion_model import CLASSES, DEFAULT, NETWORKS, checkpoint, datasets, tutorial
from fashion_model.preprocessing import KIND_OPTIONS
from fashion_model.visualization import data_url
from fashion_model.web import server
from fashion_model.web.api import publish
from fashion_model.web.panels import BATCH, Inference, Panels
from fashion_model.web.serialization import MAX_FILE_BYTES, server_function
from fashion_model.web.translation import script, translations

STATIC = Path(__file__).resolve().parent / "fashion_model" / "web" / "static"
TEXTS = translations()


def asset(*names: str) -> str:
    return "".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def html(
    template: str, *scripts: str, server_functions: Iterable[Any] = (), **props: Any
) -> gr.HTML:
    """A part of the page: static/template with static/scripts, which call server_functions."""
    return gr.HTML(
        html_template=asset(template),
        js_on_load=asset(*scripts),
        server_functions=[server_function(method) for method in server_functions],
        apply_default_css=False,
        **props,
    )


def draw_tab(panels: Panels) -> gr.Tab:
    with gr.Tab(TEXTS("tab.draw")) as tab:
        html(
            "canvas.html",
            "canvas.js",
            server_functions=[panels.read_picture],
            network=DEFAULT,
            starters=json.loads(asset("starters.json")),
        )
    return tab


def upload_tab(panels: Panels) -> gr.Tab:
    """A part of our own: gr.Image refuses by the file's name what the server could read, asks
    through the queue, and reloads the page, and with it the picture, where the server was away."""
    examples = sorted((STATIC / "examples").glob("*.png"))
    with gr.Tab(TEXTS("tab.upload")) as tab:
        html(
            "upload.html",
            *("upload.js", "camera.js"),
            server_functions=[panels.read_picture],
            examples={e.stem: data_url(Image.open(e)) for e in examples},
            network=DEFAULT,
            kinds=list(KIND_OPTIONS),
            megabytes=MAX_FILE_BYTES >> 20,
            elem_id="picture",
        )
    return tab


def result_column(panels: Panels, names: list[str]) -> None:
    with gr.Column(elem_id="result"):
        # No gr.Radio: its choices are the same for all, and "your network" is one visitor's alone.
        html("network.html", "network.js", names=names, elem_id="network")
        html("answer.html", "answer.js", server_functions=[panels.ask_maps], classes=list(CLASSES))


def build(inference: Inference) -> gr.Blocks:
    panels = Panels(inference)
    with server.Blocks(title="What garment is this?", analytics_enabled=False) as page:
        html("header.html", "header.js", elem_id="top")
        html("summary.html", "summary.js", elem_id="summary")
        with gr.Row(elem_id="stage"):
            with gr.Column(elem_id="question"), gr.Tabs():
                draw = draw_tab(panels)
                upload = upload_tab(panels)
            result_column(panels, list(inference.classifiers))
        visitors = inference.visitors
        html(
            "panels.html",
            *("panel_views.js", "model_card.js", "training.js", "panels.js"),
            server_functions=[
                *(panels.ask_inside, panels.ask_similar, panels.ask_compare, panels.ask_card),
                *(visitors.start_training, visitors.ask_training, visitors.stop_training),
                *(visitors.download_network, visitors.upload_network),
            ],
            network=DEFAULT,
            loop=tutorial.LOOP.replace("{seed}", str(tutorial.SEED)),
            images=tutorial.IMAGES if datasets.is_installed() else tutorial.IMAGES[:1],
            elem_id="more",
        )
        announce = "document.dispatchEvent(new CustomEvent('fashion:{}', {{detail: {}}}))"
        draw.select(None, js=f"() => {{ {announce.format('tab', repr('draw'))} }}")
        upload.select(None, js=f"() => {{ {announce.format('tab', repr('upload'))} }}")
        publish(page, inference, concurrency=max(BATCH, 2 * server.REPLICAS))
    # api_open=False: /run/NAME would go past the queue's limits.
    return page.queue(
        max_size=server.MAX_WAITING,
        api_open=False,
        default_concurrency_limit=max(4, 2 * server.REPLICAS),
    )


def main() -> None:
    """Serve the page and the API until SIGTERM; see fashion_model/web/server.py."""
    font = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    mono = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
    server.launch(
        demo,
        theme=gr.themes.Base(font=font, font_mono=mono),
        css_paths=[STATIC / "style.css", STATIC / "panels.css"],
        head=asset("head.html") + script(asset("words.js", "requests.js", "pictures.js")),
        i18n=TEXTS,
        favicon_path=STATIC / "favicon.svg",
        footer_links=["api"],
        max_file_size=MAX_FILE_BYTES,
    )


torch.set_num_threads(1)  # one small picture at a time: more threads only fight over the cores
try:
    others = [name for name in NETWORKS if name != DEFAULT]
    networks = [DEFAULT, *(name for name in others if checkpoint.resolve(name).exists())]
    demo = build(Inference(networks, server.start_replicas(networks)))
except FashionModelError as error:
    if __name__ != "__main__":
        raise
    sys.exit(f"app.py: {error}")

if __name__ == "__main__":
    try:
        main()
    except OSError as error:  # the port is taken
        sys.exit(f"app.py: {error}")
