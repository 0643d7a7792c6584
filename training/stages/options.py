"""Run options: what a user may change about an experiment without copying it, and how ``--set KEY=VALUE`` reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from training.errors import OptionInvalid

Precision = Literal["bf16", "fp32"]


@dataclass(frozen=True)
class Initialisation:
    """The weights that a network starts from.

    Parameters
    ----------
    weights
        ``imagenet`` (torchvision's download, or the weights that a package brings), ``random``, a ``.safetensors`` file, or the run
        folder or checkpoint of another experiment.
    backbone
        None: the experiment's own.
    """

    weights: str = "imagenet"
    backbone: str | None = None


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError
        return value

    return read


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _yes_or_no(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _precision(text: str) -> str:
    if text not in get_args(Precision):
        raise ValueError
    return text


def read_shape(text: str) -> tuple[int, int]:
    """``512x320`` as rows and columns.

    Raises
    ------
    OptionInvalid
        The text has another form.
    """
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(rows) and int(columns)):
        raise OptionInvalid(f"{text!r} is no size: write rows and columns as 512x320")
    return int(rows), int(columns)


def _key(read: Callable[[str], Any], kind: str, default: str, help: str) -> dict[str, Any]:
    """Metadata of a field that ``--set`` can change: how its text is read, and its type, default and meaning for the help."""
    return {"read": read, "kind": kind, "default": default, "help": help}


OWN = "the experiment's"


@dataclass(frozen=True)
class RunOptions:
    """What a user may change about an experiment; None keeps the experiment's own value.

    Each settable field carries its meaning, type and default in its metadata: `describe_keys` makes the help of ``--set`` from them.

    Parameters
    ----------
    data, runs
        Folder of the data sets; folder of caches, checkpoints and logs.
    tag
        The run's folder is ``runs/NAME-TAG``.
    """

    data: Path
    runs: Path
    tag: str = ""
    split: str | Path | None = field(
        default=None,
        metadata=_key(
            str, "FILE or RULE", OWN, "file of patient,part lines, or rule: 70/10/20, 80/10/10, 85/15, 5:1:1, k-fold (with fold)"
        ),
    )
    fold: int | None = field(
        default=None, metadata=_key(_whole(1), "1 to 5", "none", "test on that fifth of the patients, whatever split says")
    )
    shape: tuple[int, int] | None = field(
        default=None, metadata=_key(read_shape, "ROWSxCOLUMNS", OWN, "network input in pixels, like 512x320")
    )
    epochs: int | None = field(
        default=None, metadata=_key(_whole(1), "integer >= 1", OWN, "of all stages together, shared as the paper shares its own")
    )
    rates: float = field(
        default=1.0, metadata=_key(_above_zero, "number > 0", "1", "factor on every learning rate; fewer epochs need larger steps")
    )
    batch: int | None = field(default=None, metadata=_key(_whole(1), "integer >= 1", OWN, "samples of a forward pass, over all devices"))
    accumulate: int | None = field(
        default=None, metadata=_key(_whole(1), "integer >= 1", OWN, "batches whose gradients are averaged before each step")
    )
    patience: int | None = field(
        default=None,
        metadata=_key(_whole(0), "integer >= 0", OWN, "stop after this many epochs without a better validation part; 0: never"),
    )
    seed: int = field(
        default=0,
        metadata=_key(_whole(0), "integer >= 0", "0", "of the initial weights, the order and the augmentation; never of the split"),
    )
    patients: int | None = field(
        default=None, metadata=_key(int, "integer", "all", "train on this many patients only; smaller numbers are subsets of larger ones")
    )
    weights: str = field(
        default="imagenet",
        metadata=_key(str, "imagenet, random, FILE or RUN", "imagenet", "initial weights; FILE: .safetensors, RUN: folder of another run"),
    )
    backbone: str | None = field(default=None, metadata=_key(str, "name", OWN, "another backbone than the paper's, like resnet18"))
    precision: Precision | None = field(
        default=None,
        metadata=_key(_precision, "bf16 or fp32", OWN, "of the arithmetic; weights and sums are fp32 always; evaluate: fp32 by default"),
    )
    deterministic: bool = field(
        default=False, metadata=_key(_yes_or_no, "true or false", "false", "the same bits on every run of this machine")
    )
    devices: int = field(default=1, metadata=_key(_whole(1), "integer >= 1", "1", "GPUs to train on, or processes where there is none"))
    workers: int | None = field(
        default=None, metadata=_key(_whole(0), "integer >= 0", "8 beside a GPU, else 0", "processes that load samples")
    )

    @property
    def initialisation(self) -> Initialisation:
        """The weights and the backbone as one value."""
        return Initialisation(self.weights, self.backbone)


KEYS = {each.name: each.metadata for each in fields(RunOptions) if each.metadata}
"""Every key of ``--set`` with its reader, kind, default and help."""

TRAINED = ("split", "fold", "shape", "backbone", "precision")
"""The keys that also make sense for a run that was trained: other patients to test, another input size, another arithmetic."""


def read_options(pairs: Iterable[str], allowed: Iterable[str] = tuple(KEYS)) -> dict[str, Any]:
    """``KEY=VALUE`` texts as values of `RunOptions` fields.

    Parameters
    ----------
    allowed
        The keys that the command takes.

    Raises
    ------
    OptionInvalid
        An unknown key, a key given twice, or a value that the key does not take; the message names what it takes.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        key, text = key.strip(), text.strip()
        if not equals or key not in allowed:
            raise OptionInvalid(f"--set {pair}: write KEY=VALUE, with a key of {', '.join(allowed)}")
        if key in values:
            raise OptionInvalid(f"--set {key} is given twice")
        values[key] = read_option(key, text)
    return values


def read_option(key: str, text: str) -> Any:
    """The value of one key.

    Raises
    ------
    OptionInvalid
        The text is no value of the key.
    """
    try:
        return KEYS[key]["read"](text)
    except OptionInvalid:
        raise
    except (ValueError, KeyError):
        raise OptionInvalid(f"{key} takes {KEYS[key]['kind']}, not {text!r}") from None


def describe_keys(allowed: Iterable[str] = tuple(KEYS)) -> list[tuple[str, str, str, str]]:
    """Key, type, default and meaning of each key, for the help of ``--set``."""
    return [(key, KEYS[key]["kind"], KEYS[key]["default"], KEYS[key]["help"]) for key in allowed]
