"""From predictions to figures: levels as the service combines them, groups, baselines, comparisons, folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn.metrics import accuracy_score, roc_auc_score

from models.combine import breast_score, study_score
from models.preprocessing.geometry import Box as Crop
from models.preprocessing.geometry import Placement
from tests.support.sample_predictions import make_table
from training.data.table import Roi, Row
from training.evaluate.baselines import age_scores, machine_scores
from training.evaluate.levels import cancer_levels
from training.evaluate.measure import compare_tables, measure
from training.evaluate.pointing import covered, hits, lesion_boxes, peak_in_source
from training.evaluate.predictions import Predictions, align, name_cases, pool, read_predictions, write_predictions
from training.evaluate.subgroups import age_band, members_of, under_50


def row(patient: str, manufacturer: str = "m", age: float | None = 50.0, rois: tuple[Roi, ...] = (), image: str = "i") -> Row:
    return Row("set", patient, patient, image, Path("x"), "CC", "L", "L", None, None, manufacturer, age, rois)


@pytest.fixture(scope="module")
def table() -> Predictions:
    return make_table()


@pytest.fixture(scope="module")
def report(table: Predictions) -> dict[str, object]:
    return measure(table, "image", rounds=200)


def test_a_table_survives_its_csv(table: Predictions, tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", table)
    found = read_predictions(tmp_path / "p.csv")
    assert found.cases == table.cases and found.heads == table.heads
    for head in table.heads:
        assert found.truth[head].tolist() == table.truth[head].tolist()
        assert found.scores[head] == pytest.approx(table.scores[head], rel=1e-8)
    assert found.extra["hit"] == pytest.approx(table.extra["hit"], nan_ok=True)
    (tmp_path / "q.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"q\.csv is no table of predictions"):
        read_predictions(tmp_path / "q.csv")


def test_breasts_and_patients_are_combined_as_the_service_does(table: Predictions) -> None:
    levels = cancer_levels(table, "image")
    scores, truth = table.binary("cancer")
    assert [len(level.cases) for level in levels.values()] == [240, 120, 60]
    right = [i for i, case in enumerate(table.cases) if (case.patient, case.breast) == ("p4", "R")]
    left = [i for i, case in enumerate(table.cases) if (case.patient, case.breast) == ("p4", "L")]
    breasts = [breast_score([float(scores[i]) for i in each]) for each in (left, right)]
    place = levels["patient"].patients.index("p4")
    assert levels["patient"].scores[place] == pytest.approx(study_score(breasts))
    assert bool(levels["patient"].positive[place]) == bool(truth[right].any())


def test_figures_are_those_of_scikit_learn_on_the_test_part_alone(table: Predictions, report: dict) -> None:  # type: ignore[type-arg]
    test = table.part("test")
    scores, positive = test.binary("cancer")
    image = report["heads"]["cancer"]["levels"]["image"]
    assert image["auc"] == pytest.approx(roc_auc_score(positive, scores), abs=1e-4)
    assert (image["n"], image["patients"]) == (160, 40)
    assert image["interval95"][0] < image["auc"] < image["interval95"][1]
    density = report["heads"]["density"]["image"]
    assert density["accuracy"] == pytest.approx(accuracy_score(test.truth["density"], test.scores["density"].argmax(axis=1)), abs=1e-4)
    assert np.sum(density["confusion"]["rows_are_truth"]) == 160
    assert report["counts"] == {"test": {"samples": 160, "patients": 40}, "validation": {"samples": 80, "patients": 20}}


def test_thresholds_come_from_the_tune_part(table: Predictions, report: dict) -> None:  # type: ignore[type-arg]
    points = report["heads"]["cancer"]["levels"]["breast"]["points"]
    assert points["chosen_on"] == "validation" and set(points) == {
        "chosen_on",
        "0.5",
        "f1",
        "youden",
        "sensitivity 0.90",
        "specificity 0.90",
    }
    validation = cancer_levels(table.part("validation"), "image")["breast"]
    assert points["youden"]["threshold"] in [pytest.approx(score, abs=1e-6) for score in validation.scores]
    alone = measure(table.part("test"), "image", rounds=100)
    assert alone["heads"]["cancer"]["levels"]["breast"]["points"]["chosen_on"] == "test"
    assert "refused" in alone["heads"]["cancer"]["levels"]["breast"]["calibration"]["platt"]


def test_subgroups_are_counted_and_tested(table: Predictions, report: dict) -> None:  # type: ignore[type-arg]
    groups = report["heads"]["cancer"]["subgroups"]["image"]
    assert list(groups["machine"]["groups"]) == ["9", "10", "alpha"]
    assert list(groups["age under 50"]["groups"]) == ["under 50", "50 or more"]
    assert sum(each["n"] for each in groups["machine"]["groups"].values()) == 160
    shares = [each["specificity"] for each in groups["machine"]["groups"].values()]
    counted = [[share["count"], share["of"] - share["count"]] for share in shares]
    assert groups["machine"]["chi_square"]["specificity"]["p"] == pytest.approx(
        chi2_contingency(counted, correction=False).pvalue, abs=1e-5
    )
    assert "density" not in report["heads"]["density"]["subgroups"]["image"]


def test_ages_fall_into_bands() -> None:
    cases = name_cases([row("a", age=None), row("b", age=39.9), row("c", age=49), row("d", age=50), row("e", age=70)], ["test"] * 5)
    assert [age_band(case) for case in cases] == [None, "under 40", "40-49", "50-59", "70 or more"]
    assert [under_50(case) for case in cases] == [None, "under 50", "under 50", "50 or more", "50 or more"]
    assert sum(len(chosen) for chosen in members_of(cases, age_band).values()) == 4


def test_a_network_is_measured_against_age_and_machine(report: dict) -> None:  # type: ignore[type-arg]
    found = report["heads"]["cancer"]["levels"]["breast"]["baselines"]
    assert set(found) == {"age alone", "machine alone"}
    for each in found.values():
        assert 0.3 < each["auc"] < 0.7 and each["network_against_it"]["delong_p"] < 0.05


def test_baselines_learn_from_the_training_samples_alone() -> None:
    rows = [row(str(i), "ab"[i % 2], 30.0 + i) for i in range(60)] + [row("new", "c", None)]
    truth = np.array([int(i >= 30) for i in range(60)] + [-1])
    train = np.arange(40)
    ages, machines = age_scores(rows, truth, train), machine_scores(rows, truth, train)
    assert (np.diff(ages[:60]) > 0).all() and 0 < ages[60] < 1
    assert machines[60] == pytest.approx(truth[:40].mean())
    changed = truth.copy()
    changed[40:60] = 0
    assert age_scores(rows, changed, train) == pytest.approx(ages) and machine_scores(rows, changed, train) == pytest.approx(machines)


def test_runs_are_compared_on_the_samples_that_both_have(table: Predictions) -> None:
    worse = make_table(seed=1, skill=0.0)
    shuffled = worse.take(np.random.default_rng(0).permutation(len(worse)))
    found = compare_tables(table, shuffled, "image", rounds=200)["cancer"]["image"]
    assert found == compare_tables(table, worse, "image", rounds=200)["cancer"]["image"]
    assert found["delong_p"] < 0.01 and found["interval95"][0] > 0
    itself = compare_tables(table, table, "image", rounds=100)["cancer"]["breast"]
    assert (itself["difference"], itself["delong_p"], itself["interval95"]) == (0.0, 1.0, [0.0, 0.0])
    other = replace(worse, truth=worse.truth | {"cancer": 1 - worse.truth["cancer"]})
    with pytest.raises(ValueError, match="disagree about the truth of cancer"):
        align(table, other)


def test_folds_pool_and_a_sample_tested_twice_is_refused() -> None:
    whole = make_table()
    folds = []
    for fold in range(3):
        parts = ["test" if int(case.patient[1:]) % 3 == fold else "validation" for case in whole.cases]
        folds.append(replace(whole, cases=[replace(case, part=part) for case, part in zip(whole.cases, parts, strict=True)]))
    pooled = pool(folds)
    assert len({case.sample for case in pooled.part("test").cases}) == len(pooled.part("test")) == 240
    assert measure(pooled, "image", rounds=50)["counts"]["test"] == {"samples": 240, "patients": 60}
    with pytest.raises(ValueError, match="tested in more than one table"):
        pool([folds[0], folds[0]])


def test_patches_of_one_image_have_names_of_their_own() -> None:
    assert [case.sample for case in name_cases([row("p"), row("p"), row("q")], ["test"] * 3)] == ["set/p/i", "set/p/i#1", "set/q/i"]


def test_the_pointing_game_maps_the_peak_back_into_the_lesion(report: dict) -> None:  # type: ignore[type-arg]
    placement = Placement((1000, 800), Crop(100, 200, 900, 600), (400, 100))
    heat = np.zeros((8, 4), np.float32)
    heat[2, 1] = 1
    assert peak_in_source(heat, placement) == (100 + 2.5 * 100, 200 + 1.5 * 100)
    assert hits((300, 300, 400, 400), (350.0, 350.0)) and not hits((300, 300, 350, 400), (350.0, 350.0))
    assert hits((300, 300, 345, 400), (350.0, 350.0), tolerance=10)
    assert covered([(200, 100, 400, 500), (0, 0, 10, 10)], placement) == pytest.approx(0.25)
    benign, unknown = Roi((0, 0, 9, 9), "mass", "benign"), Roi((1, 1, 5, 5), "mass")
    assert lesion_boxes(row("p", rois=(benign, unknown))) == [(1, 1, 5, 5)]
    assert lesion_boxes(row("p", rois=(benign, Roi((2, 2, 5, 5), "mass", "malignant"), unknown))) == [(2, 2, 5, 5)]
    game = report["pointing"]
    assert game["images"] == 40 and game["blind_guess"] == 0.1 and 0.4 < game["hit_rate"] < 1


def test_an_empty_class_leaves_figures_out_instead_of_failing() -> None:
    table = make_table(12)
    healthy = replace(table, truth=table.truth | {"cancer": np.zeros(48, np.int64), "density": np.full(48, -1)})
    found = measure(healthy, "image", rounds=20)["heads"]
    assert found["cancer"]["levels"]["image"]["auc"] is None and "interval95" not in found["cancer"]["levels"]["image"]
    assert found["density"]["image"] == {"accuracy": None, "n": 0, "patients": 0}
