"""The tool as a user meets it: help that teaches, options that arrive, errors in one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.tiny_experiments import SIDES, make_data
from training.cli import app
from training.experiments.catalogue import EXPERIMENTS, absent_datasets, find_experiment
from training.experiments.curve import read_sizes
from training.stages.options import KEYS, RunOptions, describe_keys
from training.stages.run_config import load_config

ROOT = Path(__file__).parents[3]
COMMANDS = (
    "index",
    "split",
    "cache",
    "train",
    "evaluate",
    "explain",
    "export",
    "publish",
    "experiments",
    "curve",
    "soup",
    "synthetic",
    "results",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "sides", SIDES)
    monkeypatch.setenv("TERMINAL_WIDTH", "200")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def sets(**options: object) -> list[str]:
    return [word for key, value in options.items() for word in ("--set", f"{key}={value}")]


def plain(text: str) -> str:
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", text).split())


def test_every_command_is_there_and_teaches() -> None:
    said = plain(call("--help").output)
    assert all(f" {command} " in said for command in COMMANDS)
    assert "python -m training synthetic DATA/synthetic" in said, "a first walk that anyone can take"
    registered = {command.name for command in app.registered_commands}
    assert registered == set(COMMANDS)
    for command in COMMANDS:
        assert len(plain(call(command, "--help").output)) > 250, command
    for command in ("train", "evaluate", "explain", "export", "publish", "curve", "experiments", "split", "index", "synthetic"):
        assert f"python -m training {command}" in plain(call(command, "--help").output), f"{command} shows an example"


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, training.cli; assert 'torch' not in sys.modules and 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_the_help_teaches_every_key_of_set() -> None:
    said = plain(call("train", "--help").output)
    for key, kind, default, meaning in describe_keys():
        assert f"{key}={kind} ({default}): {meaning}" in said
    options = {each.name for each in fields(RunOptions)}
    assert options - set(KEYS) == {"data", "runs", "tag"}, "the folders have flags of their own"
    assert "epochs=" not in plain(call("evaluate", "--help").output), "a trained run keeps its epochs"


def test_a_flag_and_its_key_are_the_same_option(data: Path, tmp_path: Path) -> None:
    for tag, options in (("flags", ["--shape", "40x32", "--epochs", 1]), ("keys", sets(shape="40x32", epochs=1))):
        assert call("train", "sides", "--data", data, "--runs", tmp_path, "--tag", tag, *options).exit_code == 0
    configs = [load_config(tmp_path / f"sides-{tag}") for tag in ("flags", "keys")]
    assert all(configs[0][name] == configs[1][name] for name in ("shape", "epochs", "plans"))


def test_an_experiment_may_be_a_file_of_the_users(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import replace\nfrom tests.support.tiny_experiments import SIDES\n"
        "EXPERIMENT = replace(SIDES, name='mine', plans=SIDES.plans[:1])\n"
    )
    there = ("--data", data, "--runs", tmp_path)
    assert call("train", file, *there).exit_code == 0
    assert call("evaluate", file, *there, "--rounds", 5).exit_code == 0
    assert (tmp_path / "mine" / "report" / "report.json").is_file()
    file.write_text("experiment = 3\n")
    assert "mine.py defines no EXPERIMENT" in call("train", file, *there).stderr


def test_options_arrive_in_the_run(data: Path, tmp_path: Path) -> None:
    done = call(
        "train", "sides", "--data", data, "--runs", tmp_path, "--tag", "all", "--shape", "40x32", "--epochs", "3", "--batch", "4",
        "--split", "k-fold", "--weights", "random", "--backbone", "small", "--datasets", f"synthetic:{data}/synthetic",
        *sets(seed=7, fold=3, patients=9, accumulate=2, patience=5, precision="bf16", deterministic="true", rates=2, workers=0),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert f"trained: {tmp_path / 'sides-all'}" in done.output
    record = load_config(tmp_path / "sides-all")
    assert (record["shape"], record["seed"], record["patients"], record["split"]) == ([40, 32], 7, 9, "fold 3 of 5")
    assert record["initialisation"] == {"weights": "random", "backbone": "small"} and record["datasets"] == [f"synthetic:{data}/synthetic"]
    plans = record["plans"]
    assert record["rates"] == 2.0 and [plan["epochs"] for plan in plans] == [1, 2] and {plan["batch"] for plan in plans} == {4}
    assert all(
        plan["accumulate"] == 2 and plan["patience"] == 5 and plan["deterministic"] and plan["precision"] == "bf16" for plan in plans
    )


def test_a_run_goes_through_every_later_command_without_its_options_again(data: Path, tmp_path: Path) -> None:
    there = ("--data", data, "--runs", tmp_path)
    for seed in (0, 1):
        options = ("--tag", f"seed{seed}", *sets(seed=seed), "--shape", "40x32", "--split", "80/10/10", "--epochs", 2)
        assert call("train", "sides", *there, *options).exit_code == 0
    run = tmp_path / "sides-seed0"
    done = call("evaluate", "sides", *there, "--tag", "seed0", "--compare", "sides:seed1", "--rounds", 20, "--out", tmp_path / "results")
    assert done.exit_code == 0 and str(run / "report" / "report.html") in done.output, done.output
    report = json.loads((run / "report" / "report.json").read_text(encoding="utf-8"))
    assert (
        report["run"]["shape"] == [40, 32] and "split-80-10-10" in report["run"]["split"] and report["comparison"]["with"] == "sides-seed1"
    )
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["sides-seed0.json"]
    done = call("evaluate", "sides", *there, "--tag", "seed0", "--average", "sides:seed1", "--rounds", 20, "--report", tmp_path / "both")
    assert done.exit_code == 0 and (tmp_path / "both" / "report.md").is_file(), done.output
    done = call("explain", "sides", *there, "--tag", "seed0", "--count", 1, "--out", tmp_path / "pictures")
    assert done.exit_code == 0 and list((tmp_path / "pictures").glob("*.png")), done.output
    done = call("export", "sides", tmp_path / "sides.onnx", *there, "--tag", "seed0", "--storage", "fp32")
    assert done.exit_code == 0 and "difference" in done.output and (tmp_path / "sides.onnx").is_file(), done.output


def test_folds_are_pooled_into_one_report(data: Path, tmp_path: Path) -> None:
    there = ("--data", data, "--runs", tmp_path)
    for fold in range(1, 6):
        assert call("train", "sides", *there, *sets(fold=fold), "--tag", f"fold{fold}", "--epochs", 2).exit_code == 0
        assert call("evaluate", "sides", *there, "--tag", f"fold{fold}", "--rounds", 10).exit_code == 0
    pool = [word for fold in range(2, 6) for word in ("--pool", f"fold{fold}")]
    done = call("evaluate", "sides", *there, "--tag", "fold1", *pool, "--rounds", 10)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "sides-folds" / "report.json").read_text(encoding="utf-8"))
    assert report["counts"]["test"]["patients"] == 20, "every patient is tested once"


def test_a_curve_adds_patients_and_keeps_its_figures(data: Path, tmp_path: Path) -> None:
    done = call("curve", "sides", "--patients", "4,8,all", "--data", data, "--runs", tmp_path, "--epochs", "6", "--out", tmp_path / "curve")
    assert done.exit_code == 0, done.output
    curve = json.loads((tmp_path / "curve" / "sides-curve.json").read_text(encoding="utf-8"))
    assert [point["patients"] for point in curve["points"]] == [4, 8, 14]
    for point in curve["points"]:
        figure = point["figures"]["laterality"]
        assert figure["figure"] == "auc" and figure["interval95"][0] <= figure["value"] <= figure["interval95"][1]
    assert curve["points"][-1]["figures"]["laterality"]["value"] > 0.9
    assert (tmp_path / "curve" / "sides-curve.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.glob("sides-*")} == {"sides-4-patients", "sides-8-patients", "sides-all-patients"}
    assert str(data) not in json.dumps(curve), "a curve can be published: it names no folder of this machine"


def test_every_row_of_the_papers_is_listed_with_what_it_needs(data: Path) -> None:
    said = plain(call("experiments", "--data", data).output)
    for experiment in EXPERIMENTS.values():
        assert experiment.paper and experiment.needs and experiment.name in said
    assert "no rsna-bcd-640, mini-mias" in said, "their data are not below that folder"
    only = call("experiments", "--data", data, "--only", "sides").output
    assert "sides" in only and "labeler" not in only and "synthetic" in only and "no synthetic" not in only
    for system in ("Yi et al. 2019", "Levy", "Kim", "Shen et al. 2017"):
        assert any(system in experiment.paper for experiment in EXPERIMENTS.values()), system


def test_the_index_counts_and_a_split_is_written(data: Path, tmp_path: Path) -> None:
    said = call("index", "--data", data).output
    assert "synthetic" in said and "80" in said and "mini-mias" not in said
    assert call("split", tmp_path / "own.csv", "--data", data, "--datasets", "synthetic", "--rule", "70/10/20").exit_code == 0
    assert (tmp_path / "own.csv").read_text(encoding="utf-8").startswith("patient,part\n")
    assert call("split", tmp_path / "k.csv", "--data", data, "--datasets", "synthetic", "--rule", "k-fold").exit_code == 0
    assert len(list(tmp_path.glob("k-*.csv"))) == 5
    assert "80 samples of 32x24" in call("cache", "sides", "--data", data, "--runs", tmp_path).output


def test_a_synthetic_set_is_made(tmp_path: Path) -> None:
    assert call("synthetic", tmp_path / "synthetic", "--patients", "2", "--size", "256x256").exit_code == 0
    assert len(list((tmp_path / "synthetic" / "images").iterdir())) == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "sidse"), "no experiment named 'sidse' (did you mean sides"),
        (("train", "sides", "--shape", "40"), "'40' is no size: write rows and columns as 512x320"),
        (("train", "sides", "--set", "fold=9"), "no fold 9: choose one of 1 to 5 with --set fold=N"),
        (("train", "sides", "--split", "60/40"), "no rule of that name"),
        (("train", "sides", "--set", "patients=99"), "99 training patients were asked for, and there are 14"),
        (("train", "sides", "--datasets", "inbreast"), "point --data at the folder that holds inbreast/"),
        (("train", "sides", "--datasets", "imbreast"), "no reader named 'imbreast'"),
        (("evaluate", "sides", "--tag", "never"), "train first with `python -m training train`"),
        (("train", "sides", "--set", "epoch=3"), "--set epoch=3: write KEY=VALUE, with a key of split, fold, shape, epochs"),
        (("train", "sides", "--set", "epochs"), "write KEY=VALUE"),
        (("train", "sides", "--set", "epochs=0"), "epochs takes integer >= 1, not '0'"),
        (("train", "sides", "--set", "rates=fast"), "rates takes number > 0, not 'fast'"),
        (("train", "sides", "--set", "shape=40"), "'40' is no size"),
        (("train", "sides", "--set", "seed=1", "--set", "seed=2"), "--set seed is given twice"),
        (("train", "sides", "--epochs", "2", "--set", "epochs=2"), "epochs is given twice: by --epochs and by --set"),
        (("evaluate", "sides", "--set", "epochs=2"), "with a key of split, fold, shape, backbone, precision"),
        (("train", "nothing.py"), "no file nothing.py"),
        (("curve", "sides", "--patients", "some"), "'some' is no number of patients"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_our_own_errors_are_one_line_and_exit_with_two(arguments: tuple[str, ...], said: str, data: Path, tmp_path: Path) -> None:
    done = call(*arguments, "--data", data, "--runs", tmp_path)
    assert done.exit_code == 2 and said in done.stderr and "Traceback" not in done.output
    assert len(done.stderr.strip().splitlines()) == 1 and done.stderr.startswith("error: ")


def test_an_error_that_is_not_ours_is_shown_whole(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        json.loads("{")

    monkeypatch.setattr("training.stages.train.train", fail)
    done = call("train", "sides", "--data", data, "--runs", tmp_path)
    assert done.exit_code == 1 and isinstance(done.exception, json.JSONDecodeError)


def test_a_traceback_can_be_asked_for(data: Path, tmp_path: Path) -> None:
    done = call("--traceback", "train", "sides", "--set", "fold=9", "--data", data, "--runs", tmp_path)
    assert done.exit_code == 1 and done.exception is not None and "no fold 9" in str(done.exception)


def test_the_module_is_the_tool() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training", "train", "nothing-like-it"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "no experiment named 'nothing-like-it'" in done.stderr and "Traceback" not in done.stderr


def test_sizes_of_a_curve_are_read() -> None:
    assert read_sizes("25, 50,all") == [25, 50, None]


def test_other_data_sets_take_the_place_of_the_papers(data: Path) -> None:
    own = find_experiment("labels-view", ["table:/archive", "synthetic"])
    assert own.datasets == ("table:/archive", "synthetic") and EXPERIMENTS["labels-view"].datasets == ("rsna-bcd-640",)
    assert absent_datasets(own, data) == ["table:/archive"]
