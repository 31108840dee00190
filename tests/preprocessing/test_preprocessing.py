"""Pictures -> ModelInput: which kind a picture is, and which detector is asked."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from data.pictures import png, rectangle
from fashion_model.errors import InputError
from fashion_model.preprocessing import LINES, Detectors, ModelInput, preprocess
from fashion_model.preprocessing import drawing as drawings
from fashion_model.preprocessing.decode import decode
from fashion_model.preprocessing.geometry import WHOLE
from fashion_model.preprocessing.photo import CONTEXT
from stubs import DarkSegmenter, FixedLineDetector, Unused

NONE_ASKED = Detectors(Unused())


def dark(drawing: float = 0.0, threshold: float = 0.5) -> Detectors:
    return Detectors(DarkSegmenter(drawing, threshold))


def as_bytes(model_input: ModelInput) -> torch.Tensor:
    return (model_input.tensor[0, 0] * 255).round().byte()


# Images of the data set.


@pytest.mark.parametrize("scale", [1, 2, 5, 10, 18])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images_of_the_data_set_pass_unchanged(sheet, scale, mode):
    for picture, _ in sheet:
        large = picture.resize((28 * scale, 28 * scale), Image.Resampling.NEAREST).convert(mode)
        model_input = preprocess(large, NONE_ASKED)
        assert model_input.kind == "dataset"
        assert (model_input.tensor.shape, model_input.tensor.dtype) == ((1, 1, 28, 28), torch.float)
        assert torch.equal(as_bytes(model_input), torch.from_numpy(np.array(picture)))
        assert (model_input.box, model_input.mask) == (WHOLE, None)
        assert model_input.picture is large


@pytest.mark.parametrize("longest", [512, 1024])
@pytest.mark.parametrize("scale", [19, 37, 53])
def test_they_do_at_any_multiple_as_png_too(sheet, scale, longest):
    """Also where no whole factor makes them small enough and keeps the squares whole."""
    for picture, _ in sheet[::8]:
        large = picture.resize((28 * scale, 28 * scale), Image.Resampling.NEAREST)
        model_input = preprocess(decode(png(large), longest), NONE_ASKED)
        assert model_input.kind == "dataset"
        assert torch.equal(as_bytes(model_input), torch.from_numpy(np.array(picture)))


@pytest.mark.parametrize("top", [0, 600])
def test_a_drawing_of_such_a_size_keeps_its_detail(top):
    """With nothing on the middle of the sheet, which alone would pass for enlarged pixels."""
    picture = rectangle((100, top + 50, 1000, top + 500), size=(1120, 1120), width=4)
    assert decode(picture, 512).width > 300


@pytest.mark.parametrize(("logit", "kind"), [(LINES, "dataset"), (LINES + 0.1, "drawing")])
def test_what_the_line_detector_takes_for_lines_is_a_drawing(sheet, logit, kind):
    picture, lines = sheet[0][0], FixedLineDetector(logit)
    model_input = preprocess(picture, Detectors(Unused(), lines))
    assert model_input.kind == kind
    assert torch.equal(
        (lines.calls[0][0, 0] * 255).round().byte(), torch.from_numpy(np.array(picture))
    )
    if kind == "drawing":
        expected = preprocess(picture, NONE_ASKED, "drawing").tensor
        assert torch.equal(model_input.tensor, expected)
    preprocess(picture, Detectors(Unused(), lines), "drawing")
    assert len(lines.calls) == 1  # only about what may be an image of Fashion-MNIST


def test_kind_can_overrule_it(sheet):
    assert preprocess(sheet[0][0], NONE_ASKED, "drawing").kind == "drawing"
    assert preprocess(ImageOps.invert(sheet[0][0]), dark(), "photo").kind == "photo"


# Drawings.


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_drawing_is_read_from_its_strokes_without_a_detector(mode):
    picture = rectangle((40, 100, 140, 150)).convert(mode)
    model_input = preprocess(picture, NONE_ASKED, "drawing")
    drawn = drawings.strokes(np.asarray(picture))
    assert (model_input.kind, model_input.mask) == ("drawing", None)
    assert torch.equal(model_input.tensor, drawings.as_fashion_mnist(drawn))
    assert model_input.tensor.shape == (1, 1, 28, 28)
    assert model_input.box == drawn.box
    assert model_input.picture is picture


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", ["auto", "drawing", "photo"])
@pytest.mark.parametrize("gray", [0, 128, 255])
def test_a_blank_picture_is_an_error(mode, kind, gray):
    picture = Image.new("L", (100, 80), gray).convert(mode)
    with pytest.raises(InputError, match="blank") as caught:
        preprocess(picture, NONE_ASKED, kind)
    assert caught.value.key == "blank"


def test_nearly_blank_is_blank_too():
    noise = np.random.default_rng(0).integers(250, 256, (90, 90), dtype=np.uint8)
    with pytest.raises(InputError, match="blank"):
        preprocess(Image.fromarray(noise), NONE_ASKED, "drawing")


# Photos.


def test_a_photo_is_the_garment_alone():
    picture = rectangle((40, 100, 140, 150), ink=(30, 60, 90), paper=(200, 180, 160))
    model_input = preprocess(picture, dark(), "photo")
    assert model_input.kind == "photo"
    assert model_input.mask.shape == (96, 96)
    # 40 of 280 pixels are 13.7 of 96, and so on
    expected = torch.zeros(96, 96)
    expected[34:51, 14:48] = 1
    assert (model_input.mask - expected).abs().mean() < 0.02
    assert model_input.box == pytest.approx((40 / 280, 75 / 280, 140 / 280, 175 / 280), abs=0.03)
    pixels = model_input.tensor[0, 0]
    assert pixels[:5].max() < 0.1
    assert pixels[-5:].max() < 0.1
    assert pixels[9:19, 3:25].min() > 0.3


def test_the_background_does_not_matter():
    garment = (40, 100, 140, 150)
    plain = rectangle(garment, ink=(30, 60, 90), paper=(200, 180, 160))
    noisy = np.random.default_rng(0).integers(180, 255, (280, 280, 3), dtype=np.uint8)
    noisy[100:150, 40:140] = (30, 60, 90)
    on_plain = preprocess(plain, dark(), "photo").tensor
    on_noisy = preprocess(Image.fromarray(noisy), dark(), "photo").tensor
    assert (on_plain - on_noisy).abs().mean() < 0.05


def test_a_photo_in_which_nothing_is_found():
    picture = rectangle((40, 100, 140, 150), ink=(170, 170, 170), paper=(250, 250, 250))
    with pytest.raises(InputError, match="No garment stands out"):
        preprocess(picture, dark(), "photo")


def test_a_point_chooses_between_two():
    picture = rectangle((20, 40, 100, 240), ink=(20, 20, 60), paper=(220, 220, 220))
    ImageDraw.Draw(picture).rectangle((180, 60, 259, 199), fill=(60, 20, 20))
    for x, box in ((0.2, (20, 40, 100, 240)), (0.8, (180, 60, 260, 200))):
        left, top, right, bottom = preprocess(picture, dark(), "auto", (x, 0.5)).box
        assert ((left + right) / 2 * 280, (top + bottom) / 2 * 280) == pytest.approx(
            ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), abs=12
        )


@pytest.mark.parametrize("kind", ["auto", "photo"])
def test_a_photo_at_high_resolution_is_in_color_around_its_garment(kind):
    picture = rectangle((40, 100, 140, 150), ink=(30, 60, 90), paper=(200, 180, 160))
    model_input = preprocess(picture, dark(drawing=-1.0), kind, high_resolution={"photo"})
    assert (model_input.kind, model_input.mask) == ("photo", None)
    assert model_input.tensor.shape[:2] == (1, 3)
    left, top, right, bottom = (280 * edge for edge in model_input.box)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((90, 125), abs=3)
    assert right - left == pytest.approx((1 + 2 * CONTEXT) * 100, abs=12)  # garments look larger
    blind = preprocess(picture, dark(threshold=-1.0), kind, high_resolution={"photo"})
    assert blind.box == pytest.approx(WHOLE)


def test_a_photo_at_high_resolution_shows_what_was_tapped():
    picture = rectangle((40, 100, 140, 150), ink=(30, 60, 90), paper=(200, 180, 160))
    tapped = preprocess(picture, dark(), point=(0.3, 0.45), high_resolution={"photo"})
    assert tapped.mask.shape == (96, 96)
    left, _, right, _ = tapped.box
    assert (left + right) / 2 == pytest.approx(90 / 280, abs=0.02)
    assert right - left < 0.55
    nothing = preprocess(
        picture, dark(threshold=-1.0), point=(0.3, 0.45), high_resolution={"photo"}
    )
    assert nothing.mask is None
    assert nothing.box[2] - nothing.box[0] < 0.65


# Which of the two.


def test_auto_asks_the_segmenter():
    picture = rectangle((40, 100, 140, 150), ink=(30, 60, 90), paper=(200, 180, 160), width=8)
    assert preprocess(picture, dark(drawing=3.0)).kind == "drawing"
    assert preprocess(picture, dark(drawing=-3.0)).kind == "photo"


def test_what_has_no_lines_is_read_as_a_photo_where_a_garment_is_found():
    filled = rectangle((40, 60, 240, 250), ink=(30, 60, 90), paper=(255, 255, 255))
    assert preprocess(filled, dark(drawing=3.0)).kind == "photo"
    assert preprocess(filled, dark(drawing=3.0, threshold=-1.0)).kind == "drawing"
    assert preprocess(filled, dark(drawing=3.0), "drawing").kind == "drawing"


@pytest.mark.parametrize("kind", ["dataset", "", "Drawing", None])
def test_an_unknown_kind(kind):
    with pytest.raises(InputError, match="kind must be one of auto, drawing, photo"):
        preprocess(rectangle((40, 100, 140, 150)), NONE_ASKED, kind)


def test_lines_in_one_tone_on_plain_paper_need_no_segmenter():
    lines = rectangle((40, 60, 240, 250), width=8).convert("L")
    model_input = preprocess(lines, NONE_ASKED)
    assert model_input.kind == "drawing"
    assert torch.equal(model_input.tensor, preprocess(lines, NONE_ASKED, "drawing").tensor)


@pytest.mark.parametrize("change", ["filled", "in color", "soft", "faint"])
def test_what_may_be_more_than_lines_does_need_it(change):
    lines = rectangle((40, 60, 240, 250), width=8)
    assert preprocess(decode(lines), NONE_ASKED).kind == "drawing"
    if change == "filled":
        lines = rectangle((40, 60, 240, 250))
    elif change == "in color":
        lines.putpixel((140, 150), (200, 180, 160))
    elif change == "soft":
        lines = lines.resize((28, 28)).resize((280, 280), Image.Resampling.BICUBIC)
    else:  # the outline of a white garment on white
        lines = rectangle((40, 60, 240, 250), width=8, ink=(200, 200, 200))
    lines = decode(lines)
    with pytest.raises(AssertionError, match="no business"):
        preprocess(lines, NONE_ASKED)
