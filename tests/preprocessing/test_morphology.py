"""Dilation and erosion against PyTorch's max-pooling."""

import pytest
import torch
from torch.nn import functional as F

from fashion_model.preprocessing.morphology import dilate, erode


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2, 1, 9, 12), (1, 1, 7, 7), (3, 1, 8, 30)])
def test_they_are_the_largest_and_the_smallest_around(shape, radius):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(radius))
    before = x.clone()
    largest = F.max_pool2d(x, 2 * radius + 1, stride=1, padding=radius)
    assert (dilate(x, radius) == largest).all()
    smallest = -F.max_pool2d(-x, 2 * radius + 1, stride=1, padding=radius)
    assert (erode(x, radius) == smallest).all()
    assert (x == before).all()


def test_a_radius_of_nothing_changes_nothing_and_a_large_one_reaches_all():
    x = torch.arange(12.0).view(1, 1, 3, 4)
    assert (dilate(x, 0) == x).all()
    assert (dilate(x, 9) == 11).all()
    assert (erode(x, 9) == 0).all()
