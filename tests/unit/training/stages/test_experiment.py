"""A whole experiment: gathered, trained through its stages, resumed, recalled, loaded; and what a user may change about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.tiny_experiments import PATIENTS, SIDES, make_data, same, sides_run
from training.data.splits import read_split
from training.data.table import Row, fingerprint
from training.errors import ClassEmpty, NotTrained, RunDiffers, SplitUnfit
from training.experiments.catalogue import find_experiment
from training.networks.patch_classifier import PatchClassifier
from training.stages.checkpoint import BEST, LAST, load, save
from training.stages.engine import predict
from training.stages.gathering import SampleRequest, gather_images, targets
from training.stages.options import Initialisation, RunOptions
from training.stages.parts import assign_parts, limit_patients
from training.stages.run import Run, load_run
from training.stages.run_config import load_config
from training.stages.samples import Samples
from training.stages.train import initialise, train
from training.stages.training_log import read_log


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder of a finished run."""
    runs = tmp_path_factory.mktemp("runs")
    train(sides_run(data, runs))
    return runs


def test_an_experiment_learns_from_files_to_a_network(data: Path, trained: Path) -> None:
    run = sides_run(data, trained)
    samples = run.gather()
    held = samples.where("test")
    logits = predict(run.network(), samples.crops[held], precision="fp32")["laterality"]
    assert len(held) >= 12 and (logits.argmax(axis=1) == samples.targets["laterality"][held]).mean() > 0.9
    assert [len(read_log(run.stage_folder(number))) for number in (1, 2)] == [2, 4]
    assert read_log(run.last_stage)[-1]["laterality"] > 0.9, "the validation part is measured after every epoch"


def test_a_run_keeps_what_made_it(data: Path, trained: Path) -> None:
    run = sides_run(data, trained)
    config = run.config()
    assert config == load_config(trained / "sides") and run.name == "sides"
    assert config["datasets"] == ["synthetic"] and config["split"] == run.split_name == "70/10/20" and config["samples"]["unused"] == 0
    assert [plan["epochs"] for plan in config["plans"]] == [2, 4]
    assert run.commit == config["commit"] and run.data_fingerprint == fingerprint(run.gather().rows)
    split = read_split(run.split_file)
    assert len(split) == PATIENTS and set(split.values()) == {"train", "validation", "test"}


def test_training_again_changes_nothing_and_other_settings_are_refused(data: Path, trained: Path) -> None:
    run = sides_run(data, trained)
    stamp = (trained / "sides" / "stage2" / LAST).stat().st_mtime_ns
    train(run)
    assert (trained / "sides" / "stage2" / LAST).stat().st_mtime_ns == stamp
    with pytest.raises(RunDiffers, match=r"shape was \[32, 24\], now \[48, 32\].*--tag"):
        train(sides_run(data, trained, shape=(48, 32)))
    with pytest.raises(RunDiffers, match="seed was 0, now 1"):
        train(sides_run(data, trained, seed=1))


def test_a_seed_decides_a_run(data: Path, tmp_path: Path) -> None:
    runs = [sides_run(data, tmp_path, epochs=2, tag=tag, seed=seed) for tag, seed in (("first", 4), ("again", 4), ("other", 5))]
    for run in runs:
        train(run)
    networks = [run.network() for run in runs]
    assert same(networks[0], networks[1]) and not same(networks[0], networks[2])
    parts = [read_split(tmp_path / f"sides-{tag}" / "split-70-10-20.csv") for tag in ("first", "other")]
    assert parts[0] == parts[1], "a seed never changes who is tested"


def test_a_run_is_evaluated_as_it_was_trained(data: Path, tmp_path: Path) -> None:
    changes = {"shape": (48, 32), "epochs": 2, "rates": 2.0, "fold": 2, "patients": 8, "weights": "random", "backbone": "small"}
    made = sides_run(data, tmp_path, tag="made", **changes)
    train(made)
    bare = RunOptions(data, tmp_path, "made")
    found = load_run(replace(SIDES, datasets=("rsna-bcd-640",)), bare)
    assert found.experiment.datasets == ("synthetic",) and found.shape == (48, 32)
    assert found.options.rates == 2.0 and found.options.initialisation == Initialisation("random", "small")
    first, second = made.gather(), found.gather()
    assert np.array_equal(first.parts, second.parts) and first.where("unused").size > 0
    assert len({first.rows[i].patient for i in first.where("train")}) == 8
    assert load_run(SIDES, replace(bare, shape=(64, 64))).shape == (64, 64)
    with pytest.raises(NotTrained, match=r"no run at .*sides-nothing"):
        load_run(SIDES, replace(bare, tag="nothing"))


def test_a_run_of_the_former_engine_is_loaded(data: Path, tmp_path: Path) -> None:
    """It kept no config and no best epoch."""
    old = SIDES.build(Initialisation())
    folder = tmp_path / "sides" / "stage2"
    (tmp_path / "sides" / "stage1").mkdir(parents=True)
    folder.mkdir()
    torch.save({"network": old.state_dict(), "optimiser": {}, "schedule": {}, "epoch": 4}, folder / LAST)
    run = sides_run(data, tmp_path)
    assert load_run(SIDES, run.options) == run and same(run.network(), old)


def test_an_unfinished_run_is_not_taken_for_a_network(data: Path, tmp_path: Path) -> None:
    (tmp_path / "sides" / "stage1").mkdir(parents=True)
    save(tmp_path / "sides" / "stage1" / LAST, {"network": SIDES.build(Initialisation()).state_dict()})
    with pytest.raises(NotTrained, match=r"no checkpoint in .*stage2: `python -m training train sides`"):
        sides_run(data, tmp_path).network()


def test_the_best_epoch_is_the_one_that_is_loaded(data: Path, trained: Path, tmp_path: Path) -> None:
    best = load(trained / "sides" / "stage2" / BEST)
    network = sides_run(data, trained).network()
    assert all(torch.equal(value, best["network"][name]) for name, value in network.state_dict().items())
    assert best["value"] == pytest.approx(max(line["laterality"] for line in read_log(trained / "sides" / "stage2")), abs=1e-4)


def test_a_network_may_begin_where_another_run_ended(data: Path, trained: Path) -> None:
    for place in (trained / "sides", trained / "sides" / "stage2" / BEST):
        assert same(initialise(SIDES, Initialisation(str(place))), sides_run(data, trained).network())


def test_an_empty_class_says_which(data: Path, tmp_path: Path) -> None:
    lefts = replace(SIDES, gather=lambda request: _only(gather_images(request), 0))
    with pytest.raises(ClassEmpty, match=r"no sample of laterality R among its \d+: use more patients"):
        train(Run(lefts, RunOptions(data, tmp_path)))
    assert not (tmp_path / "sides").exists(), "nothing is left of a run that could not begin"


def _only(samples: Samples, wanted: int) -> Samples:
    return replace(samples, targets={"laterality": np.where(samples.targets["laterality"] == wanted, wanted, -1)})


def test_an_empty_train_part_is_reported(data: Path, tmp_path: Path) -> None:
    def gather(request: SampleRequest) -> Samples:
        samples = gather_images(request)
        return replace(samples, parts=np.full(len(samples.rows), "test"))

    with pytest.raises(SplitUnfit, match="no sample of synthetic is in the train part"):
        train(Run(replace(SIDES, gather=gather), RunOptions(data, tmp_path)))


def test_every_patient_is_tested_in_one_fold(data: Path, tmp_path: Path) -> None:
    rows = sides_run(data, tmp_path).gather().rows
    tested = []
    for fold in range(1, 6):
        parts = assign_parts(rows, "k-fold", fold)
        tested += sorted({row.patient for row, part in zip(rows, parts, strict=True) if part == "test"})
        assert set(parts) == {"train", "validation", "test"}
    assert len(tested) == len(set(tested)) == PATIENTS
    for wrong in (0, 6, None):
        with pytest.raises(SplitUnfit, match="choose one of 1 to 5"):
            assign_parts(rows, "k-fold", wrong)


def test_a_split_that_does_not_fit_the_data_is_reported(data: Path, tmp_path: Path) -> None:
    rows = sides_run(data, tmp_path).gather().rows
    other = tmp_path / "other.csv"
    other.write_text(f"patient,part\n{rows[0].patient},train\nsomeone,test\n", encoding="utf-8")
    with pytest.raises(SplitUnfit, match=rf"other\.csv has no part for {PATIENTS - 1} of {PATIENTS} patients"):
        assign_parts(rows, other)
    with pytest.raises(SplitUnfit, match=r"no split file 60/40, and no rule of that name; rules: .*70/10/20"):
        assign_parts(rows, "60/40")


def test_fewer_patients_are_part_of_more_and_keep_the_share_of_cancers() -> None:
    rows = [_row(number, sick=number % 3 == 0) for number in range(90) for _ in range(2)]
    parts = np.array(["test" if index < 20 else "train" for index in range(len(rows))])
    kept = {count: _train_patients(rows, limit_patients(rows, parts, count)) for count in (9, 30, 60)}
    assert kept[9] < kept[30] < kept[60] and [len(kept[count]) for count in kept] == [9, 30, 60]
    for count, patients in kept.items():
        assert sum(int(patient) % 3 == 0 for patient in patients) == pytest.approx(count / 3, abs=1)
    assert (limit_patients(rows, parts, 9) == "test").sum() == 20, "the test part stays"
    with pytest.raises(SplitUnfit, match="choose a number from 1 to 80"):
        limit_patients(rows, parts, 81)


def _row(number: int, sick: bool) -> Row:
    return Row("set", str(number), "e", "i", Path("x"), "CC", "L", "L", None, "malignant" if sick else "negative", "m", None)


def _train_patients(rows: list[Row], parts: np.ndarray) -> set[str]:
    return {row.patient for row, part in zip(rows, parts, strict=True) if part == "train"}


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"epochs": 3}, lambda plans: [plan.epochs for plan in plans] == [1, 2]),
        ({"batch": 3, "accumulate": 2}, lambda plans: all((plan.batch, plan.accumulate) == (3, 2) for plan in plans)),
        ({"patience": 0}, lambda plans: all(plan.patience == 0 for plan in plans)),
        ({"seed": 2}, lambda plans: [plan.seed for plan in plans] == [2000, 2001]),
        ({"precision": "bf16", "deterministic": True}, lambda plans: all(p.deterministic and p.precision == "bf16" for p in plans)),
        ({}, lambda plans: plans == SIDES.plans),
    ],
    ids=["epochs", "batch", "patience", "seed", "precision", "nothing"],
)
def test_what_a_user_sets_holds_in_every_stage(change: dict[str, object], seen: Callable[[object], bool], tmp_path: Path) -> None:
    assert seen(sides_run(tmp_path, tmp_path, **change).plans)


def test_targets_mark_what_is_unknown() -> None:
    row = _row(1, sick=True)
    assert targets(SIDES.heads, [row, replace(row, laterality=None)])["laterality"].tolist() == [0, -1]
    assert targets({"cancer": ("malignant",)}, [row, replace(row, pathology="benign"), replace(row, pathology=None)])[
        "cancer"
    ].tolist() == [1, 0, -1]


def test_a_forest_is_trained_saved_and_loaded_as_a_network_is(data: Path, tmp_path: Path) -> None:
    """Shen et al. 2017, 3.1.4: the patch classifier comes from its own run, the forest from the training images."""
    patches = tmp_path / "patches" / "stage1"
    patches.mkdir(parents=True)
    save(patches / LAST, {"network": PatchClassifier("efficientnet-lite0", "random").state_dict()})
    forest = replace(find_experiment("two-step-resnet50-s10", ["synthetic"]), split="70/10/20")
    options = RunOptions(data, tmp_path, shape=(256, 224), weights=str(tmp_path / "patches"), backbone="efficientnet-lite0")
    run = Run(forest, options)
    train(run)
    network = run.network()
    assert torch.isfinite(network.get_buffer("thresholds")).any() or (network.get_buffer("leaves") != 0.5).any(), "the forest was fitted"
    samples = run.gather()
    logits = predict(network, samples.crops[samples.where("test")[:2]], precision="fp32")["cancer"]
    assert logits.shape == (2, 1) and np.isfinite(logits).all()
    stamp = (run.last_stage / LAST).stat().st_mtime_ns
    train(run)
    assert (run.last_stage / LAST).stat().st_mtime_ns == stamp, "a finished run is left alone"
    with pytest.raises(ValueError, match="name its folder with --weights RUNS/patches-resnet50-s10"):
        forest.build(Initialisation())


def test_the_config_is_plain_json(trained: Path) -> None:
    text = (trained / "sides" / "run_config.json").read_text(encoding="utf-8")
    assert json.loads(text)["torch"] == torch.__version__.partition("+")[0] and text.endswith("}\n")
