from __future__ import annotations

import pytest

from service.analyse.provider import choose_provider
from service.errors import ProviderUnavailable

CPU = ["CPUExecutionProvider"]
GPU = ["TensorrtExecutionProvider", "CUDAExecutionProvider", *CPU]


@pytest.mark.parametrize(
    ("wish", "available", "fallback", "chosen"),
    [
        ("auto", GPU, False, "cuda"),
        ("auto", ["OpenVINOExecutionProvider", *CPU], False, "openvino"),
        ("auto", CPU, False, "cpu"),
        ("tensorrt", GPU, False, "tensorrt"),
        ("cpu", GPU, False, "cpu"),
        ("cuda", CPU, True, "cpu"),
    ],
)
def test_the_wish_is_met_or_auto_takes_the_fastest(wish: str, available: list[str], fallback: bool, chosen: str) -> None:
    assert choose_provider(wish, available, fallback) == chosen


def test_a_gpu_that_is_not_there_is_never_replaced_silently() -> None:
    with pytest.raises(ProviderUnavailable, match="MAMMOTRIAGE_ALLOW_CPU_FALLBACK"):
        choose_provider("cuda", CPU, allow_cpu_fallback=False)
