"""Manifest and registry: what is written is read back, what does not fit is refused with the name of the reason."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from models.errors import ManifestInvalid, ModelCorrupt, ModelUnknown, RecipeUnknown
from models.manifest import Calibration, Manifest
from models.preprocessing.recipe import breast_stretch
from models.registry import Axes, Registry, sha256_of

Graph = dict[str, Axes]
GRAPH = b"not really a graph: the registry never opens it"


def manifest_fields(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": "mammotriage-labeler",
        "version": "1.0.0",
        "task": "labeler",
        "recipe": "breast-stretch@1",
        "rows": 384,
        "columns": 320,
        "outputs": {
            "view": {"output": "view", "classes": ["CC", "MLO"]},
            "laterality": {"output": "laterality", "classes": ["R", "L"]},
            "density": {"output": "density", "classes": ["A", "B", "C", "D"]},
        },
        "thresholds": {"view": 0.9},
        "licence": "for tests",
        "data": "none",
        "sha256": hashlib.sha256(GRAPH).hexdigest(),
        "created": "2026-11-21T12:00:00Z",
        "opset": 17,
    }
    return fields | changes


def put(zoo: Path, graph: bytes = GRAPH, **changes: Any) -> Path:
    fields = manifest_fields(**changes)
    folder = zoo / str(fields["name"]) / str(fields["version"])
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(graph)
    (folder / "manifest.json").write_text(json.dumps(fields))
    return folder


def test_a_manifest_survives_its_own_text() -> None:
    manifest = Manifest.model_validate(manifest_fields())
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.shape == (384, 320)
    assert manifest.preprocessing is breast_stretch


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "1"},
        {"sha256": "0"},
        {"rows": 0},
        {"surprise": 1},
        {"task": "segmentation"},
        {"thresholds": {"view": 1.5}},
        {"thresholds": {"age": 0.5}},
        {"task": "cancer"},
        {"outputs": {"cancer": {"output": "cancer", "classes": ["no", "yes"]}}},
        {"outputs": {"view": {"output": "maps", "classes": ["CC", "MLO"]}}},
        {"outputs": {"view": {"output": "view", "classes": ["CC", "CC"]}}},
    ],
)
def test_a_manifest_that_does_not_fit_is_invalid(changes: dict[str, Any]) -> None:
    with pytest.raises(ManifestInvalid):
        Manifest.from_json(json.dumps(manifest_fields(**changes)))


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", "null"])
def test_text_that_is_no_manifest_is_invalid(text: str) -> None:
    with pytest.raises(ManifestInvalid):
        Manifest.from_json(text)


def test_a_recipe_of_another_release_is_refused() -> None:
    with pytest.raises(RecipeUnknown):
        Manifest.from_json(json.dumps(manifest_fields(recipe="breast-stretch@99")))


def test_no_calibration_leaves_the_score() -> None:
    assert Calibration().apply(0.3) == 0.3


def test_platt_calibration_is_a_logistic_of_the_logit() -> None:
    assert Calibration(kind="platt").apply(0.3) == pytest.approx(0.3)
    assert Calibration(kind="platt", slope=1.0, intercept=-2.0).apply(0.5) == pytest.approx(0.1192029, abs=1e-6)
    scores = [Calibration(kind="platt", slope=0.7, intercept=-3.0).apply(score / 100) for score in range(101)]
    assert scores == sorted(scores) and 0.0 <= scores[0] < scores[-1] <= 1.0


def test_the_newest_version_is_found_by_number_not_by_text(tmp_path: Path) -> None:
    for version in ("1.2.0", "1.10.0", "1.9.9"):
        put(tmp_path, version=version)
    registry = Registry(tmp_path)
    assert registry.find("labeler").manifest.version == "1.10.0"
    assert registry.load("mammotriage-labeler").manifest.version == "1.10.0"
    assert registry.load("mammotriage-labeler", "1.2.0").path == tmp_path / "mammotriage-labeler" / "1.2.0" / "model.onnx"
    assert [each.version for each in registry.manifests()] == ["1.10.0", "1.9.9", "1.2.0"]


def test_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    put(tmp_path)
    with pytest.raises(ModelUnknown):
        Registry(tmp_path).find("cancer")
    with pytest.raises(ModelUnknown):
        Registry(tmp_path).load("other")
    with pytest.raises(ModelUnknown):
        Registry(tmp_path).load("mammotriage-labeler", "2.0.0")
    with pytest.raises(ModelUnknown):
        Registry(tmp_path / "nowhere").find("labeler")


def test_a_changed_or_missing_graph_is_corrupt(tmp_path: Path) -> None:
    graph = put(tmp_path) / "model.onnx"
    graph.write_bytes(GRAPH + b"!")
    with pytest.raises(ModelCorrupt):
        Registry(tmp_path).find("labeler")
    graph.unlink()
    with pytest.raises(ModelCorrupt):
        Registry(tmp_path).find("labeler")


def test_a_manifest_in_the_wrong_folder_is_invalid(tmp_path: Path) -> None:
    put(tmp_path).rename(tmp_path / "mammotriage-labeler" / "2.0.0")
    with pytest.raises(ManifestInvalid):
        Registry(tmp_path).manifests()


def test_a_graph_is_compared_with_the_manifest(tmp_path: Path) -> None:
    put(tmp_path)
    model = Registry(tmp_path).find("labeler")
    inputs: Graph = {"pixels": ["n", 1, 384, 320]}
    outputs: Graph = {"view": ["n", 2], "laterality": ["n", 2], "density": [None, 4], "maps": ["n", 8, 12, 10]}
    model.verify_graph(inputs, outputs)
    wrong: list[tuple[Graph, Graph]] = [
        ({"image": ["n", 1, 384, 320]}, outputs),
        ({"pixels": ["n", 1, 320, 384]}, outputs),
        ({"pixels": [1, 384, 320]}, outputs),
        (inputs, outputs | {"density": ["n", 5]}),
        (inputs, outputs | {"extra": ["n", 5]}),
        (inputs, {"view": ["n", 2]}),
    ]
    for wrong_inputs, wrong_outputs in wrong:
        with pytest.raises(ManifestInvalid):
            model.verify_graph(wrong_inputs, wrong_outputs)


def test_every_model_that_ships_is_what_its_manifest_says() -> None:
    for manifest in Registry().manifests():
        model = Registry().load(manifest.name, manifest.version)
        assert sha256_of(model.path) == manifest.sha256
        assert (model.path.parent / "CARD.md").is_file()
