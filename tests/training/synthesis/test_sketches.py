"""Line drawings: where their ink is, by hand, and that the seed decides."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fashion_model.training.synthesis.sketches import (
    draw_with_pen,
    photograph_drawing,
    scribbles,
    sketch,
    warp,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_sketches_run_along_the_garments_edge(garments):
    """A square, drawn: all ink is near its outline, and the outline is mostly inked."""
    pixels = torch.zeros(24, 28, 28, dtype=torch.uint8)
    pixels[:, 6:22, 6:22] = 180
    lines = sketch(pixels, (pixels > 0).byte(), seeded())
    assert lines.shape == (24, 1, 112, 112)
    assert set(lines.unique().tolist()) == {0.0, 1.0}
    inked = lines.mean((1, 2, 3))
    assert 0.01 < inked.min() < inked.max() < 0.25
    assert lines[:, :, 50:62, 50:62].sum() == 0  # inside there is no edge
    assert lines[:, :, :8].sum() == 0
    for line in lines:
        rows, columns = line[0].nonzero().T
        assert 40 < rows.max() - rows.min() < 90
        assert 40 < columns.max() - columns.min() < 90


def test_some_sketches_show_inner_edges():
    pixels = torch.full((24, 28, 28), 0, dtype=torch.uint8)
    pixels[:, 4:24, 4:24] = 40
    pixels[:, 4:24, 14:24] = 250
    lines = sketch(pixels, (pixels > 0).byte(), seeded())
    middle = lines[:, 0, 40:72, 40:72].sum((1, 2))
    assert 4 < (middle > 10).sum() < 22  # six in ten
    assert (middle == 0).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda generator: scribbles(6, generator),
        lambda generator: warp(torch.eye(112).expand(6, 1, -1, -1), generator),
        lambda generator: draw_with_pen(torch.eye(112).expand(6, 1, -1, -1), generator),
    ],
    ids=["scribbles", "warp", "draw_with_pen"],
)
def test_drawings_are_seeded(make):
    one, same, other = make(seeded(1)), make(seeded(1)), make(seeded(2))
    assert one.shape == (6, 1, 112, 112)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert 0 <= one.min() < one.max() <= 1 + 1e-6


def test_the_three_pens_by_hand():
    """A dot becomes a square of 2, 3 or 5 pixels a side."""
    dots = torch.zeros(60, 1, 20, 20)
    dots[:, 0, 10, 10] = 1
    drawn = draw_with_pen(dots, seeded())
    assert set(drawn.sum((1, 2, 3)).tolist()) == {4.0, 9.0, 25.0}
    assert (drawn[:, 0, 10, 10] == 1).all()
    assert dots.sum() == 60  # not in place


def test_warping_moves_by_little():
    spot = torch.zeros(40, 1, 112, 112)
    spot[:, 0, 50:62, 50:62] = 1
    moved = warp(spot, seeded())
    for picture in moved:
        row, column = (picture[0] > 0.5).nonzero().float().mean(0).tolist()
        assert abs(row - 55.5) < 8
        assert abs(column - 55.5) < 8


def test_scribbles_differ_and_have_ink():
    lines = scribbles(12, seeded())
    assert set(lines.unique().tolist()) == {0.0, 1.0}
    assert lines.mean((1, 2, 3)).min() > 0.01
    assert len({tuple(line.flatten().tolist()) for line in lines}) == 12


def test_a_sheet_shows_the_line_that_was_drawn():
    """With the line gone, what differs from it is where the ink was, and next to nothing else."""
    drawn = Image.new("L", (112, 112))
    ImageDraw.Draw(drawn).rectangle((30, 30, 80, 80), outline=255, width=5)
    line = np.asarray(drawn, np.float32) / 255
    seen, colors = 0, set()
    for seed in range(20):
        with_ink = photograph_drawing(line, np.random.default_rng(seed))
        assert (with_ink.mode, with_ink.size) == ("RGB", (112, 112))
        without = photograph_drawing(0 * line, np.random.default_rng(seed))
        apart = np.abs(np.asarray(with_ink, int) - np.asarray(without, int)).max(2)
        seen += 0.01 < (apart > 25).mean() < 0.5
        colors.add(tuple(np.median(np.asarray(with_ink).reshape(-1, 3), 0)))
    assert seen >= 17  # the others are pale
    assert len(colors) > 10
