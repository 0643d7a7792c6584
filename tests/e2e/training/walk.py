"""The user's way, step by step: train, evaluate, export, publish and serve, each as the command line does it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typer.testing import CliRunner

from models.preprocessing.picture import Picture
from models.registry import Registry
from service.analyse.network import Network
from training.cli import app
from training.data.pictures import read_picture
from training.evaluate.predictions import Predictions, name_cases, read_predictions
from training.export.publish import PublishOptions, publish
from training.stages.experiment import Experiment
from training.stages.options import RunOptions
from training.stages.run import Run, load_run
from training.stages.samples import Samples

SAME_SCORE = 0.0005
"""A probability of the service's runner may differ from the report's by this much: the same float32 arithmetic in another order."""


def call(*arguments: object) -> str:
    """Run ``python -m training ARGUMENTS`` and give what it printed; an error fails the test with its message."""
    done = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, f"{arguments[0]} exits with {done.exit_code}: {done.output}"
    return done.output


@dataclass(frozen=True)
class Walk:
    """One experiment under way."""

    experiment: Experiment
    data: Path
    runs: Path
    tag: str = ""

    @property
    def places(self) -> list[object]:
        return [self.experiment.name, "--data", self.data, "--runs", self.runs, "--tag", self.tag]

    @property
    def folder(self) -> Path:
        return self.runs / (f"{self.experiment.name}-{self.tag}" if self.tag else self.experiment.name)

    def train(self, *options: object) -> None:
        call("train", *self.places, *options)

    def evaluate(self, *options: object) -> dict[str, Any]:
        """The report on patients that the network never saw."""
        call("evaluate", *self.places, "--rounds", 50, *options)
        answer: dict[str, Any] = json.loads((self.folder / "report" / "report.json").read_text())
        return answer

    @property
    def predictions(self) -> Predictions:
        """What the report was computed from."""
        return read_predictions(self.folder / "report" / "predictions.csv").part("test")

    def export(self, path: Path) -> float:
        """Write the graph; its largest difference from torch on real pictures, as the command prints it."""
        printed = call("export", *self.places[:1], path, *self.places[1:], "--storage", "fp32")
        found = re.search(r"difference=([0-9.e-]+)", printed)
        assert path.is_file() and found, printed
        return float(found.group(1))

    def serve(self, zoo: Path) -> Network:
        """Publish into a zoo of one's own and load it as the service does."""
        folder = publish(self.trained, PublishOptions("1.0.0", zoo, storage="fp32", costs=(), calibration="none", rounds=20))
        assert {each.name for each in folder.iterdir()} == {"model.onnx", "manifest.json", "CARD.md"}
        return Network(Registry(zoo).find(self.experiment.task), "cpu", 0, False)

    @property
    def trained(self) -> Run:
        return load_run(self.experiment, RunOptions(self.data, self.runs, self.tag))

    def samples(self) -> Samples:
        return self.trained.gather()


def score_images(network: Network, samples: Samples, head: str) -> dict[str, NDArray[np.float32]]:
    """The runner's answer to each whole test image, read from its file again, by the name that the predictions have for it."""
    return _score(network, samples, head, [Picture(read_picture(samples.rows[i]), False, "png") for i in samples.where("test")])


def score_patches(network: Network, samples: Samples, head: str) -> dict[str, NDArray[np.float32]]:
    """The runner's answer to each test patch."""
    return _score(network, samples, head, [Picture(np.asarray(samples.crops[i]), False, "png") for i in samples.where("test")])


def _score(network: Network, samples: Samples, head: str, pictures: list[Picture]) -> dict[str, NDArray[np.float32]]:
    cases = name_cases(samples.rows, [str(part) for part in samples.parts])
    return {cases[i].sample: network.run(picture).scores[head] for i, picture in zip(samples.where("test"), pictures, strict=True)}


def largest_difference(served: dict[str, NDArray[np.float32]], table: Predictions, head: str) -> float:
    """Between what the runner and what the report says of the same samples."""
    assert {case.sample for case in table.cases} == set(served)
    reported = {case.sample: scores for case, scores in zip(table.cases, table.scores[head], strict=True)}
    return max(float(np.abs(reported[name] - scores).max()) for name, scores in served.items())
