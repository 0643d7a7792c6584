"""A trained network as an ONNX graph: probabilities and class-activation maps as named outputs, nothing about the machine that made it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from training.errors import SizeFixed
from training.networks.export_wrapper import ExportWrapper

OPSET = 18
SMALLEST_HALVED = 256
"""Initialisers with fewer elements (biases, shapes) stay in full precision."""

LARGEST_BATCH = 64
PIXELS, MAPS = "pixels", "maps"


def export(
    network: nn.Module,
    heads: Sequence[str],
    shape: tuple[int, int],
    path: Path,
    storage: str = "fp16",
    dynamic_size: bool = False,
    pictures: NDArray[np.float32] | None = None,
) -> None:
    """Write ``path`` with input ``pixels`` (n, 1, rows, columns) and outputs `heads` and ``maps``.

    Parameters
    ----------
    storage
        ``fp32``; ``fp16``: weights in half precision behind a cast that every runtime folds away when it loads, arithmetic in fp32;
        ``int8``: convolutions and products on 8-bit integers, their ranges found on `pictures`.
    dynamic_size
        Let the graph take other rows and columns than `shape` too.
    pictures
        (n, 1, rows, columns) real network inputs; ``int8`` needs them.

    Raises
    ------
    SizeFixed
        `dynamic_size` was asked for, and a layer of the network fixes the size.
    ValueError
        An unknown storage, or int8 without pictures.
    """
    _check_storage(storage, pictures)
    export_plain(network, heads, shape, path, dynamic_size)
    convert(path, path, storage, pictures)


def export_plain(network: nn.Module, heads: Sequence[str], shape: tuple[int, int], path: Path, dynamic_size: bool = False) -> None:
    """The fp32 graph, which every other storage is made from. Raises `SizeFixed`."""
    served = ExportWrapper(network.cpu().float().eval())
    axes: dict[int, object] = {0: torch.export.Dim("n", min=1, max=LARGEST_BATCH)}
    if dynamic_size:
        axes |= {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    fixed = SizeFixed(f"a layer of this network works at {shape[0]}x{shape[1]} only: export it without a dynamic size")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                served, (torch.rand(2, 1, *shape),), str(path), input_names=[PIXELS], output_names=[*heads, MAPS], opset_version=OPSET,
                dynamic_shapes={"pixels": axes}, dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip
    except Exception as error:  # the exporter wraps whatever a layer raised on sizes that are not numbers
        if not dynamic_size:
            raise
        raise fixed from error
    graph = onnx.load(path)
    if graph.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value"):
        path.unlink()
        raise SizeFixed("a layer of this network fixes the batch: write it without the number of pictures")
    if dynamic_size and not _takes_other_sizes(path, shape):
        path.unlink()
        raise fixed
    strip(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def _takes_other_sizes(path: Path, shape: tuple[int, int]) -> bool:
    """Tried, because a graph may call its axes free and still hold a layer that is not."""
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

    from training.export.sessions import open_graph

    try:
        open_graph(path).run(None, {PIXELS: np.zeros((1, 1, shape[0] + 64, shape[1] + 32), np.float32)})
    except (Fail, InvalidArgument, RuntimeException):
        return False
    return True


def convert(plain: Path, path: Path, storage: str, pictures: NDArray[np.float32] | None = None) -> None:
    """Write the graph of `export_plain` in another storage. Parameters and errors as in `export`."""
    _check_storage(storage, pictures)
    graph = onnx.load(plain)
    if storage == "fp16":
        halve(graph)
    if storage == "int8":
        from training.export.quantise import quantise

        assert pictures is not None
        graph = quantise(plain, pictures)
        strip(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def _check_storage(storage: str, pictures: NDArray[np.float32] | None) -> None:
    if storage not in ("fp32", "fp16", "int8"):
        raise ValueError(f"no storage {storage!r}: choose fp32, fp16 or int8")
    if storage == "int8" and (pictures is None or not len(pictures)):
        raise ValueError("int8 needs real pictures to find the ranges of its integers on: give it a part with images")


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


def parity(network: nn.Module, heads: Sequence[str], path: Path, pictures: NDArray[np.float32], batch: int = 4) -> float:
    """Largest absolute difference of a probability between torch in fp32 and the stored graph, over (n, 1, rows, columns) pictures."""
    from training.export.sessions import open_graph

    session = open_graph(path)
    served = ExportWrapper(network.cpu().float().eval())
    largest = 0.0
    for start in range(0, len(pictures), batch):
        some = pictures[start : start + batch]
        with torch.no_grad():
            expected = served(torch.from_numpy(some))
        found = session.run([*heads], {PIXELS: some})
        pairs = zip(found, expected, strict=False)
        largest = max(largest, *(float(np.abs(np.asarray(a) - b.numpy()).max()) for a, b in pairs))
    return largest
