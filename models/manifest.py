"""What a model says of itself, and what the runner executes: sizes, recipe, outputs, thresholds, calibration. Never only a description."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from models.errors import ManifestInvalid
from models.preprocessing.recipe import Recipe, find_recipe

CANCER = "cancer"
"""The head whose output is one sigmoid probability (n, 1) instead of a distribution over classes."""

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
VersionText = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Shape = tuple[int | None, ...]
"""Length of every axis of a tensor; None where the graph may choose (the batch, the size of a map)."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Output(_Part):
    """One head: the graph output that carries it, and its classes in the order of the columns."""

    output: str = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=1)


class Calibration(_Part):
    """From a raw probability to one that means what it says. Platt (1999): a logistic regression on the logit."""

    kind: Literal["none", "platt"] = "none"
    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, score: float) -> float:
        """Calibrate one raw probability, 0 to 1; a monotone map for a positive slope, so ranks and the AUC stay."""
        if self.kind == "none":
            return score
        kept = min(max(score, 1e-7), 1.0 - 1e-7)
        logit = self.slope * math.log(kept / (1.0 - kept)) + self.intercept
        return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))


class Manifest(_Part):
    """A model in the zoo.

    The graph takes float32 ``(n, 1, rows, columns)`` in [0, 1], made by `recipe`. Each head of `outputs` answers probabilities
    ``(n, classes)``; the head ``cancer`` answers a raw sigmoid probability ``(n, 1)``. `map_output` is float32
    ``(n, classes of all heads, h, w)``: the class-activation maps, in the order of `outputs` and of their classes.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    version: VersionText
    task: Literal["labeler", "cancer"]
    recipe: str = Field(description="name@version of the preprocessing")
    rows: int = Field(gt=0, le=4096)
    columns: int = Field(gt=0, le=4096)
    input_name: str = "pixels"
    outputs: dict[str, Output] = Field(min_length=1, description="by head: view, laterality, density, cancer")
    map_output: str = "maps"
    thresholds: dict[str, Probability] = Field(
        default_factory=dict,
        description="by head: the least confidence that still is an answer; for cancer the operating point on the calibrated score",
    )
    calibration: Calibration = Calibration()
    metrics: dict[str, Any] = Field(default_factory=dict)
    licence: str = Field(min_length=1)
    data: str = Field(min_length=1, description="what it was trained on")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of model.onnx")
    created: datetime
    opset: int = Field(gt=0)
    storage: Literal["fp16", "fp32"] = "fp32"

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
            This version has no such recipe: a network fed by another recipe would answer nonsense without a sign.
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

    def map_channel(self, head: str, class_name: str) -> int:
        """Which channel of the maps belongs to a class of a head.

        Raises
        ------
        KeyError
            There is no such head or class.
        """
        channel = 0
        for name, output in self.outputs.items():
            if name == head and class_name in output.classes:
                return channel + output.classes.index(class_name)
            channel += len(output.classes)
        raise KeyError(f"{head}/{class_name}")
