"""The networks that read pictures in detail: what they are scored by, and their files."""

import pytest
import torch
from torch import nn

from fashion_model import checkpoint
from fashion_model import datasets as data
from fashion_model.networks import DrawingNetwork
from fashion_model.preprocessing import drawing, photo
from fashion_model.preprocessing.decode import decode
from fashion_model.training.in_detail import in_detail, save_half, scores
from fashion_model.training.job import Job


@pytest.fixture
def labeled(real_folder):
    """Pants, a polo that is too vague to score, a dress; two shoes and two cats drawn."""
    return data.load_labeled(real_folder)


def test_pictures_are_scored_as_they_are_read_in_use(labeled):
    photos = list(in_detail(labeled, "photo"))
    assert [targets for _, targets in photos] == [(1,), (3,)]
    assert torch.equal(photos[0][0], photo.in_color(decode(labeled[0].path))[0])
    drawings = list(in_detail(labeled, "drawing"))
    assert [targets for _, targets in drawings] == [(5, 7), ()] * 2
    assert {tuple(x.shape) for x, _ in drawings} == {(1, 2, drawing.SIDE, drawing.SIDE)}


class Says(nn.Module):
    """The logits that it is made with, one row after the other."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.rows, self.weight = iter(logits), nn.Parameter(torch.zeros(1))

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return next(self.rows)[None]


def test_the_accuracy_is_of_garments_alone():
    """Right by either target, wrong, and a thing, whatever is said of that."""
    logits = 5 * torch.eye(11)[[7, 10, 2, 0]]
    logits[1, 4] = 3.0  # sure that it is none, but the best of the ten is right
    inputs = [(torch.zeros(1, 2, 4, 4), targets) for targets in ((5, 7), (4,), (3,), ())]
    found = scores(Says(logits), "drawing", inputs)
    assert found["accuracy"] == {"drawing": pytest.approx(2 / 3)}
    assert found["calibration"]["drawing"]["temperature"] > 0


def test_without_a_garment_there_are_no_scores():
    inputs = [(torch.zeros(1, 2, 4, 4), ())]
    nothing = {"accuracy": {}, "calibration": {}}
    assert scores(Says(torch.zeros(1, 11)), "photo", inputs) == nothing
    assert scores(Says(torch.zeros(1, 11)), "photo", []) == nothing


def test_the_file_is_float16_and_its_scores_are_of_what_is_loaded(labeled, tmp_path):
    torch.manual_seed(0)
    network = DrawingNetwork()
    job = Job(network="drawing", out=tmp_path / "made.safetensors")
    path = save_half(job, network, {"architecture": "drawing"}, labeled, labeled)
    assert path.stat().st_size < 2.1 * sum(p.numel() for p in network.parameters())
    loaded, card = checkpoint.load(path, "cpu")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    expected = scores(loaded, "drawing", in_detail(labeled, "drawing"))
    assert {key: card[key] for key in expected} == expected
    assert card["icon_sets"] == []
