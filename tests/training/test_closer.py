"""What takes a closer look: its pictures, its training, and its share in an answer."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import fashion_model
from fashion_model import CLASSES, CheckpointError, checkpoint, explain
from fashion_model import datasets as data
from fashion_model.classifier import Classifier
from fashion_model.networks import Closer, ColourNetwork, DrawingNetwork, PhotoNetwork
from fashion_model.preprocessing import Prepared, prepare
from fashion_model.preprocessing.drawing import enclosed
from fashion_model.preprocessing.photo import AROUND, FINE, RIM, WHOLE, _around, cut_out
from fashion_model.training import close_ups, corpus
from fashion_model.training.closer import bent, tinted, train_closer, varied
from fashion_model.training.train import Pictures, calibrated
from fashion_model.training.trainer import Recipe

QUIET = {"device": "cpu", "progress": False}


def test_fine_is_the_same_garment_in_twice_the_detail_and_its_mask():
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand(1, 3, 180, 120, generator=generator)
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 20:80, 30:70] = 1
    pixels, fine, _ = cut_out(rgb, mask)
    assert fine.shape == (1, 6, FINE, FINE) == (1, 6, 64, 64)
    assert 0 <= fine.min() <= fine.max() <= 1
    fine = PhotoNetwork.of(fine)
    assert fine.shape == (1, 2, 64, 64)
    cloth, where = fine[:, :1], fine[:, 1:]
    assert torch.equal(where > 0, cloth > 0)  # all of the garment is brighter than its ground
    inner = fine[..., 4:-4, 4:-4]
    assert (fine > 0).sum() == (inner > 0).sum()  # with nothing on the rim
    halved = torch.nn.functional.avg_pool2d(inner, 2)
    assert (halved[:, :1] - pixels).abs().mean() < 0.02
    assert (halved[:, 1:][pixels > 0] > 0).all()


@pytest.mark.parametrize("left", [0, 24, 76])
def test_the_colours_lie_where_the_garment_does_with_ground_around(left):
    """A red square on blue; at the picture's edge, more of the edge is beyond it."""
    rgb = torch.zeros(1, 3, 100, 100)
    rgb[:, 2] = 1
    rgb[:, :, 40:64, left : left + 24] = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    mask = torch.nn.functional.interpolate(rgb[:, :1], (96, 96), mode="area")
    _, fine, _ = cut_out(rgb, mask)
    seen = ColourNetwork.of(fine)
    assert seen.shape == (1, 4, 64, 64)
    where, red, blue = seen[0, 0], seen[0, 1], seen[0, 3]
    rim = ColourNetwork.rim
    assert (PhotoNetwork.rim, rim) == (RIM, AROUND)
    inner = (slice(rim + 3, -rim - 3),) * 2
    assert (where[inner] > 0.99).all()
    assert (red[inner] > 0.9).all()
    assert (where[:2] == 0).all()
    assert (blue[:2] > 0.99).all()  # ground above, on the rim
    rows = slice(rim + 3, -rim - 3)
    for side, at_edge in ((red[rows, :1], left == 0), (red[rows, -1:], left == 76)):
        assert (side > 0.9).all() if at_edge else (side < 0.01).all()


def test_what_is_around_lies_where_it_should_in_pictures_of_any_size():
    """Ramps tell where each pixel comes from; and a picture on its side is seen on its side."""
    chance, measured = np.random.default_rng(0), 0
    for _ in range(40):
        width, height = (int(n) for n in chance.integers(20, 600, 2))
        left, right = sorted(chance.choice(width + 1, 2, replace=False).tolist())
        top, bottom = sorted(chance.choice(height + 1, 2, replace=False).tolist())
        across = (torch.arange(width) + 0.5).expand(height, width) / width
        down = ((torch.arange(height) + 0.5) / height).view(-1, 1).expand(height, width)
        rgb = torch.stack([across, down, across])[None]
        mask = torch.rand(1, 1, 96, 96)
        seen = _around(rgb, mask, (left, top, right, bottom))
        assert seen.shape == (1, 4, 64, 64)
        turned = _around(rgb.mT, mask.mT, (top, left, bottom, right)).mT
        torch.testing.assert_close(seen, turned, atol=1e-4, rtol=0)
        scale = 52 / max(right - left, bottom - top)
        middle, at = (left + right) / 2, torch.arange(64) + 0.5
        wanted = (middle + (at - 32) / scale) / width
        inside = (wanted > 1.5 / width) & (wanted < 1 - 1.5 / width)  # not where the edge repeats
        miss = (seen[0, 1, 32] - wanted)[inside].abs() * width * scale
        assert (miss < 1).all()
        measured += len(miss) > 20
    assert measured > 30


def test_a_speck_and_a_whole_wide_picture_can_be_seen_in_colour():
    rgb = torch.rand(1, 3, 40, 400, generator=torch.Generator().manual_seed(0))
    for rows, columns in ((slice(10, 11), slice(5, 6)), (slice(None), slice(None))):
        mask = torch.zeros(1, 1, 96, 96)
        mask[..., rows, columns] = 1
        _, fine, _ = cut_out(rgb, mask)
        assert fine.shape == (1, 6, 64, 64)
        assert fine.isfinite().all()
        assert 0 <= fine.min() <= fine.max() <= 1


def drawn(*boxes) -> Image.Image:
    """Black outlines (left, top, right, bottom), or lines that are open at the right, on white."""
    picture = Image.new("L", (200, 200), 255)
    for left, top, right, bottom, whole in boxes:
        draw = ImageDraw.Draw(picture)
        draw.line([(right, top), (left, top), (left, bottom), (right, bottom)], 0, 5)
        if whole:
            draw.line([(right, top), (right, bottom)], 0, 5)
    return picture


def test_what_lines_enclose_is_full_and_what_they_leave_open_is_not():
    for whole in (True, False):
        lines = drawn((40, 30, 160, 170, whole))
        prepared = prepare(lines, None, "drawing")
        pixels, inside = prepared.fine[0]
        assert prepared.fine.shape == (1, 2, 28, 28)
        assert torch.equal(pixels, prepared.pixels[0, 0])
        assert inside.unique().tolist() == [0, 1]
        assert (inside[pixels > 0.3] == 1).all()
        assert inside[14, 14] == whole
        assert inside[0, 0] == 0


def test_a_gap_of_two_pixels_does_not_open_an_outline_and_a_wider_one_does():
    line = np.zeros((28, 28), bool)
    line[4:24, 6] = line[4:24, 22] = line[4, 6:23] = line[23, 6:23] = True
    closed = line.copy()
    for width, full in ((0, True), (2, True), (3, False)):
        line[10 : 10 + width, 22] = False
        found = enclosed(line)
        assert found[14, 14] == full
        assert (found >= line).all()
        assert not found[:, :6].any()  # nothing is full that lies outside
        if full:
            assert found.sum() == enclosed(closed).sum() - width  # the gap itself lies outside


def test_images_of_the_data_set_are_not_looked_at_closer(sheet):
    classifier = fashion_model.load(device="cpu")
    _, prepared = classifier.prepare(sheet[0][0])
    assert (prepared.kind, prepared.fine) == ("dataset", None)
    assert classifier.looks(prepared) == []


@pytest.fixture
def few(real_folder, sheet, monkeypatch):
    """Photos of which each is there twice, and made-up ones; drawings, and made-up ones."""
    for module, name, count in (
        (close_ups, "COPIES", 1),
        (close_ups, "TIMES", 1),
        (close_ups, "PRODUCTS", 4),
        (close_ups, "BY_RULE", 3),
        (corpus, "MADE_UP", 6),
        (corpus, "NOTHING", 2),
        (corpus, "DOODLE_COPIES", 2),
        (corpus, "OTHER_COPIES", 1),
    ):
        monkeypatch.setattr(module, name, count)
    finder, _ = checkpoint.load("finder", "cpu")
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    labels = torch.tensor([label for _, label in sheet])
    labelled = data.load_labelled(real_folder)
    return {
        "photo": (
            close_ups.photos(labelled, finder, 0, False),
            close_ups.other_photos(images, labels, finder, 0, False),
        ),
        "drawing": (
            close_ups.drawings(labelled, finder, 0, False),
            close_ups.other_drawings(images, labels, finder, 0, False),
        ),
    }


def test_drawings_come_as_they_are_and_changed_and_made_up_ones_beside_them(few):
    drawings, others = few["drawing"]
    counts = [int(row.sum()) for row in drawings.accept]
    assert sorted(counts) == [0] * 4 + [2] * 6  # two cats twice, two shoes thrice
    assert drawings.fine.shape[1:] == others.fine.shape[1:] == (2, 28, 28)
    assert torch.equal(drawings.fine[:, 0], drawings.pixels)
    assert others.accept.sum(1).tolist() == [1] * 6


def test_photos_come_as_they_are_and_changed_and_made_up_ones_beside_them(few):
    photos, others = few["photo"]
    assert len(photos) == 6  # three, twice; the drawings are not for it
    assert photos.fine.shape == (6, 6, 64, 64)
    assert [row.nonzero().flatten().tolist() for row in photos.accept[::2]] == [[1], [0, 6], [3]]
    assert 6 + 4 < len(others) <= 6 + 4 + 2
    assert others.fine.shape[1:] == (6, 64, 64)
    assert others.accept[:6].sum(1).tolist() == [1] * 6


@pytest.mark.parametrize(
    ("name", "kind"), [("photo", "photo"), ("colour", "photo"), ("drawing", "drawing")]
)
def test_a_run_that_stops_and_goes_on_learns_the_same(few, tmp_path, stopped_once, name, kind):
    recipe = Recipe(epochs=2, batch=6, extra=0.5)
    few = few[kind]
    given = (f"closer-{name}", *few, few[0])
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    train_closer(*given, recipe=recipe, out=whole, card={"data": ["tiny"]}, **QUIET)
    network, card = checkpoint.load(whole, "cpu")
    assert network.kind == kind
    assert (card["architecture"], card["epochs"], card["data"]) == (f"closer-{name}", 2, ["tiny"])
    assert card["pictures"] == {"clean": 0, "extra": sum(map(len, few))}
    assert 0 <= card["accuracy"]["held_out"] <= 1
    stopped_once(lambda: train_closer(*given, recipe=recipe, out=stopped, **QUIET), stopped)
    again, _ = checkpoint.load(stopped, "cpu")
    pairs = zip(network.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_photo_and_its_mirror_image_are_the_same_to_it():
    network = PhotoNetwork().eval()
    x = torch.rand(3, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network(x), network(x.flip(3)))
        one_by_one = torch.cat([network(each) for each in x.split(1)])
        torch.testing.assert_close(network(x), one_by_one, atol=1e-5, rtol=1e-4)
        assert not torch.allclose(network.stages(x), network.stages(x.flip(3)))


def bars(count: int) -> Pictures:
    """Bright bars, that lie (class 0) or stand (class 1), as pictures and in fine."""
    generator = torch.Generator().manual_seed(count)
    lying = torch.rand(count, generator=generator) < 0.5
    fine = torch.zeros(count, 2, 64, 64)
    fine[:, :, 24:40, 12:52] = 1
    fine[~lying] = fine[~lying].transpose(2, 3)
    accept = torch.zeros(count, 10).bool()
    accept[:, 0], accept[:, 1] = lying, ~lying
    return Pictures((fine[:, 0, 4:-4:2, 4:-4:2] * 255).byte(), accept, (fine * 255).byte())


def test_of_photos_it_says_what_they_are_and_of_others_nothing(tmp_path):
    photos, others = bars(60), bars(30)
    others = Pictures(others.pixels, others.accept, others.fine // 3)  # dim: told apart
    recipe = Recipe(epochs=12, batch=24, learning_rate=4e-3, extra=0.5, ema=0.9)
    path = train_closer(
        *("closer-photo", photos, others, bars(20)),
        recipe=recipe,
        out=tmp_path / "c.safetensors",
        **QUIET,
    )
    network, card = checkpoint.load(path, "cpu")
    assert card["accuracy"]["held_out"] > 0.9
    with torch.inference_mode():
        sure = [network(p.fine.float() / 255).softmax(1).amax(1) for p in (photos, others)]
    assert sure[0].mean() > 0.8
    assert sure[1].mean() < 0.3


def test_some_are_shown_soft_and_all_moved():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 2, 56, 56, generator=generator)
    seen = varied(x, generator)
    assert seen.shape == x.shape
    assert 0 <= seen.min() <= seen.max() <= 1.0001
    rough = (seen[..., 20:36, 20:35] - seen[..., 20:36, 21:36]).abs().mean((1, 2, 3))
    soft = (rough < 0.12).float().mean()
    assert 0.1 < soft < 0.4


def test_photos_in_colour_are_moved_and_shown_in_another_light():
    """Some grey, of half the ground is gone; where the garment is stays what the mask says."""
    count = 200
    x = torch.zeros(count, 4, 64, 64)
    x[:, 1:] = torch.tensor([0.3, 0.5, 0.7]).view(1, 3, 1, 1)
    x[:, :, 20:44, 20:44] = torch.tensor([1, 0.7, 0.4, 0.2]).view(1, 4, 1, 1)
    seen = tinted(x, torch.Generator().manual_seed(0))
    assert seen.shape == x.shape
    assert 0 <= seen.min() <= seen.max() <= 1
    assert torch.equal(seen, tinted(x, torch.Generator().manual_seed(0)))
    middle, corner = seen[:, :, 32, 32], seen[:, :, 2, 2]
    assert (middle[:, 0] > 0.99).all()
    assert (corner[:, 0] == 0).all()
    grey, bare = middle[:, 1] - middle[:, 3] < 0.01, (corner[:, 1:] == 0.5).all(1)
    assert 0.15 < grey.float().mean() < 0.35
    assert 0.4 < bare.float().mean() < 0.6
    assert (corner[~grey & ~bare, 3] > corner[~grey & ~bare, 1]).all()  # ground, to the edge
    assert middle[:, 1].std() > 0.1
    hue = middle[~grey, 2] / middle[~grey, 1]
    assert hue.std() > 0.05
    assert seen[:, 0].flatten(1).unique(dim=0).shape[0] == count  # no two are moved alike
    sharp = seen[:, 0, 32].diff(dim=1).abs().amax(1)
    assert 0.1 < (sharp < 0.45).float().mean() < 0.4  # some are soft


def test_drawings_are_bent_and_what_they_enclose_with_them():
    """Where a square is full, it still is full, and no two of it are bent alike."""
    x = torch.zeros(50, 2, 28, 28)
    x[:, :, 8:20, 8:20] = 1
    seen = bent(x, torch.Generator().manual_seed(0))
    assert seen.shape == x.shape
    torch.testing.assert_close(seen[:, 0], seen[:, 1])
    assert seen.flatten(1).unique(dim=0).shape[0] == 50
    area = seen[:, 0].sum((1, 2))
    assert 90 < area.min() < 130 < 160 < area.max() < 210


class Says(torch.nn.Module):
    """Logits of its own weights for any picture; a chain of one step, as explain wants it."""

    def __init__(self, channels: int, logits: torch.Tensor, kind: str = "") -> None:
        super().__init__()
        self.name, self.kind, self.channels = kind, kind, channels
        self.flat = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        self.head = torch.nn.Linear(channels, 10)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.copy_(logits)

    def of(self, fine):
        return fine[:, : self.channels]

    def forward(self, x):
        return self.head(self.flat(x))


@pytest.fixture
def both():
    """A Classifier of networks that say one thing each, and a photo to ask it about."""
    first, second = torch.arange(10.0), torch.zeros(10)
    second[3] = 12
    photo, drawing = Says(2, second, "photo"), Says(2, -second, "drawing")
    card = {"temperature": {"photo": 2.0}}
    classifier = Classifier(Says(1, first), card, first, closers=[(photo, {}), (drawing, {})])
    pixels, fine = torch.rand(1, 1, 28, 28), torch.rand(1, 2, 64, 64)
    return classifier, Prepared(pixels, "photo", WHOLE, fine=fine), first, second


def test_the_logits_of_each_closer_look_are_added_for_its_kind_alone(both):
    classifier, photo, first, second = both
    drawing = Prepared(photo.pixels, "drawing", WHOLE, fine=torch.rand(1, 2, 28, 28))
    original = Prepared(photo.pixels, "dataset", WHOLE)
    found = classifier.probabilities([drawing, photo, original, drawing])
    torch.testing.assert_close(found[0], (first - second).softmax(0))
    torch.testing.assert_close(found[1], ((first + second) / 2).softmax(0))
    torch.testing.assert_close(found[2], first.softmax(0))
    torch.testing.assert_close(found[3], found[0])
    assert classifier.networks == [classifier.network, *(who for who, _ in classifier.closers)]
    classifier.closers.append(classifier.closers[0])  # two that look at photos
    found = classifier.probabilities([photo, drawing])
    torch.testing.assert_close(found[0], ((first + 2 * second) / 2).softmax(0))
    torch.testing.assert_close(found[1], (first - second).softmax(0))


def test_the_steps_end_in_the_sum_and_its_confidences(both):
    classifier, photo, first, second = both
    temperature = classifier.temperature(photo)
    assert temperature == 2.0
    looks = classifier.looks(photo)
    assert [torch.equal(fine, photo.fine) for _, fine in looks] == [True]
    steps = explain.layers(classifier.network, photo.pixels, temperature, looks)
    names = [step.name for step in steps]
    assert names[-5:] == ["head", "closer", "sum", "softmax", "argmax"]
    two = explain.layers(classifier.network, photo.pixels, temperature, looks * 2)
    assert [step.name for step in two][-5:-2] == ["closer", "closer.1", "sum"]
    np.testing.assert_allclose(two[-3].activations[0], first + 2 * second)
    by_name = {step.name: step for step in steps}
    np.testing.assert_allclose(by_name["closer"].activations[0], second)
    np.testing.assert_allclose(by_name["sum"].activations[0], first + second)
    np.testing.assert_allclose(
        by_name["softmax"].activations, classifier.probabilities([photo]), rtol=1e-5
    )
    assert by_name["softmax"].terms[0].label == CLASSES[3]
    assert by_name["softmax"].terms[0].logit == 15
    assert "64" in by_name["closer"].sentence


def test_what_the_closer_look_sees_is_marked_where_it_lies(both):
    """A closer look that cares for one corner marks that corner; without it nothing is marked."""
    classifier, photo, _, _ = both

    class Corner(Closer):
        def forward(self, x):
            seen = x[:, :, : self.rim + 14, -self.rim - 14 :].sum((1, 2, 3))
            return torch.nn.functional.one_hot(torch.tensor(5), 10) * seen[:, None]

    for rim in (4, 6):
        corner = Corner()
        corner.rim = rim
        marks = explain.saliency(classifier.network, photo.pixels, 5, [(corner, photo.fine)])
        assert marks.shape == (28, 28)
        assert marks.max() == 1
        assert marks[:9, 19:].sum() > 0.95 * marks.sum()

    class Rim(Closer):
        rim = 6

        def forward(self, x):
            inner = torch.nn.functional.pad(torch.zeros(52, 52), (6,) * 4, value=1)
            return (
                torch.nn.functional.one_hot(torch.tensor(5), 10)
                * (x * inner).sum((1, 2, 3))[:, None]
            )

    assert explain.saliency(classifier.network, photo.pixels, 5, [(Rim(), photo.fine)]).max() == 0


def test_what_is_like_nothing_in_colour_is_grey(both):
    """A look that adds up how far colours are from grey marks a dark spot, and no grey ground."""
    classifier, photo, _, _ = both
    fine = torch.full((1, 4, 64, 64), 0.5)
    fine[:, 0] = 0
    fine[:, 1:, 20:30, 20:30] = 0

    class Dark(Closer):
        rim, nothing = ColourNetwork.rim, ColourNetwork.nothing

        def forward(self, x):
            dark = (0.5 - x[:, 1:]).sum((1, 2, 3))
            return torch.nn.functional.one_hot(torch.tensor(5), 10) * dark[:, None]

    marks = explain.saliency(classifier.network, photo.pixels, 5, [(Dark(), fine)])
    assert marks[7:13, 7:13].sum() > 0.75 * marks.sum()
    assert marks[20:].max() == 0
    assert explain.saliency(classifier.network, photo.pixels, 5).max() == 0


def test_the_committed_ones_look_and_a_foreign_one_is_refused(tmp_path, real_folder):
    classifier = fashion_model.load(device="cpu")
    tutorial = fashion_model.load("mlp", device="cpu")
    for name, kind, made in (
        ("Dress-leo.jpg", "photo", [PhotoNetwork, ColourNetwork]),
        ("shoe-leo.png", "drawing", [DrawingNetwork]),
    ):
        _, prepared = classifier.prepare(real_folder / name, kind)
        looks = classifier.looks(prepared)
        assert [type(network) for network, _ in looks] == made
        assert all(torch.equal(seen, who.of(prepared.fine)) for who, seen in looks)
        assert tutorial.looks(prepared) == []  # it answers alone
    network, card = checkpoint.load("cnn-people", "cpu")
    path = tmp_path / "own.safetensors"
    checkpoint.save(path, network, card | {"closer": ["closer-photo", "finder"]})
    with pytest.raises(CheckpointError, match="no closer look"):
        fashion_model.load(path, device="cpu")
    checkpoint.save(path, network, card | {"closer": ["gone"]})
    with pytest.raises(CheckpointError, match="gone"):
        fashion_model.load(path, device="cpu")


def test_a_card_of_when_one_alone_could_look_closer_still_names_it(tmp_path):
    network, card = checkpoint.load("cnn-people", "cpu")
    checkpoint.save(tmp_path / "old.safetensors", network, card | {"closer": "closer-photo"})
    ((closer, _),) = fashion_model.load(tmp_path / "old.safetensors", device="cpu").closers
    assert closer.kind == "photo"


def test_each_kind_is_calibrated_with_those_that_look_at_it():
    """The one for photos is right and sure, the one for drawings wrong, beside a network that
    says nothing."""
    accept = torch.eye(10).bool()[[3] * 20]
    kinds = {
        kind: Pictures(torch.zeros(20, 28, 28).byte(), accept, torch.zeros(20, 2, 8, 8).byte())
        for kind in ("photo", "drawing")
    }
    said = 5 * torch.eye(10)[3]
    looks = [Says(2, said, "photo"), Says(2, -said, "drawing")]
    found = calibrated(Says(1, torch.zeros(10)), kinds, looks)["temperature"]
    assert found == {"photo": 0.1, "drawing": 10}


def test_the_closer_look_of_people_is_the_one_beside_their_network(tmp_path):
    """A copy of cnn alone, beside another closer: the committed pair answers together."""
    network, card = checkpoint.load("cnn", "cpu")
    checkpoint.save(tmp_path / "cnn.safetensors", network, card)
    told = {"architecture": "closer-photo"}
    checkpoint.save(tmp_path / "closer-photo.safetensors", PhotoNetwork().eval(), told)
    people = fashion_model.load(tmp_path / "cnn.safetensors", device="cpu").of("photo")
    (found,) = [closer for closer, _ in people.closers if type(closer) is PhotoNetwork]
    own = checkpoint.load("closer-photo", "cpu")[0]
    assert checkpoint.digest(found) == checkpoint.digest(own)


def test_parts_without_any_picture_take_nothing_away():
    some, empty = bars(3), Pictures(torch.zeros(0, 28, 28).byte(), torch.zeros(0, 10).bool())
    both = Pictures.concatenate([empty, some, some])
    assert torch.equal(both.fine, torch.cat([some.fine] * 2))
    assert Pictures.concatenate([some, Pictures(some.pixels, some.accept)]).fine is None
