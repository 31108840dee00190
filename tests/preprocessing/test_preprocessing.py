"""Pictures -> what a network reads, on drawings worked out by hand and with a made-up finder."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from fashion_model.errors import InputError
from fashion_model.preprocessing import LINES, as_dataset, prepare
from fashion_model.preprocessing import drawing as drawings
from fashion_model.preprocessing import photo as photos
from fashion_model.preprocessing.decode import decode


def finder(drawing: float = 0.0, threshold: float = 0.5):
    """Finds what is darker than threshold; drawing is its logit for "this is a drawing"."""

    def find(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        dark = threshold - pictures.mean(1, keepdim=True)
        return 40 * dark, torch.full((len(pictures),), drawing)

    return find


def no_finder(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    raise AssertionError("the finder has no business here")


def drawn(box, size=(280, 280), ink="black", paper="white", width=0) -> Image.Image:
    """A rectangle from (left, top) to just before (right, bottom), filled if width is 0."""
    picture = Image.new("RGB", size, paper)
    corners = (box[0], box[1], box[2] - 1, box[3] - 1)
    fill = ink if width == 0 else None
    ImageDraw.Draw(picture).rectangle(corners, fill, ink, max(1, width))
    return picture


def read(picture, kind="drawing", **options) -> torch.Tensor:
    prepared = prepare(picture, no_finder, kind, **options)
    assert prepared.pixels.shape == (1, 1, 28, 28)
    assert prepared.pixels.dtype == torch.float32
    assert 0 <= prepared.pixels.min() <= prepared.pixels.max() <= 1
    return prepared.pixels[0, 0]


# Images of the data set.


@pytest.mark.parametrize("scale", [1, 2, 5, 10, 18])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images_of_the_data_set_pass_unchanged(sheet, scale, mode):
    for picture, _ in sheet:
        large = picture.resize((28 * scale, 28 * scale), Image.Resampling.NEAREST).convert(mode)
        prepared = prepare(large, no_finder)
        assert prepared.kind == "dataset"
        assert torch.equal(
            (prepared.pixels[0, 0] * 255).round().byte(), torch.from_numpy(np.array(picture))
        )


@pytest.mark.parametrize("longest", [512, 1024])
@pytest.mark.parametrize("scale", [19, 37, 53])
def test_they_do_at_any_multiple_as_png_too(sheet, scale, longest):
    """Also where no whole factor makes them small enough and keeps the squares whole."""
    for picture, _ in sheet[::8]:
        large = picture.resize((28 * scale, 28 * scale), Image.Resampling.NEAREST)
        file = io.BytesIO()
        large.save(file, "PNG")
        prepared = prepare(decode(file.getvalue(), longest), no_finder)
        assert prepared.kind == "dataset"
        pixels = (prepared.pixels[0, 0] * 255).round().byte()
        assert torch.equal(pixels, torch.from_numpy(np.array(picture)))


@pytest.mark.parametrize("top", [0, 600])
def test_a_drawing_of_such_a_size_keeps_its_detail(top):
    """With nothing on the middle of the sheet, which alone would pass for enlarged pixels."""
    picture = drawn((100, top + 50, 1000, top + 500), size=(1120, 1120), width=4)
    assert decode(picture, 512).width > 300


def test_what_only_resembles_the_data_set_is_not_taken_for_it(sheet):
    image = np.array(sheet[0][0])
    assert as_dataset(image) is not None
    assert as_dataset(255 - image) is None  # dark on white
    assert as_dataset(np.where(image > 100, 255, 0).astype(np.uint8)) is None  # two tones
    assert as_dataset(image[:27]) is None
    assert as_dataset(np.kron(image, np.ones((2, 3), np.uint8))) is None  # stretched
    assert as_dataset(np.stack([image, image, 255 - image], -1)) is None  # coloured
    large = np.kron(image, np.ones((4, 4), np.uint8))
    large[50, 50] ^= 1
    assert as_dataset(large) is None


@pytest.mark.parametrize(("logit", "kind"), [(LINES, "dataset"), (LINES + 0.1, "drawing")])
def test_what_is_told_to_be_lines_is_read_as_a_drawing(sheet, logit, kind):
    asked = []

    def tell_lines(pixels: torch.Tensor) -> float:
        asked.append(pixels)
        return logit

    picture = sheet[0][0]
    prepared = prepare(picture, no_finder, tell_lines=tell_lines)
    assert prepared.kind == kind
    assert torch.equal((asked[0][0, 0] * 255).round().byte(), torch.from_numpy(np.array(picture)))
    if kind == "drawing":
        assert torch.equal(prepared.pixels, prepare(picture, no_finder, "drawing").pixels)
    prepare(picture, no_finder, "drawing", tell_lines=tell_lines)
    prepare(ImageOps.invert(picture), finder(), tell_lines=tell_lines)
    assert len(asked) == 1  # only about what may be an image of Fashion-MNIST


def test_kind_can_overrule_it(sheet):
    assert prepare(sheet[0][0], no_finder, "drawing").kind == "drawing"
    assert prepare(ImageOps.invert(sheet[0][0]), finder(), "photo").kind == "photo"


# Drawings.


def test_a_filled_rectangle_by_hand():
    """100 wide and 50 high -> 28 wide and 14 high, in the middle, bright on black."""
    pixels = read(drawn((40, 100, 140, 150)))
    expected = torch.zeros(28, 28)
    expected[7:21] = 1
    torch.testing.assert_close(pixels, expected, rtol=0, atol=0.05)


def test_its_box_by_hand():
    """The square around it has sides of 100 pixels and its middle at (90, 125)."""
    prepared = prepare(drawn((40, 100, 140, 150)), no_finder, "drawing")
    assert prepared.box == pytest.approx((40 / 280, 75 / 280, 140 / 280, 175 / 280), abs=0.005)
    assert prepared.mask is None


def test_a_box_may_reach_past_the_picture():
    left, top, right, bottom = prepare(drawn((0, 0, 280, 40)), no_finder, "drawing").box
    assert (left, right) == pytest.approx((0, 1), abs=0.01)
    assert top < -0.3
    assert bottom > 0.5


SAME = {
    "elsewhere": drawn((150, 220, 250, 270)),
    "in a corner": drawn((0, 0, 100, 50)),
    "smaller": drawn((10, 10, 50, 30)),
    "larger": drawn((300, 100, 900, 400), size=(1000, 700)),
    "tiny": drawn((6, 10, 22, 18), size=(28, 28)),
    "on a wide sheet": drawn((300, 30, 400, 80), size=(800, 100)),
    "light on dark": drawn((40, 100, 140, 150), ink="white", paper="black"),
    "pale ink": drawn((40, 100, 140, 150), ink=(210, 210, 210)),
    "colour on colour": drawn((40, 100, 140, 150), ink="navy", paper="khaki"),
    "same brightness, other hue": drawn(
        (40, 100, 140, 150), ink=(200, 80, 80), paper=(75, 140, 75)
    ),
    "grey": drawn((40, 100, 140, 150)).convert("L"),
}


@pytest.mark.parametrize("picture", SAME.values(), ids=SAME)
def test_place_size_and_colour_do_not_matter(picture):
    expected = read(drawn((40, 100, 140, 150)))
    assert (read(picture) - expected).abs().mean() < 0.02


def test_uneven_light_on_the_paper_is_not_ink():
    shade = np.linspace(255, 190, 280)[None, :, None].repeat(280, 0).repeat(3, 2)
    picture = shade.astype(np.uint8)
    picture[100:150, 40:140] = 20
    expected = read(drawn((40, 100, 140, 150)))
    assert (read(Image.fromarray(picture)) - expected).abs().mean() < 0.02


@pytest.mark.parametrize("fill", [None, 60], ids=["lines", "filled"])
def test_a_shadow_on_the_paper_is_not_ink(fill):
    """A round one on a noisy sheet, which no plane fits. What is filled stays so."""
    row, column = np.mgrid[:280, :280]
    shadow = 75 * np.exp(-((row - 230) ** 2 + (column - 250) ** 2) / 60**2)
    sheet = 205 - shadow + np.random.default_rng(0).normal(0, 2, (280, 280))
    lines = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(lines).rectangle((60, 40, 200, 220), outline=60, width=8, fill=fill)
    expected = read(lines)
    picture = np.where(np.asarray(lines) < 255, 60, sheet).astype(np.uint8)
    pixels = read(Image.fromarray(picture).convert("RGB"))
    assert (pixels - expected).abs().mean() < 0.02
    assert pixels[14, 14] == (fill is not None)


def test_a_pale_shape_on_noisy_paper_is_still_there():
    """All of it differs by less than light may: it is not taken for nothing drawn."""
    row, column = np.mgrid[:280, :280] - 140
    shape = 23 * (row**2 + column**2 < 80**2)
    noisy = 230 - shape + np.random.default_rng(0).normal(0, 2, (280, 280))
    assert drawings.strokes(noisy.astype(np.uint8)).line.mean() > 0.05


def test_what_lines_enclose_stays_dark():
    pixels = read(drawn((40, 40, 240, 240), width=8))
    assert pixels[0].min() > 0.9  # the line along the top
    assert pixels[14, 0] > 0.9
    assert pixels[2:26, 2:26].max() == 0


def test_thin_lines_are_thick_enough_to_see():
    thin = read(drawn((40, 40, 240, 240), width=1))
    for edge in (thin[:, 0], thin[:, -1], thin[0], thin[-1]):
        assert edge.mean() > 0.5
    assert thin[2:26, 2:26].max() == 0


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", ["auto", "drawing", "photo"])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_is_an_error(mode, kind, grey):
    picture = Image.new("L", (100, 80), grey).convert(mode)
    with pytest.raises(InputError, match="blank"):
        prepare(picture, no_finder, kind)


def test_nearly_blank_is_blank_too():
    noise = np.random.default_rng(0).integers(250, 256, (90, 90), dtype=np.uint8)
    with pytest.raises(InputError):
        prepare(Image.fromarray(noise), finder(), "drawing")


# Photos.


def test_a_photo_is_the_garment_alone():
    picture = drawn((40, 100, 140, 150), ink=(30, 60, 90), paper=(200, 180, 160))
    prepared = prepare(picture, finder(), "photo")
    assert prepared.kind == "photo"
    assert prepared.mask.shape == (96, 96)
    # 40 of 280 pixels are 13.7 of 96, and so on
    expected = torch.zeros(96, 96)
    expected[34:51, 14:48] = 1
    assert (prepared.mask - expected).abs().mean() < 0.02
    assert prepared.box == pytest.approx((40 / 280, 75 / 280, 140 / 280, 175 / 280), abs=0.03)
    pixels = prepared.pixels[0, 0]
    assert pixels[:5].max() < 0.1
    assert pixels[-5:].max() < 0.1
    assert pixels[9:19, 3:25].min() > 0.3


def test_the_background_does_not_matter():
    garment = (40, 100, 140, 150)
    plain = drawn(garment, ink=(30, 60, 90), paper=(200, 180, 160))
    noisy = np.random.default_rng(0).integers(180, 255, (280, 280, 3), dtype=np.uint8)
    noisy[100:150, 40:140] = (30, 60, 90)
    one = prepare(plain, finder(), "photo").pixels
    other = prepare(Image.fromarray(noisy), finder(), "photo").pixels
    assert (one - other).abs().mean() < 0.05


def test_a_sleeve_that_the_finder_missed_is_known_by_its_colour():
    """A red garment on a grey floor, of whose right part the finder is not sure."""
    array = np.full((96, 96, 3), (120, 122, 125), np.uint8)
    array[20:80, 20:60] = (170, 40, 40)
    array[20:40, 60:80] = (172, 42, 38)  # the sleeve
    rgb = torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255
    logits = torch.full((1, 1, 96, 96), -3.0)
    logits[..., 20:80, 20:60] = 3
    logits[..., 20:40, 60:80] = -1
    logits[..., 85:95, 40:60] = 1  # floor, of which it is not sure either
    found = photos._by_colour(logits, rgb) > 0
    assert (found[0, 0, 22:38, 62:78]).all()
    assert not found[0, 0, 87:93, 42:58].any()
    assert found[0, 0, 22:78, 22:58].all()
    assert not found[0, 0, :18].any()


def test_where_all_has_one_colour_the_finder_alone_decides():
    logits = torch.full((1, 1, 96, 96), -3.0)
    logits[..., 20:80, 20:60] = 3
    moved = photos._by_colour(logits, torch.full((1, 3, 50, 40), 0.5))
    torch.testing.assert_close(moved, logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("logit", [3.0, -3.0, 0.1])
def test_without_two_sides_to_compare_colours_say_nothing(logit):
    logits = torch.full((1, 1, 96, 96), logit)
    assert torch.equal(photos._by_colour(logits, torch.rand(1, 3, 96, 96)), logits)


def test_a_photo_in_which_nothing_is_found():
    picture = drawn((40, 100, 140, 150), ink=(170, 170, 170), paper=(250, 250, 250))
    with pytest.raises(InputError, match="No garment stands out"):
        prepare(picture, finder(), "photo")


def test_a_point_chooses_between_two():
    picture = drawn((20, 40, 100, 240), ink=(20, 20, 60), paper=(220, 220, 220))
    ImageDraw.Draw(picture).rectangle((180, 60, 259, 199), fill=(60, 20, 20))
    for x, box in ((0.2, (20, 40, 100, 240)), (0.8, (180, 60, 260, 200))):
        left, top, right, bottom = prepare(picture, finder(), "auto", (x, 0.5)).box
        assert ((left + right) / 2 * 280, (top + bottom) / 2 * 280) == pytest.approx(
            ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), abs=12
        )


# Which of the two.


def test_auto_asks_the_finder():
    picture = drawn((40, 100, 140, 150), ink=(30, 60, 90), paper=(200, 180, 160), width=8)
    assert prepare(picture, finder(drawing=3.0)).kind == "drawing"
    assert prepare(picture, finder(drawing=-3.0)).kind == "photo"


def test_what_has_no_lines_is_read_as_a_photo_where_a_garment_is_found():
    filled = drawn((40, 60, 240, 250), ink=(30, 60, 90), paper=(255, 255, 255))
    assert prepare(filled, finder(drawing=3.0)).kind == "photo"
    assert prepare(filled, finder(drawing=3.0, threshold=-1.0)).kind == "drawing"
    assert prepare(filled, finder(drawing=3.0), "drawing").kind == "drawing"


@pytest.mark.parametrize("kind", ["dataset", "", "Drawing", None])
def test_an_unknown_kind(kind):
    with pytest.raises(InputError, match="kind must be one of auto, drawing, photo"):
        prepare(drawn((40, 100, 140, 150)), no_finder, kind)


def test_lines_in_one_tone_on_plain_paper_need_no_finder():
    lines = drawn((40, 60, 240, 250), width=8).convert("L")
    prepared = prepare(lines, no_finder)
    assert prepared.kind == "drawing"
    assert torch.equal(prepared.pixels, prepare(lines, no_finder, "drawing").pixels)


@pytest.mark.parametrize("change", ["filled", "coloured", "soft", "faint"])
def test_what_may_be_more_than_lines_does_need_it(change):
    lines = drawn((40, 60, 240, 250), width=8)
    assert prepare(decode(lines), no_finder).kind == "drawing"
    if change == "filled":
        lines = drawn((40, 60, 240, 250))
    elif change == "coloured":
        lines.putpixel((140, 150), (200, 180, 160))
    elif change == "soft":
        lines = lines.resize((28, 28)).resize((280, 280), Image.Resampling.BICUBIC)
    else:  # the outline of a white garment on white
        lines = drawn((40, 60, 240, 250), width=8, ink=(200, 200, 200))
    lines = decode(lines)
    with pytest.raises(AssertionError, match="no business"):
        prepare(lines, no_finder)


@pytest.mark.parametrize("ink", [0, 40, 200])
def test_paper_of_one_tone_is_read_as_uneven_paper_is(ink):
    """The short way, by tone, against the plane that is fitted to the border."""
    picture = Image.effect_noise((90, 70), 30).point(lambda tone: ink if tone > 150 else 230)
    picture = ImageOps.expand(picture, 12, 230)
    array = np.asarray(picture)
    assert drawings.one_tone(array) == 230
    long = drawings.ink(np.dstack([array] * 3))
    torch.testing.assert_close(drawings.ink(array), long, rtol=0, atol=1e-5)
    counts = np.bincount(array.ravel(), minlength=256)
    assert (drawings.ink(array, counts) == drawings.ink(array)).all()
    array = np.array(picture)
    array[0, :40] = 229
    assert drawings.one_tone(array) == 230
    array[:] = np.linspace(200, 230, array.shape[1]).astype(np.uint8)
    assert drawings.one_tone(array) is None
