"""Garments for all that is made up of them."""

import numpy as np
import pytest

from fashion_model.training.synthesis.garments import Garments


@pytest.fixture(scope="session")
def garments(sheet):
    """Four real garments of each class."""
    return Garments.from_images(
        np.stack([np.array(picture) for picture, _ in sheet]),
        np.array([label for _, label in sheet]),
    )
