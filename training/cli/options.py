"""The options that the commands share, defined once: which experiment, on which data, in which run, with which run options."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from training.errors import OptionInvalid
from training.stages.options import KEYS, TRAINED, RunOptions, describe_keys, read_option, read_options

if TYPE_CHECKING:
    from training.stages.experiment import Experiment
    from training.stages.run import Run

# Torch loads in seconds and --help must not wait for it: commands import what they call.

Data = Annotated[Path, typer.Option(help="folder that holds the data sets, one sub-folder each", envvar="MAMMOTRIAGE_TRAINING_DATA")]
Runs = Annotated[Path, typer.Option(help="folder of caches, checkpoints, logs and reports")]
Tag = Annotated[str, typer.Option(help="name of this run among those of its experiment: its folder is RUNS/NAME-TAG")]
Part = Annotated[Literal["test", "validation"], typer.Option(help="which patients; validation while you still choose")]
Average = Annotated[list[str] | None, typer.Option(help="another run, NAME[:TAG], to average with; may be repeated")]
Flips = Annotated[bool, typer.Option("--flips", help="average over the picture and its three flips (Shen et al. 2017)")]
Rounds = Annotated[int, typer.Option(min=1, help="bootstrap draws of an interval")]
DATA, RUNS = Path("../shared/data"), Path("runs")

NAME_HELP = "experiment, as `experiments` lists them; or your own FILE.py that defines EXPERIMENT"
DATASETS_HELP = "other data sets than the experiment's: reader[:folder], several with commas"
SET_HELP = "a run option, like shape=512x320; may be repeated (keys above)"

FLAGS = ("split", "shape", "epochs", "batch", "weights", "backbone", "devices")
"""Keys that also have a flag of their own, because they are used every day: ``--shape 512x320`` is ``--set shape=512x320``."""


@dataclass(frozen=True)
class Chosen:
    """The experiment, the folders and the run options that a command line names.

    Parameters
    ----------
    values
        `RunOptions` fields that the user set.
    """

    name: str
    data: Path
    runs: Path
    tag: str = ""
    datasets: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)

    def experiment(self) -> Experiment:
        """The experiment, on the data sets that the user named."""
        from training.experiments.catalogue import find_experiment

        return find_experiment(self.name, self.datasets)

    def options(self) -> RunOptions:
        """The run options."""
        return RunOptions(self.data, self.runs, self.tag, **self.values)

    def new_run(self) -> Run:
        """A run to train."""
        from training.stages.run import Run

        return Run(self.experiment(), self.options())

    def trained_run(self) -> Run:
        """A run that was trained, with the options it was trained with where the user sets none."""
        from training.experiments.catalogue import find_experiment
        from training.stages.run import load_run

        run = load_run(find_experiment(self.name), self.options())
        return replace(run, experiment=replace(run.experiment, datasets=self.datasets)) if self.datasets else run

    def sibling(self, tag: str) -> Run:
        """Another trained run of the same experiment."""
        return Chosen(self.name, self.data, self.runs, tag).trained_run()

    def others(self, texts: Iterable[str] | None) -> list[Run]:
        """Other trained runs, each given as NAME[:TAG]."""
        named = [text.partition(":") for text in texts or ()]
        return [Chosen(name, self.data, self.runs, tag).trained_run() for name, _, tag in named]


def takes_run(*keys: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, whose first parameter is a `Chosen`, the arguments and options that name a run.

    Parameters
    ----------
    keys
        The run options that the command takes, as flags where `FLAGS` has them, and by ``--set``.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()
        shared = _parameters(keys)

        def run(**given: Any) -> None:
            command(_choose({name: given.pop(name) for name in shared}, keys), **given)

        arguments = [each for each in own if each.default is inspect.Parameter.empty]
        options = [each for each in own if each.default is not inspect.Parameter.empty]
        ordered = [shared["name"], *arguments, *(each for name, each in shared.items() if name != "name"), *options]
        run.__signature__ = inspect.Signature([each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in ordered])  # type: ignore[attr-defined]
        run.__annotations__ = {}
        run.__name__, run.__module__ = command.__name__, command.__module__
        run.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n{_teach(keys)}"
        return run

    return decorate


TRAINING_KEYS, TRAINED_KEYS = tuple(KEYS), TRAINED


def _parameters(keys: Sequence[str]) -> dict[str, inspect.Parameter]:
    """The parameters of a command line that name a run, in the order in which help shows them."""
    annotated: dict[str, tuple[Any, Any]] = {
        "name": (Annotated[str, typer.Argument(help=NAME_HELP, metavar="NAME")], inspect.Parameter.empty),
        "data": (Data, DATA),
        "runs": (Runs, RUNS),
        "tag": (Tag, ""),
        "datasets": (Annotated[str, typer.Option(help=DATASETS_HELP)], ""),
    }
    for key in FLAGS:
        if key in keys:
            annotated[key] = (Annotated[str | None, typer.Option(help=KEYS[key]["help"], metavar=KEYS[key]["kind"])], None)
    if keys:
        annotated["set"] = (Annotated[list[str] | None, typer.Option("--set", help=SET_HELP, metavar="KEY=VALUE")], None)
    return {
        name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in annotated.items()
    }


def _choose(given: dict[str, Any], keys: Sequence[str]) -> Chosen:
    values = read_options(given.get("set") or (), keys)
    for key in FLAGS:
        if (text := given.get(key)) is None:
            continue
        if key in values:
            raise OptionInvalid(f"{key} is given twice: by --{key} and by --set {key}=...")
        values[key] = read_option(key, text)
    datasets = tuple(each.strip() for each in given["datasets"].split(",") if each.strip())
    return Chosen(given["name"], given["data"], given["runs"], given["tag"], datasets, values)


def _teach(keys: Sequence[str]) -> str:
    """The keys of ``--set`` for the help of a command, a paragraph each."""
    if not keys:
        return ""
    lines = [f"[bold]{key}[/]=[cyan]{kind}[/] ({default}): {help}" for key, kind, default, help in describe_keys(keys)]
    return "\n\n".join(["[bold]Keys of --set[/], with their type, default and meaning:", *lines])


def command_line() -> str:
    """The command as the user wrote it."""
    return shlex.join(["python", "-m", "training", *sys.argv[1:]])
