"""A trained network as an ONNX graph: probabilities and class-activation maps as outputs, weights stored in half precision."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 18
SMALLEST_HALVED = 256
"""Initialisers with fewer elements (biases, shapes) stay in full precision."""


class Served(nn.Module):
    """What a graph answers: one probability tensor a head, then the maps.

    A head of one output gives the logistic function and a map whose mean is the logit; others give the softmax.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        logits, features = self.network(pixels)
        scores = [torch.sigmoid(v) if v.shape[1] == 1 else torch.softmax(v, dim=1) for v in logits.values()]
        maps = self.network.maps(features)  # type: ignore[operator]
        if len(logits) == 1:
            maps = maps + self.network.output.bias[None, :, None, None]  # type: ignore[union-attr, index]
        return (*scores, maps)


def export(network: nn.Module, heads: list[str], shape: tuple[int, int], path: Path) -> None:
    """Write ``path`` with input ``pixels`` (n, 1, rows, columns) and outputs `heads` and ``maps``; weights in fp16, arithmetic in fp32."""
    served = Served(network.cpu().float().eval())
    example = torch.rand(2, 1, *shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            served, (example,), str(path), input_names=["pixels"], output_names=[*heads, "maps"], opset_version=OPSET,
            dynamic_shapes={"pixels": {0: torch.export.Dim("n", min=1, max=64)}}, dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    graph = onnx.load(path)
    halve(graph)
    strip(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def halve(model: onnx.ModelProto) -> None:
    """Store large float32 initialisers as float16 behind a Cast, which every runtime folds away when it loads."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < SMALLEST_HALVED:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(np.clip(values, -65504, 65504).astype(np.float16), f"{name}_fp16"))
        casts.append(helper.make_node("Cast", [f"{name}_fp16"], [name], to=TensorProto.FLOAT, name=f"{name}_widened"))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def strip(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes about its own machine: stack traces, with paths, in every node."""
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
        *model.graph.initializer,
    ):
        del part.metadata_props[:]
        if hasattr(part, "doc_string"):
            part.doc_string = ""


def parity(network: nn.Module, heads: list[str], path: Path, pictures: NDArray[np.float32]) -> float:
    """Largest absolute difference of a probability between torch in fp32 and the stored graph, over (n, 1, rows, columns) pictures."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = Served(network.cpu().float().eval())(torch.from_numpy(pictures))
    found = session.run([*heads], {"pixels": pictures})
    return max(float(np.abs(np.asarray(a) - b.numpy()).max()) for a, b in zip(found, expected, strict=False))
