"""The pictures to start from under Upload: small enough to travel inside the page."""

from pathlib import Path

from PIL import Image

from fashion_model.web.serialization import data_url

EXAMPLES = Path(__file__).resolve().parent / "static" / "examples"


def gallery_html() -> str:
    """The examples as buttons."""
    buttons = [
        f'<button type="button" data-example="{path.stem}" data-say-label="example.{path.stem}">'
        f'<img alt="" src="{data_url(Image.open(path), format="PNG")}"></button>'
        for path in sorted(EXAMPLES.glob("*.png"))
    ]
    return f'<div class="gallery" role="group" data-say-label="examples">{"".join(buttons)}</div>'
