"""Tensors that are kept in a file, and when they are made anew."""

import pytest
import torch
from torch import nn

from fashion_model import datasets as data
from fashion_model.datasets import LabeledPicture
from fashion_model.training.cache import cached


@pytest.fixture
def labeled(real_folder):
    return data.load_labeled(real_folder)


def test_what_was_made_is_kept_for_the_same_labels_networks_and_code(
    labeled, tmp_path, monkeypatch
):
    monkeypatch.setattr(data, "DOWNLOADS", tmp_path / "kept")
    made = []

    def make():
        made.append(1)
        return {"x": torch.full((2, 28), len(made))}

    network = nn.Linear(2, 2)
    first = cached("some", make, labeled, network, "0")
    again = cached("some", make, labeled, network, "0")
    assert torch.equal(again["x"], first["x"])
    assert len(made) == 1
    relabeled = [LabeledPicture(each.path, "", each.label, (8,), "") for each in labeled]
    for other in (
        lambda: cached("some", make, relabeled, network, "0"),
        lambda: cached("some", make, labeled, nn.Linear(2, 2), "0"),
        lambda: cached("some", make, labeled, network, "1"),
    ):
        before = len(made)
        other()
        assert len(made) == before + 1
    corrected = tmp_path / "corrected.csv"
    corrected.write_text("path,accept\n")
    monkeypatch.setattr(data, "CORRECTED", corrected)
    cached("some", make, labeled, network, "0")
    assert len(made) == 5
    assert len(list((tmp_path / "kept").iterdir())) == 5  # and no half of one
