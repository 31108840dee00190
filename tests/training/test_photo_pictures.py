"""What the photo network learns from: who is in which pool, and garments that are cut out."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fashion_model import datasets as data
from fashion_model.training import photo_pictures
from fashion_model.training.photo_pictures import POOLS, Pool, clear_mask, cut_out, pools
from fashion_model.training.pictures import NONE


class Dark(nn.Module):
    """A segmenter of what is dark."""

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 40 * (0.5 - pictures.mean(1, keepdim=True)), torch.zeros(len(pictures))


segmenter = Dark()


def square_on_white() -> np.ndarray:
    picture = np.full((96, 96, 3), 255, np.uint8)
    picture[30:70, 20:60] = (90, 20, 20)
    return picture


def test_a_garment_is_cut_out_without_its_specks():
    picture = square_on_white()
    picture[5:10, 85:90] = 0
    rgba = cut_out(picture, clear_mask(picture, segmenter))
    assert rgba.shape == (44, 44, 4)  # two pixels around it
    assert (rgba[4:-4, 4:-4] == (90, 20, 20, 255)).all()
    assert (rgba[0, :, 3] < 128).all()


@pytest.mark.parametrize("tone", [0, 255], ids=["all of it", "nothing"])
def test_what_covers_too_much_or_nothing_has_no_clear_mask(tone):
    assert clear_mask(np.full((96, 96, 3), tone, np.uint8), segmenter) is None


def test_what_is_too_thin_is_not_cut_out():
    mask = np.zeros((96, 96), np.float32)
    mask[10:90, 40:50] = 1
    assert cut_out(square_on_white(), mask) is None


def test_an_outline_in_doubt_is_no_clear_mask():
    class Unsure(Dark):
        def forward(self, pictures):
            logits, drawing = super().forward(pictures)
            return logits.clamp(-0.5, 0.5), drawing

    assert clear_mask(square_on_white(), Unsure()) is None


def test_a_pool_is_drawn_from_by_its_weights():
    items = [(np.zeros((1, 1, 3), np.uint8), (label,)) for label in (1, 1, 1, 2)]
    pool = Pool.of("home", items)  # which makes up for rare targets by a square root
    assert pool.weights[3] / pool.weights[0] == pytest.approx(3**0.5)
    rng = np.random.default_rng(0)
    share = np.mean([pool.draw(rng)[1] == (2,) for _ in range(2000)])
    assert share == pytest.approx(pool.weights[3], abs=0.04)


def test_the_shares_of_the_pools_sum_to_one():
    assert sum(share for share, _ in POOLS.values()) == pytest.approx(1)


def test_who_is_in_which_pool(real_folder, sheet, monkeypatch):
    for name, count in {"DYED": (1,) * 10, "PEOPLE": 2, "GROUNDS": 3, "ROOMS": 1.0}.items():
        monkeypatch.setattr(photo_pictures, name, count)
    images = torch.stack([torch.from_numpy(np.array(picture)) for picture, _ in sheet])
    labels = torch.tensor([label for _, label in sheet])
    (real_folder / "things.jpg").write_bytes((real_folder / "Pants-ann.jpg").read_bytes())
    with (real_folder / "labels.csv").open("a") as file:
        file.write("things.jpg,things,cup,,cups\n")
        for name, accept in (("Coat", "Coat"), ("hat", "")):  # worn by one person
            Image.fromarray(square_on_white()).save(real_folder / f"{name}.jpg", quality=95)
            file.write(f"{name}.jpg,worn,{name},{accept},p7\n")
    found = pools(data.load_labeled(real_folder), (images, labels), segmenter, 0)
    targets = {name: [right for _, right in pool.items] for name, pool in found.items()}
    assert targets["home"] == [(1,), (0, 6), (3,)]
    assert targets["things"] == [(NONE,)]
    assert targets["drawn"] == [(5, 7)] * 2
    assert targets["none drawn"] == [(NONE,)] * 2
    assert targets["dyed"] == [(k,) for k in range(10)]
    assert targets["grounds"] == [(NONE,)] * 3
    assert len(targets["people"]) == 2
    assert targets["worn"] == targets["cutouts"][-2:] == [(4,), (NONE,)]
    of_home, things = targets["cutouts"][:-2], len(targets["things"])
    assert set(of_home) <= {*targets["home"], (NONE,)}
    assert len(found["rooms"].items) in (len(of_home) - things, len(of_home))
    assert all(room.shape[2] == 3 for room, _ in found["rooms"].items)
    shapes = {name: {each.shape[2] for each, _ in pool.items} for name, pool in found.items()}
    assert shapes["dyed"] == {4}
    assert shapes["people"] == shapes["home"] == {3}
    assert max(max(each.shape) for each, _ in found["drawn"].items) == photo_pictures.LONGEST
    with Image.open(real_folder / "Pants-ann.jpg") as original:
        shrunk = np.asarray(original.convert("RGB").resize((173, 192)))
    assert abs(found["home"].items[0][0].astype(int) - shrunk).mean() < 3
