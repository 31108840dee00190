"""Made-up pictures, of each class and the same for the same seed."""

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest

from fashion_model import retrieval
from fashion_model.training import synthesis


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Of the 3,000 images that come with the package, the first six of each class."""
    some = SimpleNamespace(images=retrieval.load_subset().images[:60])
    monkeypatch.setattr(retrieval, "load_subset", lambda: some)


@pytest.mark.parametrize("kind", ["drawing", "photo"])
def test_pictures_show_every_class_and_repeat(kind):
    first, again, other = (list(islice(synthesis.pictures(kind, seed), 60)) for seed in (1, 1, 2))
    assert {label for _, label in first} == set(range(10))
    pixels, repeated, different = (
        [np.asarray(p) for p, _ in some] for some in (first, again, other)
    )
    assert all(map(np.array_equal, pixels, repeated))
    assert not any(map(np.array_equal, pixels, different))
