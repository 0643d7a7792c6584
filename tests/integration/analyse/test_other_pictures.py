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


def test_other_pictures_are_refused_with_a_known_reason(analyser: Analyser, data_folder: Path) -> None:
    """The rules for pixels refuse 9 of 39; the labeler that ships has no head that refuses more (docs/accuracy.md)."""
    rows = unseen(data_folder, "not-mammograms")
    counts = outcomes(analyser, rows)
    assert set(counts) <= REASONS | {"analysed"}
    assert len(rows) - counts["analysed"] >= 8, counts


@pytest.mark.parametrize("name", ["rsna-bcd-640", "mini-mias", "inbreast"])
def test_mammograms_are_analysed(analyser: Analyser, data_folder: Path, name: str) -> None:
    assert outcomes(analyser, unseen(data_folder, name)[:12]) == {"analysed": 12}


def test_a_labeler_that_refuses_is_heard_but_not_on_a_declared_implant(
    analyser: Analyser, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Analyser, "_shows_something_else", lambda self, labels: True)
    picture = picture_from_file(unseen(data_folder, "inbreast")[0].file)
    refused = analyser.analyse_picture(picture, "1.2", ImageKind.FULL_FIELD, 0.0).finding
    assert refused.state is InstanceState.SKIPPED and refused.reason and refused.reason.code == "no-mammogram"
    implant = analyser.analyse_picture(picture, "1.2", ImageKind.FULL_FIELD, 0.0, implant=True).finding
    assert implant.state is InstanceState.ANALYSED
