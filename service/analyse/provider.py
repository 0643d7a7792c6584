"""Which hardware runs the networks. The choice is a setting, what really runs is reported; a silent fall back to the CPU is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnxruntime

from service.errors import ProviderUnavailable

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
PREFERENCE = ("cuda", "openvino", "cpu")
"""What ``auto`` tries, in this order. TensorRT compiles for minutes at the first start: it must be asked for by name."""


def choose_provider(wish: str, available: Sequence[str], allow_cpu_fallback: bool) -> str:
    """Turn the setting into a provider that this build of ONNX Runtime has.

    Returns
    -------
    A key of `PROVIDERS`.

    Raises
    ------
    ProviderUnavailable
        The wished one is not in this build and falling back is not allowed.
    """
    if wish == "auto":
        return next(name for name in PREFERENCE if PROVIDERS[name] in available)
    if PROVIDERS[wish] in available:
        return wish
    if allow_cpu_fallback:
        return "cpu"
    raise ProviderUnavailable(
        f"provider {wish!r} is not in this ONNX Runtime (it has {', '.join(available)}): install the extra for it, "
        "set MAMMOTRIAGE_PROVIDER=auto, or allow the CPU with MAMMOTRIAGE_ALLOW_CPU_FALLBACK=true"
    )


def open_session(path: str, provider: str, threads: int, allow_cpu_fallback: bool) -> onnxruntime.InferenceSession:
    """Load a graph and prove that it runs where it was told to.

    Raises
    ------
    ProviderUnavailable
        ONNX Runtime fell back by itself (a missing CUDA library does that) and falling back is not allowed.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    details: dict[str, Any] = {}
    if provider == "openvino":
        details = {"device_type": "CPU", "precision": "FP32"} | ({"num_of_threads": str(threads)} if threads else {})
    chain: list[Any] = [(PROVIDERS[provider], details), *([] if provider == "cpu" else [PROVIDERS["cpu"]])]
    session = onnxruntime.InferenceSession(path, options, providers=chain)
    if session.get_providers()[0] != PROVIDERS[provider] and not allow_cpu_fallback:
        raise ProviderUnavailable(
            f"{provider} was asked for but ONNX Runtime runs on {session.get_providers()[0]}: see its log for the missing library"
        )
    return session


def available_providers() -> list[str]:
    """Providers in this build of ONNX Runtime."""
    return list(onnxruntime.get_available_providers())
