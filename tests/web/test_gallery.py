"""The pictures to start from under Upload."""

import base64
import io
import re

from PIL import Image

from fashion_model.web.gallery import EXAMPLES, gallery_html
from fashion_model.web.translation import texts


def test_each_example_is_a_button_with_a_name_and_its_picture():
    names = sorted(path.stem for path in EXAMPLES.glob("*.png"))
    assert len(names) >= 5
    html = gallery_html()
    assert re.findall(r'data-example="([^"]+)"', html) == names
    said = re.findall(r'data-say-label="([^"]+)"', html)
    assert said == ["examples", *(f"example.{name}" for name in names)]
    assert set(said) <= texts()["zh"].keys()
    bodies = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    for name, body in zip(names, bodies, strict=True):
        with (
            Image.open(io.BytesIO(base64.b64decode(body))) as shown,
            Image.open(EXAMPLES / f"{name}.png") as picture,
        ):
            assert shown.tobytes() == picture.tobytes()


def test_they_are_small_enough_to_travel_in_the_page():
    assert len(gallery_html()) < 300_000
