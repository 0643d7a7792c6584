"""What goes into the zoo, and every way to be refused: after a refusal the zoo is as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from models.preprocessing.recipe import find_recipe
from models.registry import Registry
from tests.support.tiny_experiments import CANCER, LABELER, make_runs
from training.data.pictures import read_picture
from training.errors import CardIncomplete, ContractBroken, ParityBroken, VersionTaken
from training.evaluate.running import predict_runs
from training.export import figures
from training.export import publish as publishing
from training.export.card import CardText, read_card_text
from training.export.exporting import export_run
from training.export.publish import PublishOptions, publish, show_metrics
from training.export.sessions import open_graph
from training.stages.options import RunOptions
from training.stages.run import Run

TEXT = CardText("for tests only", ("Made of thin air.",))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> RunOptions:
    return make_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def published(runs: RunOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    zoo = tmp_path_factory.mktemp("zoo")
    run, other = (Run(CANCER, replace(runs, tag=tag)) for tag in "ab")
    options = PublishOptions("1.0.0", zoo, average=[other], flips=True, calibration="none", card=TEXT, costs=("int8",), rounds=20)
    return publish(run, options)


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_model_with_manifest_and_card_is_in_the_zoo(published: Path) -> None:
    zoo = published.parents[1]
    assert contents(zoo) == [
        "mammotriage-tiny-cancer",
        "mammotriage-tiny-cancer/1.0.0",
        *(f"mammotriage-tiny-cancer/1.0.0/{name}" for name in ("CARD.md", "manifest.json", "model.onnx")),
    ]
    manifest = Registry(zoo).find("cancer").manifest
    assert manifest.metrics["averaged"] == ["tiny-cancer-a", "tiny-cancer-b"] and manifest.metrics["flips"] is True
    assert {"image", "breast", "patient"} <= set(manifest.metrics) and manifest.thresholds["cancer"] > 0
    costs = manifest.metrics["storage_costs"]
    assert set(costs) == {"fp32", "int8", "fp16"} and costs["fp32"]["against_fp32"] == 0
    assert json.loads(show_metrics(published)) == json.loads(json.dumps(manifest.metrics))


def test_the_card_says_what_a_reader_must_know(published: Path) -> None:
    card = (published / "CARD.md").read_text()
    manifest = Registry(published.parents[1]).load("mammotriage-tiny-cancer").manifest
    for said in (
        manifest.sha256, "for tests only", "Made of thin air.", "synthetic", "Largest difference between torch", "| image | machine ",
        "| breast | density ", "(age alone, no pixels)", "| int8 |", "average of tiny-cancer-a, tiny-cancer-b", "four flips",
    ):  # fmt: skip
        assert said in card, said


def test_the_published_graph_answers_what_evaluation_measured(published: Path, runs: RunOptions) -> None:
    """A whole picture through recipe and graph, as the service runs them, scores what the averaged runs scored."""
    model = Registry(published.parents[1]).find("cancer")
    pair = [Run(CANCER, replace(runs, tag=tag)) for tag in "ab"]
    table, samples = predict_runs(pair, flips=True)
    session = open_graph(model.path)
    place = int(np.flatnonzero(np.isin(samples.parts, ["validation", "test"]))[0])
    prepared = model.manifest.preprocessing(read_picture(samples.rows[place]), model.manifest.shape)
    score = session.run(["cancer"], {"pixels": prepared.pixels[None, None]})[0][0, 0]
    assert score == pytest.approx(table.scores["cancer"][0, 0], abs=2e-3)


@pytest.mark.parametrize("kind", ["platt", "isotonic", "temperature"])
def test_a_calibration_is_stored_as_it_was_fitted(kind: str, runs: RunOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.sample_predictions import make_table
    from training.export.calibrating import calibrated, fit_calibration
    from training.metrics.calibration import brier

    table = make_table()
    fitted = fit_calibration(table, kind)
    assert fitted.kind == kind
    raw, meant = table.part("validation").binary("cancer"), calibrated(table.part("validation"), fitted).binary("cancer")
    assert brier(*meant) < brier(*raw)
    with pytest.raises(ValueError, match="choose none, platt"):
        fit_calibration(table, "beta")
    with pytest.raises(ValueError, match="--calibration none"):
        fit_calibration(table.part("none"), kind)


def refused(error: type[Exception], match: str, runs: RunOptions, zoo: Path, **changes: object) -> None:
    """Publishing raises, and the zoo holds what it held before."""
    zoo.mkdir(exist_ok=True)
    (zoo / "note.txt").write_text("was here before")
    options = PublishOptions("1.0.0", zoo, calibration="none", card=TEXT, costs=(), rounds=5, storage="fp32")
    with pytest.raises(error, match=match):
        publish(Run(CANCER, replace(runs, tag="a")), replace(options, **changes))  # type: ignore[arg-type]
    assert contents(zoo) == ["note.txt"]


def test_a_graph_that_differs_from_torch_is_refused(runs: RunOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = export_run
    monkeypatch.setattr(publishing, "export_run", lambda *a, **k: replace(original(*a, **k), difference=0.2))
    refused(ParityBroken, r"largest difference 0\.2000 from torch on \d+ real images", runs, tmp_path / "zoo")


def test_a_graph_that_breaks_the_contract_is_refused(runs: RunOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further output that the manifest does not name: the service would not start with it."""
    original = export_run

    def spoil(*arguments: object, **changes: object) -> object:
        done = original(*arguments, **changes)  # type: ignore[arg-type]
        if done.path.name != "model.onnx":
            return done
        graph = onnx.load(done.path)
        graph.graph.node.append(helper.make_node("Identity", ["maps"], ["extra"]))
        graph.graph.output.append(helper.make_tensor_value_info("extra", 1, None))
        onnx.save(graph, done.path)
        return done

    monkeypatch.setattr(publishing, "export_run", spoil)
    refused(ContractBroken, "the service would not load .*extra", runs, tmp_path / "zoo")


def test_answers_that_are_no_probabilities_are_refused(runs: RunOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = export_run

    def spoil(*arguments: object, **changes: object) -> object:
        done = original(*arguments, **changes)  # type: ignore[arg-type]
        if done.path.name != "model.onnx":
            return done
        graph = onnx.load(done.path)
        sigmoid = next(node for node in graph.graph.node if "cancer" in node.output)
        sigmoid.output[0] = "probability"
        graph.graph.node.append(helper.make_node("Add", ["probability", "probability"], ["double"]))
        graph.graph.node.append(helper.make_node("Add", ["double", "double"], ["cancer"]))
        onnx.save(graph, done.path)
        return done

    monkeypatch.setattr(publishing, "export_run", spoil)
    refused(ContractBroken, "which are no probabilities", runs, tmp_path / "zoo")


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        (CardText("for tests", ()), "lacks its limits"),
        (CardText(" ", ("limit",)), "lacks a licence"),
        (CardText("for tests", (" ",)), "lacks its limits"),
    ],
    ids=["no limits", "no licence", "blank limits"],
)
def test_a_card_without_licence_or_limits_is_refused(text: CardText, lacking: str, runs: RunOptions, tmp_path: Path) -> None:
    refused(CardIncomplete, lacking, runs, tmp_path / "zoo", card=text)


def test_a_card_without_a_measured_figure_is_refused(runs: RunOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "summarise_metrics", lambda report: {"image": {"auc": None, "n": 3, "patients": 1}})
    refused(CardIncomplete, "a measured figure on held-out patients", runs, tmp_path / "zoo")


def test_a_published_version_never_changes(runs: RunOptions, published: Path) -> None:
    before = (published / "model.onnx").read_bytes()
    with pytest.raises(VersionTaken, match="higher --version"):
        publish(Run(CANCER, replace(runs, tag="b")), PublishOptions("1.0.0", published.parents[1], card=TEXT))
    assert (published / "model.onnx").read_bytes() == before


def test_every_task_has_a_card_text_and_a_file_without_licence_is_refused(tmp_path: Path) -> None:
    for task in ("labeler", "cancer", "view", "laterality", "density", "mass-patch", "lesion-patch"):
        text = read_card_text(task=task)
        assert "Not a medical device" in text.licence and text.limits
    (tmp_path / "own.toml").write_text('limits = ["fails on Mondays"]\n')
    with pytest.raises(CardIncomplete, match=r"own\.toml has no licence"):
        read_card_text(tmp_path / "own.toml", "cancer")
    (tmp_path / "own.toml").write_text('licence = "mine"\nlimits = ["fails on Mondays"]\n')
    assert read_card_text(tmp_path / "own.toml", "cancer") == CardText("mine", ("fails on Mondays",))


def test_a_labeler_is_published_with_its_confidence_thresholds(runs: RunOptions, tmp_path: Path) -> None:
    options = PublishOptions("2.1.0", tmp_path, name="site-labeler", card=TEXT, costs=(), rounds=5)
    folder = publish(Run(LABELER, replace(runs, tag="a")), options)
    manifest = Registry(tmp_path).find("labeler").manifest
    assert (manifest.name, manifest.version, manifest.storage) == ("site-labeler", "2.1.0", "fp16")
    assert set(manifest.thresholds) == {"view", "laterality"} and {"view", "laterality", "density"} <= set(manifest.metrics)
    assert find_recipe(manifest.recipe).name == "breast-stretch@1" and "| density | all | accuracy" in (folder / "CARD.md").read_text()
