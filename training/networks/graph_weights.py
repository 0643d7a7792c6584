"""The weights of a published ONNX graph as the state of the network that it was exported from: a start where no checkpoint was kept."""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from training.errors import WeightsUnavailable

SCOPE = "network."
"""What `training.networks.served.Served` puts before each name."""


def fill_from_graph(network: nn.Module, path: Path, may_lack: tuple[str, ...] = ()) -> None:
    """Load the weights of a graph that `training.export.onnx_graph` wrote from the same architecture.

    The exporter folds each batch norm into the convolution before it. Here the folded kernel goes into the convolution and the folded
    bias into the batch norm, whose statistics become mean 0 and variance 1: the network answers as the graph does, and can be trained on.

    Parameters
    ----------
    may_lack
        Prefixes of the parts that the graph may lack, such as a new head: they stay as they are then.

    Raises
    ------
    WeightsUnavailable
        The file is no such graph, or lacks a tensor of the network.
    """
    stored = _read_initialisers(path)
    state: dict[str, Tensor] = {}
    norms = {name: module for name, module in network.named_modules() if isinstance(module, _BatchNorm)}
    for name, module in norms.items():
        bias = stored.get(f"{_convolution_before(name)}.weight_bias")
        if bias is None:
            raise WeightsUnavailable(f"{path} has no folded bias for {name}: it was exported from another architecture")
        state[f"{name}.weight"] = torch.full_like(bias, (1.0 + module.eps) ** 0.5)
        state[f"{name}.bias"] = bias
        state[f"{name}.running_mean"], state[f"{name}.running_var"] = torch.zeros_like(bias), torch.ones_like(bias)
    own = network.state_dict()
    for name, value in own.items():
        if name in state or name.endswith("num_batches_tracked"):
            continue
        if name not in stored and name.startswith(may_lack):
            continue
        # Buffers that never change (the mean of ImageNet) are constants of the graph under other names.
        if name not in stored and name in dict(network.named_buffers()):
            continue
        if name not in stored or stored[name].shape != value.shape:
            raise WeightsUnavailable(
                f"{path} has no tensor {name} of shape {tuple(value.shape)}: it was exported from another architecture"
            )
        state[name] = stored[name]
    network.load_state_dict(state, strict=False)


def _read_initialisers(path: Path) -> dict[str, Tensor]:
    """Every stored tensor by the name that the network gives it, float32."""
    try:
        graph = onnx.load(path).graph
    except Exception as error:  # whatever the parser raises on other bytes
        raise WeightsUnavailable(f"{path} is no ONNX graph that can be read ({type(error).__name__})") from None
    return {
        each.name.removeprefix(SCOPE).removesuffix("_fp16"): torch.from_numpy(numpy_helper.to_array(each).copy()).float()
        for each in graph.initializer
        if each.name.startswith(SCOPE)
    }


def _convolution_before(norm: str) -> str:
    """The name of the convolution before a batch norm: ``bn2`` follows ``conv2``, in a sequence each follows the number before its own."""
    scope, _, last = norm.rpartition(".")
    before = re.sub(r"^bn", "conv", last) if last.startswith("bn") else str(int(last) - 1)
    return f"{scope}.{before}" if scope else before
