"""The online side works without torch. (The floors themselves are import-linter's, see .importlinter.)"""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import models
import service


def module_names() -> list[str]:
    return sorted(
        found.name
        for package in (models, service)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if ".migrations" not in found.name
    )


def test_no_module_of_models_or_service_brings_torch_or_training_in() -> None:
    names = module_names()
    assert "service.jobs.worker" in names
    program = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print([name for name in ('torch', 'torchvision', 'training') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_the_listener_and_the_api_do_without_the_networks() -> None:
    program = "import sys\nimport service.api.app, service.receive.listener, service.jobs.queues\nprint('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "False"
