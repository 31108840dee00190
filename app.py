"""The page and the API: pictures in, answers out. `python app.py` starts both."""

import base64
import io
import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Gradio summarises past events at each event: 10.8 -> 21 ms of CPU after 3,000; this turns it off.
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")

import gradio as gr
import torch
from gradio.data_classes import FileData, ImageData
from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta
from PIL import ExifTags, Image
from pydantic import model_validator

import fashion_model
from fashion_model import CLASSES, DEFAULT, Answer, Classifier, InputError

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE / "tests" / "examples"
MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_DRAWING_CHARACTERS = 1024 * 1024  # of a data URL; the page sends about 10,000
MAX_PICTURES = 64  # in one call of /predict_many
CUTOUT_PIXELS = 360  # longest side on the page
KEPT_SECONDS = 3600  # uploaded pictures are deleted after this

Kind = Literal["auto", "drawing", "photo"]
KINDS = {"Find out": "auto", "A drawing": "drawing", "A photo": "photo"}
NAMES = {"mlp": "Linear layers", "cnn": "Convolutions"}


def page(name: str) -> str:
    return (HERE / "page" / name).read_text(encoding="utf-8")


def load_all() -> dict[str, Classifier]:
    """Every network in checkpoints/, the default one first; a broken one is a CheckpointError."""
    found = {path.stem for path in (HERE / "checkpoints").glob("*.safetensors")} | {DEFAULT}
    return {name: fashion_model.load(name) for name in sorted(found, key=lambda n: (n != DEFAULT, n))}


def data_url(picture: Image.Image, **options: Any) -> str:
    file = io.BytesIO()
    picture.save(file, **options)
    return f"data:image/{options['format'].lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def from_data_url(url: str) -> bytes:
    head, comma, body = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise InputError("A data URL must look like data:image/png;base64,... .")
    if len(body) > MAX_FILE_BYTES * 4 // 3:
        raise InputError(f"The picture is larger than {MAX_FILE_BYTES >> 20} MB: send a smaller one.")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise InputError("The data URL is not valid base64: send the picture again.") from None


def from_upload(path: str) -> bytes:
    """An uploaded file's bytes; nothing outside Gradio's upload folder is opened."""
    file = Path(path).resolve()
    if not file.is_relative_to(Path(get_upload_folder()).resolve()):
        raise InputError("Only uploaded pictures are read: send the file itself.")
    if not file.is_file():
        raise InputError("The picture is no longer on the server: upload it again.")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise InputError(f"The picture is larger than {MAX_FILE_BYTES >> 20} MB: send a smaller one.")
    return file.read_bytes()


def from_api(image: Any) -> bytes:
    """A caller's picture: an uploaded file (handle_file), a URL that Gradio fetched, or a data URL."""
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str) and url.startswith("data:"):
        return from_data_url(url)
    if is_file_obj_with_meta(image):  # Gradio has checked such paths, and only such
        return from_upload(image["path"])
    raise InputError("Send the picture with gradio_client's handle_file(...), or as a data URL.")


class UploadedImageData(ImageData):
    """ImageData that refuses a bare server path: without `meta`, Gradio would open any file."""

    @model_validator(mode="before")
    @classmethod
    def from_an_upload(cls, value: Any) -> Any:
        data = isinstance(value, dict) and str(value.get("url") or "").startswith("data:")
        if isinstance(value, dict) and not data and not is_file_obj_with_meta(value):
            raise ValueError("only uploaded pictures are read")
        return value


class UploadedImage(gr.Image):
    """gr.Image that hands over the file's bytes, undecoded: decoding, and its errors, are ours."""

    data_model = UploadedImageData

    def preprocess(self, payload: ImageData | None) -> dict[str, Any] | None:
        return None if payload is None else payload.model_dump()

    def get_block_name(self) -> str:
        return "image"


def for_page(answer: Answer) -> dict[str, Any]:
    cutout = None
    if answer.cutout is not None:
        small = answer.cutout.copy()
        small.thumbnail((CUTOUT_PIXELS, CUTOUT_PIXELS))
        cutout = data_url(small, format="JPEG", quality=85)
    return {
        "confidences": list(answer.confidences.items()),
        "sentence": answer.sentence,
        "known": answer.known,
        "kind": answer.kind,
        "seen": data_url(answer.seen, format="PNG"),
        "cutout": cutout,
    }


def build(classifiers: dict[str, Classifier]) -> gr.Blocks:
    def classifier(network: Any) -> Classifier:
        found = classifiers.get(network) if isinstance(network, str) else None
        if found is None:
            raise InputError(f"There is no such network here: choose {' or '.join(classifiers)}.")
        return found

    def checked(kind: Any) -> str:
        if kind not in KINDS.values():
            raise InputError(f"kind must be {', '.join(KINDS.values())}.")
        return str(kind)

    def read_drawing(drawing: Any) -> dict[str, Any]:
        """The Draw tab's question, straight over HTTP: the queue would add 50 ms to each stroke."""
        try:
            image, network = drawing["image"], drawing["network"]
            if not isinstance(image, str) or len(image) > MAX_DRAWING_CHARACTERS:
                raise InputError("This drawing cannot be read: clear it, and draw again.")
            return for_page(classifier(network).answer(from_data_url(image), kind="drawing"))
        except (TypeError, KeyError, InputError) as error:
            text = str(error) if isinstance(error, InputError) else "This is no drawing."
            return {"error": text}

    def read_upload(
        image: Any, kind: str, network: str, event: gr.EventData
    ) -> dict[str, Any] | None:
        if image is None:
            return None
        try:
            picture = from_api(image)
            point = tapped(event, picture)
            return for_page(classifier(network).answer(picture, kind=checked(kind), point=point))
        except InputError as error:
            return {"error": str(error)}

    def predict(
        image: FileData, kind: Kind = "auto", network: str = DEFAULT
    ) -> dict[str, float]:
        """Name the garment in one picture.

        Parameters:
            image: a file or a URL, through handle_file(...), or a data URL as a string
            kind: how to read it: "auto", "drawing" or "photo"
            network: a name in checkpoints/
        Returns:
            all ten labels with confidences that sum to 1, most confident first
        """
        try:
            return classifier(network).predict(from_api(image), kind=checked(kind))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def predict_many(
        images: list[FileData], kind: Kind = "auto", network: str = DEFAULT
    ) -> list[dict[str, float]]:
        """Name the garments in up to 64 pictures, in one forward pass; like /predict for each."""
        try:
            if not isinstance(images, list) or not 0 < len(images) <= MAX_PICTURES:
                raise InputError(f"Send a list of 1 to {MAX_PICTURES} pictures.")
            pictures = [from_api(image) for image in images]
            return classifier(network).predict_batch(pictures, kind=checked(kind))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from None

    names = [(NAMES.get(name, name), name) for name in classifiers]
    with gr.Blocks(
        title="What garment is this?",
        analytics_enabled=False,
        delete_cache=(600, KEPT_SECONDS),
    ) as demo:
        gr.HTML(page("header.html"), elem_id="top")
        with gr.Row(elem_id="stage", equal_height=False):
            with gr.Column(elem_id="question", min_width=320):
                with gr.Tabs():
                    with gr.Tab("Draw", id="draw") as draw_tab:
                        gr.HTML(
                            html_template=page("canvas.html"),
                            js_on_load=page("canvas.js"),
                            server_functions=[read_drawing],
                            network=DEFAULT,
                            starters=json.loads(page("starters.json")),
                        )
                    with gr.Tab("Upload", id="upload") as upload_tab:
                        picture = UploadedImage(
                            sources=["upload", "clipboard", "webcam"],
                            type="filepath",
                            image_mode=None,
                            label="Picture",
                            show_label=False,
                            buttons=[],
                            height=400,
                            elem_id="picture",
                        )
                        kind = gr.Radio(
                            list(KINDS.items()), value="auto", label="What is it?", elem_id="kind"
                        )
                        examples = [[str(path)] for path in sorted(EXAMPLES.glob("*.png"))]
                        if examples:
                            gr.Examples(
                                examples,
                                picture,
                                label="Or try one",
                                elem_id="examples",
                                api_visibility="private",
                            )
            with gr.Column(elem_id="result", min_width=320):
                network = gr.Radio(
                    names,
                    value=DEFAULT,
                    label="Network",
                    visible=len(names) > 1,
                    elem_id="network",
                )
                result = gr.HTML(
                    html_template=page("answer.html"),
                    js_on_load=page("answer.js"),
                    classes=list(CLASSES),
                )
        gr.on(
            [picture.change, picture.select, kind.change, network.change, result.select],
            read_upload,
            [picture, kind, network],
            result,
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
        )
        announce = "document.dispatchEvent(new CustomEvent('fashion:{}', {{detail: {}}}))"
        network.change(None, network, js=f"name => {{ {announce.format('network', 'name')} }}")
        draw_tab.select(None, js=f"() => {{ {announce.format('tab', repr('draw'))} }}")
        upload_tab.select(None, js=f"() => {{ {announce.format('tab', repr('upload'))} }}")
        gr.api(predict, api_name="predict")
        gr.api(predict_many, api_name="predict_many")
    # api_open=False: /run/NAME would go past the queue's limits.
    return demo.queue(max_size=128, api_open=False, default_concurrency_limit=4)


def tapped(event: gr.EventData, picture: bytes) -> tuple[float, float] | None:
    """Where the person tapped, as shares of width and height; None if it was no tap."""
    data = event._data if isinstance(event._data, dict) else {}
    try:
        if "x" in data:
            x, y = float(data["x"]), float(data["y"])
        elif "index" in data:
            with Image.open(io.BytesIO(picture)) as image:
                sideways = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
                width, height = image.size[::-1] if sideways else image.size
            x, y = data["index"][0] / width, data["index"][1] / height
        else:
            return None
    except (TypeError, ValueError, LookupError, OSError):
        return None
    return (x, y) if 0 <= x <= 1 and 0 <= y <= 1 else None


def launch(demo: gr.Blocks, **options: Any) -> Any:
    """Serve the page; GRADIO_SERVER_NAME and GRADIO_SERVER_PORT choose where."""
    font = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    mono = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
    return demo.launch(
        theme=gr.themes.Base(font=font, font_mono=mono),
        css_paths=HERE / "page" / "style.css",
        head=page("head.html"),
        favicon_path=HERE / "page" / "favicon.svg",
        footer_links=["api"],
        run_history=False,
        max_file_size=MAX_FILE_BYTES,
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
        share=False,
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
    launch(demo)
