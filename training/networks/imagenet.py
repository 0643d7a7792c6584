"""ImageNet weights for a network's start: torchvision's own download, a local file, or none. Used by all networks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models as torchvision_models

from training.errors import WeightsUnavailable

IMAGENET, RANDOM = "imagenet", "random"
"""The two starts that need no file. Anything else is a path."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What torchvision's networks and the files in the weights folder expect: RGB in [0, 1], less the mean, over the deviation."""


def read_weights(architecture: str, weights: str) -> dict[str, Tensor] | None:
    """Read the weights that `weights` names.

    Parameters
    ----------
    architecture
        Name of a torchvision network, like ``resnet50``: what `IMAGENET` downloads (its first ImageNet-1k weights, as old as the papers).
    weights
        `IMAGENET`, `RANDOM`, or the path of a ``.safetensors`` or torch file with the names that torchvision gives the tensors.

    Returns
    -------
    Tensors by name, float32; None for `RANDOM`.

    Raises
    ------
    WeightsUnavailable
        The download failed, or the file is absent or unreadable.
    """
    if weights == RANDOM:
        return None
    if weights == IMAGENET:
        published = torchvision_models.get_model_weights(architecture)["IMAGENET1K_V1"]
        try:
            return dict(published.get_state_dict(progress=False, check_hash=True))
        except (OSError, RuntimeError) as error:  # no network; a file that is not what was published
            raise WeightsUnavailable(
                f"torchvision could not fetch its ImageNet weights of {architecture} from {published.url} ({error}): "
                "name a local file with --weights FILE.safetensors (or .pth), or start at random with --weights random"
            ) from None
    return read_file(Path(weights))


def read_file(path: Path) -> dict[str, Tensor]:
    """Tensors of a ``.safetensors`` file or of a torch file (pickled tensors only), float32.

    Raises
    ------
    WeightsUnavailable
        The file is absent or holds no tensors by name.
    """
    if not path.is_file():
        raise WeightsUnavailable(f"no weights file {path}: --weights takes imagenet, random, or a .safetensors or .pth file that exists")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsUnavailable(f"{path} holds no weights that can be read ({error}): it must be a .safetensors or a torch file") from None
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise WeightsUnavailable(f"{path} is no table of tensors by name: save a network's state_dict")
    return {name: value.float() if value.is_floating_point() else value for name, value in loaded.items()}


def fill(module: nn.Module, weights: dict[str, Tensor], but: Iterable[str] = ()) -> None:
    """Load `weights` into `module`, less the tensors whose names start with one of `but` (a head that is replaced).

    Raises
    ------
    WeightsUnavailable
        A tensor of the module is missing from the weights or has another shape: half-filled networks train, badly and silently.
    """
    kept = tuple(but)
    own = {name: value for name, value in module.state_dict().items() if not (kept and name.startswith(kept))}
    # Files written before batch norm counted its batches lack that one number; it is not used with a fixed momentum.
    wrong = [name for name, value in own.items() if not name.endswith("num_batches_tracked") and _differs(value, weights.get(name))]
    if wrong:
        raise WeightsUnavailable(
            f"the weights do not fit {type(module).__name__}: {len(wrong)} tensors are missing or differ in shape, the first {wrong[0]!r}; "
            "name a file of the same architecture"
        )
    module.load_state_dict({name: weights[name] for name in own if name in weights}, strict=False)


def _differs(own: Tensor, given: Tensor | None) -> bool:
    return given is None or given.shape != own.shape
