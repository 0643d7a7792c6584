"""A whole experiment: gathered, trained through its stages, resumed, recalled, loaded; and what a user may change about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.unit.training.tiny import PATIENTS, SIDES, make_data, same, setting
from training.data.splits import read_split
from training.data.table import Row
from training.experiments.catalogue import find_experiment
from training.networks.patch_classifier import PatchClassifier
from training.stages.checkpoint import BEST, LAST, load, save
from training.stages.engine import predict
from training.stages.errors import ClassEmpty, NotTrained, RunDiffers, SplitUnfit
from training.stages.experiment import Start, begin, gather_images, load_network, recall, run_folder, targets, train
from training.stages.journal import read_log
from training.stages.parts import assign_parts, limit_patients
from training.stages.record import read_record


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder of a finished run."""
    runs = tmp_path_factory.mktemp("runs")
    train(SIDES, setting(data, runs))
    return runs


def test_an_experiment_learns_from_files_to_a_network(data: Path, trained: Path) -> None:
    plain = setting(data, trained)
    material = gather_images(SIDES, plain)
    held = material.where("test")
    logits = predict(load_network(SIDES, plain), material.crops[held], precision="fp32")["laterality"]
    assert len(held) >= 12 and (logits.argmax(axis=1) == material.targets["laterality"][held]).mean() > 0.9
    folder = run_folder(SIDES, plain)
    assert [len(read_log(folder / f"stage{number}")) for number in (1, 2)] == [2, 4]
    assert read_log(folder / "stage2")[-1]["laterality"] > 0.9, "the tune part is measured after every epoch"


def test_a_run_keeps_what_made_it(data: Path, trained: Path) -> None:
    record = read_record(trained / "sides")
    assert record["datasets"] == ["synthetic"] and record["split"] == "70/10/20" and record["samples"]["spare"] == 0
    assert [plan["epochs"] for plan in record["plans"]] == [2, 4]
    split = read_split(trained / "sides" / record["split_file"])
    assert len(split) == PATIENTS and set(split.values()) == {"train", "tune", "test"}


def test_training_again_changes_nothing_and_other_settings_are_refused(data: Path, trained: Path) -> None:
    plain = setting(data, trained)
    stamp = (trained / "sides" / "stage2" / LAST).stat().st_mtime_ns
    train(SIDES, plain)
    assert (trained / "sides" / "stage2" / LAST).stat().st_mtime_ns == stamp
    with pytest.raises(RunDiffers, match=r"shape was \[32, 24\], now \[48, 32\].*--tag"):
        train(SIDES, replace(plain, shape=(48, 32)))
    with pytest.raises(RunDiffers, match="seed was 0, now 1"):
        train(SIDES, replace(plain, seed=1))


def test_a_seed_decides_a_run(data: Path, tmp_path: Path) -> None:
    short = setting(data, tmp_path, epochs=2)
    networks = []
    for tag, seed in (("first", 4), ("again", 4), ("other", 5)):
        train(SIDES, replace(short, tag=tag, seed=seed))
        networks.append(load_network(SIDES, replace(short, tag=tag)))
    assert same(networks[0], networks[1]) and not same(networks[0], networks[2])
    parts = [read_split(tmp_path / f"sides-{tag}" / "split-70-10-20.csv") for tag in ("first", "other")]
    assert parts[0] == parts[1], "a seed never changes who is tested"


def test_a_run_is_evaluated_as_it_was_trained(data: Path, tmp_path: Path) -> None:
    told = setting(data, tmp_path, tag="told", shape=(48, 32), epochs=2, rates=2.0, fold=2, patients=8, start=Start("random", "small"))
    train(SIDES, told)
    experiment, found = recall(replace(SIDES, datasets=("rsna-bcd-640",)), setting(data, tmp_path, tag="told"))
    assert experiment.datasets == ("synthetic",) and found.shape == (48, 32) and found.rates == 2.0 and found.start.backbone == "small"
    first, second = gather_images(SIDES, told), gather_images(experiment, found)
    assert np.array_equal(first.parts, second.parts) and first.where("spare").size > 0
    assert len({first.rows[i].patient for i in first.where("train")}) == 8
    assert recall(SIDES, replace(found, shape=(64, 64)))[1].shape == (64, 64)
    with pytest.raises(NotTrained, match=r"no run at .*sides-nothing"):
        recall(SIDES, replace(found, tag="nothing"))


def test_a_run_of_the_former_engine_is_loaded(data: Path, tmp_path: Path) -> None:
    """It kept no settings.json and no best epoch."""
    old = SIDES.build(Start())
    folder = tmp_path / "sides" / "stage2"
    (tmp_path / "sides" / "stage1").mkdir(parents=True)
    folder.mkdir()
    torch.save({"network": old.state_dict(), "optimiser": {}, "schedule": {}, "epoch": 4}, folder / LAST)
    plain = setting(data, tmp_path)
    assert recall(SIDES, plain) == (SIDES, plain) and same(load_network(SIDES, plain), old)


def test_an_unfinished_run_is_not_taken_for_a_network(data: Path, tmp_path: Path) -> None:
    (tmp_path / "sides" / "stage1").mkdir(parents=True)
    save(tmp_path / "sides" / "stage1" / LAST, {"network": SIDES.build(Start()).state_dict()})
    with pytest.raises(NotTrained, match=r"no checkpoint in .*stage2: `python -m training train sides`"):
        load_network(SIDES, setting(data, tmp_path))


def test_the_best_epoch_is_the_one_that_is_loaded(data: Path, trained: Path, tmp_path: Path) -> None:
    best = load(trained / "sides" / "stage2" / BEST)
    network = load_network(SIDES, setting(data, trained))
    assert all(torch.equal(value, best["network"][name]) for name, value in network.state_dict().items())
    assert best["value"] == pytest.approx(max(line["laterality"] for line in read_log(trained / "sides" / "stage2")), abs=1e-4)


def test_a_network_may_begin_where_another_run_ended(data: Path, trained: Path) -> None:
    for place in (trained / "sides", trained / "sides" / "stage2" / BEST):
        assert same(begin(SIDES, Start(str(place))), load_network(SIDES, setting(data, trained)))


def test_an_empty_class_says_which(data: Path, tmp_path: Path) -> None:
    lefts = replace(SIDES, gather=lambda e, s: _only(gather_images(e, s), 0))
    with pytest.raises(ClassEmpty, match=r"no sample of laterality R among its \d+: use more --patients"):
        train(lefts, setting(data, tmp_path))
    assert not (tmp_path / "sides").exists(), "nothing is left of a run that could not begin"


def _only(material, wanted):  # type: ignore[no-untyped-def]
    return replace(material, targets={"laterality": np.where(material.targets["laterality"] == wanted, wanted, -1)})


def test_an_empty_train_part_is_told(data: Path, tmp_path: Path) -> None:
    tested = replace(SIDES, gather=lambda e, s: replace(gather_images(e, s), parts=np.array(["test"] * len(gather_images(e, s).rows))))
    with pytest.raises(SplitUnfit, match="no sample of synthetic is in the train part"):
        train(tested, setting(data, tmp_path))


def test_every_patient_is_tested_in_one_fold(data: Path, tmp_path: Path) -> None:
    rows = gather_images(SIDES, setting(data, tmp_path)).rows
    tested = []
    for fold in range(1, 6):
        parts = assign_parts(rows, "k-fold", fold)
        tested += sorted({row.patient for row, part in zip(rows, parts, strict=True) if part == "test"})
        assert set(parts) == {"train", "tune", "test"}
    assert len(tested) == len(set(tested)) == PATIENTS
    for fold in (0, 6, None):
        with pytest.raises(SplitUnfit, match="choose one of 1 to 5"):
            assign_parts(rows, "k-fold", fold)


def test_a_split_that_does_not_fit_the_data_is_told(data: Path, tmp_path: Path) -> None:
    rows = gather_images(SIDES, setting(data, tmp_path)).rows
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
    assert seen(SIDES.stages(setting(tmp_path, tmp_path, **change)))


def test_targets_mark_what_is_unknown() -> None:
    row = _row(1, sick=True)
    assert targets(SIDES, [row, replace(row, laterality=None)])["laterality"].tolist() == [0, -1]
    cancer = replace(SIDES, task="cancer", heads={"cancer": ("malignant",)})
    assert targets(cancer, [row, replace(row, pathology="benign"), replace(row, pathology=None)])["cancer"].tolist() == [1, 0, -1]


def test_a_forest_is_trained_saved_and_loaded_as_a_network_is(data: Path, tmp_path: Path) -> None:
    """Shen et al. 2017, 3.1.4: the patch classifier comes from its own run, the forest from the training images."""
    patches = tmp_path / "patches" / "stage1"
    patches.mkdir(parents=True)
    save(patches / LAST, {"network": PatchClassifier("efficientnet-lite0", "random").state_dict()})
    forest = replace(find_experiment("two-step-resnet50-s10", ["synthetic"]), split="70/10/20")
    plain = setting(data, tmp_path, shape=(256, 224), start=Start(str(tmp_path / "patches"), "efficientnet-lite0"))
    train(forest, plain)
    network = load_network(forest, plain)
    assert torch.isfinite(network.get_buffer("thresholds")).any() or (network.get_buffer("leaves") != 0.5).any(), "trees were planted"
    material = gather_images(forest, plain)
    logits = predict(network, material.crops[material.where("test")[:2]], precision="fp32")["cancer"]
    assert logits.shape == (2, 1) and np.isfinite(logits).all()
    stamp = (run_folder(forest, plain) / "stage1" / LAST).stat().st_mtime_ns
    train(forest, plain)
    assert (run_folder(forest, plain) / "stage1" / LAST).stat().st_mtime_ns == stamp, "a finished run is left alone"
    with pytest.raises(ValueError, match="name its folder with --weights RUNS/patches-resnet50-s10"):
        forest.build(Start())


def test_the_record_is_plain_json(trained: Path) -> None:
    text = (trained / "sides" / "settings.json").read_text(encoding="utf-8")
    assert json.loads(text)["torch"] == torch.__version__.partition("+")[0] and text.endswith("}\n")
