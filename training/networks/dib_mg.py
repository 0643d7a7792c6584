"""DIB-MG: a residual network of 19 convolutions that learns from whole exams with one label (Kim et al. 2018, Figures 1 and 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 32, 64, 128, 256)
"""Filters of the two initial and the four residual blocks. The paper gives none; these keep a batch of 16 exams at 1600 pixels payable."""

NORMAL, CANCER = 0, 1
"""Order of the two maps of the last convolution."""


class InitBlock(nn.Sequential):
    """One 3x3 convolution, batch norm, ReLU, max pooling by 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        )


class ResidualBlock(nn.Module):
    """Four consecutive 3x3 convolutions with a skip connection over all of them, then ReLU and, but for the last block, max pooling by 2.

    The skip holds no convolution, or there would be more than nineteen: where the block widens, the input's channels are padded with zeros
    (He et al. 2016, shortcut A).
    """

    def __init__(self, inputs: int, outputs: int, pool: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(4):
            layers += [nn.Conv2d(inputs if number == 0 else outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
            if number < 3:
                layers.append(nn.ReLU(inplace=True))
        self.body = nn.Sequential(*layers)
        self.widened = outputs - inputs
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        skip = nn.functional.pad(x, (0, 0, 0, 0, 0, self.widened)) if self.widened else x
        answer: Tensor = self.pool(torch.relu(self.body(x) + skip))
        return answer


class DibMg(nn.Module):
    """Two initial blocks, four residual blocks, a 1x1 convolution to a normal and a cancer map; averages over space, then over views.

    The map is 1/32 of the image's side: 50 x 50 at 1600 pixels.

    Parameters
    ----------
    widths
        Filters of the six blocks, never falling.
    """

    def __init__(self, widths: tuple[int, int, int, int, int, int] = WIDTHS) -> None:
        super().__init__()
        if list(widths) != sorted(widths):
            raise ValueError(f"widths {widths} fall: a skip connection can pad channels, not drop them")
        first, second, *residual = widths
        self.init_blocks = nn.Sequential(InitBlock(1, first), InitBlock(first, second))
        self.residual_blocks = nn.Sequential(
            *(
                ResidualBlock(inputs, outputs, pool=number < 3)
                for number, (inputs, outputs) in enumerate(zip((second, *residual), residual, strict=False))
            )
        )
        self.aggregate_block = nn.Conv2d(residual[-1], 2, 1)

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Score single views, or exams of several.

        Parameters
        ----------
        pixels
            (n, 1, rows, columns) or (n, views, 1, rows, columns) in [0, 1], shifted here to the paper's [-1, 1]. A view of one grey level
            throughout is absent: the averages and the batch-norm statistics leave it out.

        Returns
        -------
        The logit of cancer against normal (n, 1), whose logistic function is the paper's softmax over the two classes; and the last feature
        map (n, channels, rows / 32, columns / 32), for exams (n, views, channels, ...), zero for absent views.
        """
        if pixels.dim() == 4:
            features = self._extract(pixels)
            return {"cancer": _against_normal(self.both_maps(features).mean(dim=(2, 3)))}, features
        count, views = pixels.shape[:2]
        flat = pixels.flatten(0, 1)
        present = flat.amax(dim=(1, 2, 3)) > flat.amin(dim=(1, 2, 3))
        seen = self._extract(flat[present])
        per_view = self.both_maps(seen).mean(dim=(2, 3))  # the first stage of the pooling: over space
        votes = per_view.new_zeros(count * views, 2).masked_scatter(present[:, None], per_view).reshape(count, views, 2)
        numbers = present.reshape(count, views).sum(dim=1, keepdim=True).clamp(min=1)
        exam = votes.sum(dim=1) / numbers  # the second: over the views that there are
        features = seen.new_zeros(count * views, *seen.shape[1:])
        features[present] = seen
        return {"cancer": _against_normal(exam)}, features.reshape(count, views, *seen.shape[1:])

    def both_maps(self, features: Tensor) -> Tensor:
        """The normal and the cancer map (n, 2, h, w), the data-driven imaging biomarker; their means are the view's two logits."""
        answer: Tensor = self.aggregate_block(features)
        return answer

    def maps(self, features: Tensor) -> Tensor:
        """The cancer map less the normal map, (n, 1, h, w), for exams (n, views, 1, h, w): its mean is the view's logit, bias and all."""
        if features.dim() == 5:
            maps = self.maps(features.flatten(0, 1))
            return maps.reshape(*features.shape[:2], *maps.shape[1:])
        return _against_normal(self.both_maps(features))

    def _extract(self, pixels: Tensor) -> Tensor:
        answer: Tensor = self.residual_blocks(self.init_blocks(pixels * 2 - 1))
        return answer


def _against_normal(two: Tensor) -> Tensor:
    return two[:, CANCER : CANCER + 1] - two[:, NORMAL : NORMAL + 1]
