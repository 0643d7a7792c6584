"""The ONNX Runtime provider that runs the networks. A silent fallback to the CPU is an error."""

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
"""The order in which ``auto`` tries them. TensorRT compiles for minutes at the first start: it must be chosen by name."""


def choose_provider(chosen: str, available: Sequence[str], allow_cpu_fallback: bool) -> str:
    """Turn the setting into a provider that this build of ONNX Runtime has.

    Returns
    -------
    A key of `PROVIDERS`.

    Raises
    ------
    ProviderUnavailable
        The build does not have the chosen provider, and the fallback is not allowed.
    """
    if chosen == "auto":
        return next(name for name in PREFERENCE if PROVIDERS[name] in available)
    if PROVIDERS[chosen] in available:
        return chosen
    if allow_cpu_fallback:
        return "cpu"
    raise ProviderUnavailable(
        f"provider {chosen!r} is not in this ONNX Runtime (it has {', '.join(available)}): install the extra for it, "
        "set MAMMOTRIAGE_PROVIDER=auto, or allow the CPU with MAMMOTRIAGE_ALLOW_CPU_FALLBACK=true"
    )


def open_session(path: str, provider: str, threads: int, allow_cpu_fallback: bool) -> onnxruntime.InferenceSession:
    """Load a graph and check that the chosen provider runs it.

    Raises
    ------
    ProviderUnavailable
        ONNX Runtime fell back by itself (for example for a missing CUDA library), and the fallback is not allowed.
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
            f"the provider is {provider}, but ONNX Runtime runs on {session.get_providers()[0]}: see its log for the missing library"
        )
    return session


def available_providers() -> list[str]:
    """Providers in this build of ONNX Runtime."""
    return list(onnxruntime.get_available_providers())
