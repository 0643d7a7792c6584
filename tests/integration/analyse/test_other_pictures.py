"""X-rays of other parts of the body and phantoms are refused with a reason, mammograms of every set are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.preprocessing.picture import picture_from_file
from models.vocabulary import ImageKind
from service.analyse.runner import Analyser
from service.domain.findings import InstanceState
from training.data.index import read_index
from training.data.splits import read_split
from training.data.table import Row
from training.experiments.zoo import SPLIT

REASONS = {"no-mammogram", "no-breast", "test-pattern", "blank", "too-few-grey-levels", "too-small"}


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(provider="cpu", threads=1)


def unseen(data_folder: Path, name: str) -> list[Row]:
    """Pictures that no network was trained on."""
    if not (data_folder / name).is_dir():
        pytest.skip(f"no {name} in the shared data")
    split = read_split(SPLIT)
    return [row for row in read_index(data_folder, [name]) if split[row.patient] == "test"]


def outcomes(analyser: Analyser, rows: Sequence[Row]) -> Counter[str]:
    """How often each reason was given; ``analysed`` where there was none."""
    findings = [analyser.analyse_file(row.file, film=True)[0].finding for row in rows]
    assert all(finding.state is InstanceState.SKIPPED or finding.reason is None for finding in findings)
    return Counter(finding.reason.code if finding.reason else "analysed" for finding in findings)


@pytest.mark.parametrize(("name", "least"), [("not-mammograms", 0.8), ("phantoms", 1.0)])
def test_other_pictures_are_refused(analyser: Analyser, data_folder: Path, name: str, least: float) -> None:
    rows = unseen(data_folder, name)
    counts = outcomes(analyser, rows)
    assert set(counts) <= REASONS | {"analysed"}
    assert counts["analysed"] <= (1 - least) * len(rows), counts


@pytest.mark.parametrize("name", ["rsna-bcd-640", "mini-mias", "inbreast"])
def test_mammograms_are_analysed(analyser: Analyser, data_folder: Path, name: str) -> None:
    assert outcomes(analyser, unseen(data_folder, name)[:12]) == {"analysed": 12}


def test_a_declared_implant_is_never_refused_by_the_labeler(analyser: Analyser, data_folder: Path) -> None:
    taken = 0
    for row in unseen(data_folder, "not-mammograms"):
        picture = picture_from_file(row.file)
        plain = analyser.analyse_picture(picture, "1.2", ImageKind.FULL_FIELD, 0.0).finding
        declared = analyser.analyse_picture(picture, "1.2", ImageKind.FULL_FIELD, 0.0, implant=True).finding
        if plain.reason and plain.reason.code == "no-mammogram":
            taken += 1
            assert declared.state is InstanceState.ANALYSED
        else:
            assert (declared.state, declared.reason) == (plain.state, plain.reason)
        if taken == 3:
            break
    assert taken == 3, "the labeler refuses some of these pictures, so the exception is exercised"
