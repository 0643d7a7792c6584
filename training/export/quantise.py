"""Eight-bit graphs: convolutions on integers between QuantizeLinear and DequantizeLinear nodes (QDQ), which every ONNX provider reads.

Dynamic quantisation has no fast convolution on a CPU; static QDQ with a scale a channel is what ONNX Runtime and OpenVINO run on VNNI/AMX.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

QUANTISED = ["Conv", "Gemm", "MatMul"]
"""Sums over many products, where the time goes. Everything that is cheap, the outputs above all, stays in floating point."""


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Feeds real pictures one by one, to find the range of every tensor."""

    def __init__(self, name: str, pictures: NDArray[np.float32]) -> None:
        self._left: Iterator[dict[str, NDArray[np.float32]]] = iter([{name: picture[None]} for picture in pictures])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._left, None)


def quantise(path: Path, pictures: NDArray[np.float32]) -> onnx.ModelProto:
    """The 8-bit graph of an fp32 one.

    Parameters
    ----------
    path
        The fp32 graph.
    pictures
        (n, 1, rows, columns) real inputs; a few dozen of each machine are enough.
    """
    name = onnx.load(path, load_external_data=False).graph.input[0].name
    # The quantiser warns of everything that it leaves in floating point, which is intended.
    logging.getLogger().addFilter(_no_quantiser)
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepared, answer = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
            quant_pre_process(path, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared, answer, _Pictures(name, pictures), quant_format=QuantFormat.QDQ, op_types_to_quantize=QUANTISED, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
                extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
            )  # fmt: skip
            return onnx.load(answer)
    finally:
        logging.getLogger().removeFilter(_no_quantiser)


def _no_quantiser(record: logging.LogRecord) -> bool:
    return "quant" not in record.pathname
