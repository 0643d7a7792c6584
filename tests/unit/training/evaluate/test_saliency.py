"""Gradient saliency: exact for a linear network, on the mass for a trained one's blobs, and without a trace in the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.evaluate.saliency import saliency
from training.networks.mass_patches import BaselineCnn, MassGoogLeNet


class Linear(nn.Module):
    """Scores that are linear in the pixels: the saliency must be the weights' size."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(2, 12, 10))

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        flat = pixels.mean(dim=1) if pixels.dim() == 5 else pixels
        return {"mass": torch.einsum("nrc,krc->nk", flat[:, 0], self.weights)}, pixels


def test_of_a_linear_network_it_is_the_size_of_the_weights() -> None:
    torch.manual_seed(0)
    network = Linear()
    for index in range(2):
        answer = saliency(network, torch.rand(3, 1, 12, 10), "mass", index)
        assert answer.shape == (3, 12, 10) and answer.dtype == np.float32
        assert np.allclose(answer, network.weights[index].abs().detach().numpy(), atol=1e-6)


def test_exams_get_a_map_a_view() -> None:
    torch.manual_seed(0)
    network = Linear()
    answer = saliency(network, torch.rand(2, 4, 1, 12, 10), "mass", 1)
    assert answer.shape == (2, 4, 12, 10) and np.allclose(answer, network.weights[1].abs().detach().numpy() / 4, atol=1e-6)


def test_of_several_channels_the_largest_counts() -> None:
    class Colour(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Parameter(torch.tensor((0.5, -3.0, 1.0)))

        def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
            return {"mass": torch.einsum("ncij,c->n", pixels, self.weights)[:, None]}, pixels

    assert (saliency(Colour(), torch.rand(1, 3, 4, 4), "mass", 0) == 3.0).all()


@pytest.mark.parametrize("network", [BaselineCnn(), MassGoogLeNet()], ids=["baseline", "googlenet"])
def test_it_is_the_slope_that_a_small_step_measures_and_leaves_no_trace(network: nn.Module) -> None:
    torch.manual_seed(1)
    network.double().train()
    for parameter in network.parameters():
        parameter.requires_grad_(False)  # frozen, as a stem of an experiment is
    state = {name: value.clone() for name, value in network.state_dict().items()}
    pixels = torch.rand(2, 1, 64, 64)
    with torch.no_grad():  # the caller may be predicting
        answer = saliency(network.float(), pixels, "mass", 1)
    assert network.training and not any(parameter.requires_grad or parameter.grad is not None for parameter in network.parameters())
    assert all(torch.equal(value.float(), network.state_dict()[name].float()) for name, value in state.items()), "batch norm did not move"
    row, column = np.unravel_index(int(answer[0].argmax()), answer[0].shape)
    network.eval().double()
    step = torch.zeros(2, 1, 64, 64, dtype=torch.float64)
    step[0, 0, row, column] = 1e-6
    with torch.no_grad():
        above, below = (network(pixels.double() + sign * step)[0]["mass"][0, 1] for sign in (1, -1))
    assert answer[0, row, column] == pytest.approx(abs(float(above - below)) / 2e-6, rel=1e-2)


def test_a_head_or_class_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="the network has mass"):
        saliency(Linear(), torch.rand(1, 1, 12, 10), "cancer", 0)
    with pytest.raises(IndexError, match="2 classes"):
        saliency(Linear(), torch.rand(1, 1, 12, 10), "mass", 2)
