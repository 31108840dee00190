"""Teaching by a stronger network: the views, the loss by hand, and a student that learns."""

import math

import pytest
import torch
from torch import nn

from fashion_model import checkpoint
from fashion_model.training import distillation
from fashion_model.training import train as training
from fashion_model.training.distillation import Ensemble, Views, taught, views_of
from fashion_model.training.train import Pictures, train
from fashion_model.training.trainer import Recipe


class Brightest(nn.Module):
    """Says the tenth of the rows that is brightest, and can be called by nobody who trains it."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(20.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = nn.functional.adaptive_avg_pool2d(x, (10, 1)).flatten(1)
        return self.sharpness * rows


def bars(count: int) -> torch.Tensor:
    images = torch.zeros(count, 28, 28, dtype=torch.uint8)
    for number, image in enumerate(images):
        top = round(2.8 * (number % 10))
        image[top : top + 3, 4:20] = 220
    return images


def test_views_are_what_the_teacher_was_asked_about():
    pixels, teacher = bars(30), Brightest()
    views = views_of(
        pixels, teacher, 3, lambda x: x.roll(1, 3) * 0.5, bfloat16=False, progress=False
    )
    assert views.copies == 3
    assert (views.pixels.dtype, tuple(views.pixels.shape)) == (torch.uint8, (90, 28, 28))
    assert torch.equal(views.pixels, (pixels.roll(1, 2) // 2).repeat(3, 1, 1))
    with torch.no_grad():
        said = teacher(views.pixels.unsqueeze(1).float() / 255)
    torch.testing.assert_close(views.logits.float(), said, rtol=1e-3, atol=1e-3)
    assert not views.logits.requires_grad


def test_pictures_that_follow_each_other_are_changed_in_other_company(monkeypatch):
    """Blending is with those of the batch, and twelve in a row may be of one photo."""
    monkeypatch.setattr(distillation, "BATCH", 12)
    pixels = torch.arange(120, dtype=torch.uint8).view(120, 1, 1).repeat(1, 28, 28)
    batches = []

    def change(x):
        batches.append({int(tone) for tone in (x[:, 0, 0, 0] * 255).round()})
        return x

    views = views_of(pixels, Brightest(), 1, change, bfloat16=False, progress=False)
    assert torch.equal(views.pixels, pixels)
    assert sum(map(len, batches)) == 120
    apart = [max(batch) - min(batch) for batch in batches]
    assert min(apart) > 40


def test_what_is_drawn_is_a_view_of_the_picture_that_was_asked_for():
    """Each picture is one number, each copy another row of them."""
    pixels = torch.arange(12, dtype=torch.uint8).view(12, 1, 1).repeat(1, 28, 28)
    pixels[:, :, 0] = 200  # the left edge, to tell a mirror image
    views = Views(pixels, torch.arange(12).view(12, 1).repeat(1, 10).half(), copies=3)
    index = torch.tensor([0, 1, 2, 3] * 50)
    x, logits = views.drawn(index, torch.Generator().manual_seed(0))
    assert tuple(x.shape) == (200, 1, 28, 28)
    rows = (x[:, 0, 14, 14] * 255).round().long()
    assert torch.equal(rows % 4, index)
    assert torch.equal(logits[:, 0].long(), rows)
    assert set((rows // 4).tolist()) == {0, 1, 2}
    left, right = x[:, 0, 0, 0] > 0.5, x[:, 0, 0, 27] > 0.5
    assert (left ^ right).all()
    assert 60 < left.sum() < 140


def test_the_loss_by_hand():
    teacher = torch.tensor([[0.75, 0.25] + [1e-30] * 8]).log()
    even = torch.zeros(1, 10)
    assert taught(even, teacher).item() == pytest.approx(math.log(10))
    least = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert taught(teacher, teacher).item() == pytest.approx(least)
    assert taught(teacher.flip(1), teacher) > taught(even, teacher)


def test_an_ensemble_says_the_mean_of_what_its_members_say():
    first, second = torch.arange(10.0), torch.arange(10.0).flip(0) * 3

    class Says(nn.Module):
        def __init__(self, logits):
            super().__init__()
            self.logits = logits

        def forward(self, x):
            return self.logits.expand(len(x), -1).bfloat16()

    said = Ensemble([Says(first), Says(second)])(torch.zeros(2, 1, 28, 28))
    torch.testing.assert_close(said, ((first + second) / 2).expand(2, -1))


@pytest.fixture
def pictures() -> Pictures:
    """Labels that are wrong on purpose: only the teacher knows better."""
    return Pictures.of(bars(100), (torch.arange(100) + 1) % 10)


def test_a_student_learns_what_its_teacher_says(pictures, tmp_path):
    recipe = Recipe(epochs=40, batch=20, teachers=("cnn",), shift=0, affine_chance=0.0)
    path = train(
        *("mlp", pictures, pictures),
        recipe=recipe,
        teacher=Brightest(),
        out=tmp_path / "a.safetensors",
        device="cpu",
        progress=False,
    )
    student, card = checkpoint.load(path, "cpu")
    answers = training.logits_of(student, pictures.pixels).argmax(1)
    assert (answers == torch.arange(100) % 10).float().mean() > 0.9
    assert card["accuracy"]["validation"] < 0.1
    assert card["recipe"]["teachers"] == ["cnn"]


def test_an_interrupted_student_goes_on_with_the_same_views(pictures, tmp_path, monkeypatch):
    recipe = Recipe(epochs=2, batch=50, teachers=("cnn",))
    common = {"recipe": recipe, "teacher": Brightest(), "device": "cpu", "progress": False}
    whole = train("mlp", pictures, pictures, out=tmp_path / "whole.safetensors", **common)

    class Stop(Exception):  # noqa: N818
        pass

    def save(run, path, real=training.Run.save):
        real(run, path)
        if run.epoch == 1:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(training.Run, "save", save)
        with pytest.raises(Stop):
            train("mlp", pictures, pictures, out=tmp_path / "two.safetensors", **common)
    again = train("mlp", pictures, pictures, out=tmp_path / "two.safetensors", **common)
    one, two = (checkpoint.load(path, "cpu")[0].state_dict() for path in (whole, again))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_share_of_the_views_are_mixtures(pictures, tmp_path, monkeypatch):
    seen = []

    def views_of(pixels, teacher, copies, change, progress):
        seen.append(change(pixels.unsqueeze(1).float() / 255))
        return real(pixels, teacher, copies, change, progress)

    real = training.views_of
    monkeypatch.setattr(training, "views_of", views_of)
    for chance in (0.0, 1.0):
        recipe = Recipe(epochs=1, teachers=("cnn",), shift=0, affine_chance=0.0, mix_chance=chance)
        train(
            *("mlp", pictures, pictures),
            recipe=recipe,
            teacher=Brightest(),
            out=tmp_path / f"{chance}.safetensors",
            device="cpu",
            progress=False,
        )
    kinds = [len({tuple(row) for row in each.flatten(1).tolist()}) for each in seen]
    assert kinds[0] <= 20 < kinds[1]  # ten bars and their mirror images, or what lies between


def test_labels_and_teacher_have_a_say_by_the_picture():
    """Three pictures by their labels and two by the teacher: a fifth of the loss each."""
    x, seen = torch.rand(3, 1, 28, 28), torch.rand(2, 1, 28, 28)
    accept, logits = torch.eye(10)[:3].bool(), torch.randn(2, 10)

    def network(x):
        return x.flatten(1)[:, :10]

    labels, teacher = training.loss_of(network(x), accept, 0.1), taught(network(seen), logits)
    both = training._both(x, accept, 0.1, seen, logits)(network)
    torch.testing.assert_close(both, (3 * labels + 2 * teacher) / 5)
    torch.testing.assert_close(
        training._both(x, accept, 0.1, seen[:0], logits[:0])(network), labels
    )
    torch.testing.assert_close(
        training._both(x[:0], accept[:0], 0.1, seen, logits)(network), teacher
    )


def test_of_what_is_learnt_by_labels_the_teacher_is_not_asked(pictures, tmp_path, monkeypatch):
    asked = []

    def views(pixels, *options):
        asked.append(pixels)
        return views_of(pixels, *options)

    monkeypatch.setattr(training, "views_of", views)
    extra = Pictures(pictures.pixels[:40] // 2, pictures.accept[:40])
    train(
        *("mlp", pictures, pictures),
        extra=extra,
        recipe=Recipe(epochs=1, batch=20, teachers=("cnn",), clean_by_labels=True),
        teacher=Brightest(),
        out=tmp_path / "a.safetensors",
        device="cpu",
        progress=False,
    )
    assert torch.equal(asked[0], extra.pixels)
