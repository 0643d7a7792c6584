"""The manifest of a model, which the service executes: input size, recipe, outputs, thresholds and calibration."""

from __future__ import annotations

import math
from bisect import bisect_right
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from models.errors import ManifestInvalid
from models.preprocessing.recipe import Recipe, find_recipe

CANCER = "cancer"
"""The head whose output is one sigmoid probability (n, 1) instead of a distribution over classes."""

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
VersionText = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Task = Literal["labeler", "cancer", "view", "laterality", "density", "mass-patch", "lesion-patch"]
"""The task of a model. The service uses a labeler and a cancer model; the other tasks are for experiments."""

Shape = tuple[int | None, ...]
"""Length of each axis of a tensor; None for a free axis (batch, size of a map)."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Output(_Strict):
    """One head: the name of its graph output, and its classes in the order of the columns."""

    output: str = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=1)


class Calibration(_Strict):
    """From a raw to a calibrated probability: ``platt`` (Platt 1999, logistic regression on the logit), ``temperature`` (Guo et al. 2017,
    division of the logit) or ``isotonic`` (Zadrozny & Elkan 2002, a rising line through knots, flat beyond the outer two).
    """

    kind: Literal["none", "platt", "temperature", "isotonic"] = "none"
    slope: float = 1.0
    intercept: float = 0.0
    temperature: float = Field(1.0, gt=0.0)
    scores: tuple[Probability, ...] = Field((), description="knots of isotonic: raw scores, strictly rising")
    values: tuple[Probability, ...] = Field((), description="knots of isotonic: calibrated scores, never falling")

    @model_validator(mode="after")
    def _knots_rise(self) -> Self:
        if len(self.scores) != len(self.values):
            raise ValueError("isotonic needs a value for every score")
        if bool(self.scores) != (self.kind == "isotonic"):
            raise ValueError("isotonic needs knots, and nothing else has them")
        if any(a >= b for a, b in pairwise(self.scores)) or any(a > b for a, b in pairwise(self.values)):
            raise ValueError("isotonic knots must rise: a falling map would reverse the order of cases")
        return self

    def apply(self, score: float) -> float:
        """Calibrate one raw probability, 0 to 1. The map rises (for a positive slope), so ranks stay; isotonic may make ties."""
        if self.kind == "none":
            return score
        if self.kind == "isotonic":
            return self._along_knots(score)
        kept = min(max(score, 1e-7), 1.0 - 1e-7)
        logit = math.log(kept / (1.0 - kept))
        logit = logit / self.temperature if self.kind == "temperature" else self.slope * logit + self.intercept
        return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))

    def _along_knots(self, score: float) -> float:
        after = bisect_right(self.scores, score)
        if after == 0 or after == len(self.scores):
            return self.values[0] if after == 0 else self.values[-1]
        left, right = self.scores[after - 1], self.scores[after]
        low, high = self.values[after - 1], self.values[after]
        return low + (high - low) * (score - left) / (right - left)


class Manifest(_Strict):
    """The manifest of one model.

    The graph takes float32 ``(n, 1, rows, columns)`` in [0, 1], made by `recipe`. Each head of `outputs` gives probabilities
    ``(n, classes)``; the head ``cancer`` gives a raw sigmoid probability ``(n, 1)``. `map_output` is float32
    ``(n, classes of all heads, h, w)``: the class-activation maps, in the order of `outputs` and of their classes.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    version: VersionText
    task: Task
    recipe: str = Field(description="name@version of the preprocessing")
    rows: int = Field(gt=0, le=4096)
    columns: int = Field(gt=0, le=4096)
    input_name: str = "pixels"
    outputs: dict[str, Output] = Field(min_length=1, description="by head: view, laterality, density, cancer, or one of an experiment")
    map_output: str = "maps"
    thresholds: dict[str, Probability] = Field(
        default_factory=dict,
        description="by head: lowest confidence of a label; for cancer the operating point on the calibrated score",
    )
    calibration: Calibration = Calibration()
    metrics: dict[str, Any] = Field(default_factory=dict)
    licence: str = Field(min_length=1)
    data: str = Field(min_length=1, description="the training data")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of model.onnx")
    created: datetime
    opset: int = Field(gt=0)
    storage: Literal["fp16", "fp32", "int8"] = "fp32"

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        names = [head.output for head in self.outputs.values()]
        if len({*names, self.map_output}) != len(names) + 1:
            raise ValueError("two heads, or a head and the maps, share one graph output")
        if unknown := set(self.thresholds) - set(self.outputs):
            raise ValueError(f"thresholds for heads that do not exist: {', '.join(sorted(unknown))}")
        for head, output in self.outputs.items():
            if len(set(output.classes)) != len(output.classes):
                raise ValueError(f"head {head} names a class twice")
            if head == CANCER and len(output.classes) != 1:
                raise ValueError("the cancer head has one class")
        if self.task == CANCER and CANCER not in self.outputs:
            raise ValueError("a cancer model needs a head named cancer")
        return self

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a manifest.

        Raises
        ------
        ManifestInvalid
            The text does not fit the schema; the message names each field, never its value.
        RecipeUnknown
            This version has no such recipe: with another recipe the network would give wrong results without an error.
        """
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'manifest'}: {each['msg']}" for each in error.errors())
            raise ManifestInvalid(wrong) from None
        find_recipe(manifest.recipe)
        return manifest

    def to_json(self) -> str:
        """The text of manifest.json."""
        return self.model_dump_json(indent=2) + "\n"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns of the network input."""
        return self.rows, self.columns

    @property
    def preprocessing(self) -> Recipe:
        """The preprocessing of this model."""
        return find_recipe(self.recipe)

    @property
    def input_shape(self) -> Shape:
        return None, 1, self.rows, self.columns

    @property
    def output_shapes(self) -> dict[str, Shape]:
        """By the name of the graph output."""
        shapes: dict[str, Shape] = {head.output: (None, len(head.classes)) for head in self.outputs.values()}
        shapes[self.map_output] = (None, sum(len(head.classes) for head in self.outputs.values()), None, None)
        return shapes
