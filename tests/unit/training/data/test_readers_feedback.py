"""What readers said of the service's labels becomes a training table, and what they did not say is not guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.data_sets import read_set
from tests.support.dataset_layouts import write_dicom, write_table
from training.data.pictures import read_picture

COLUMNS = ("id", "sop_instance_uid", "file", "label", "verdict", "value", "actor", "note")


def write_image(folder: Path, uid: str, view: str = "CC", side: str = "L") -> str:
    """An image of patient p; its path relative to the folder."""
    write_dicom(
        folder / "instances" / f"{uid}.dcm", PatientID="p", StudyInstanceUID="1.2", SOPInstanceUID=uid, ViewPosition=view,
        ImageLaterality=side,
    )  # fmt: skip
    return f"instances/{uid}.dcm"


def write_feedback(folder: Path, *said: Sequence[object]) -> Path:
    """Lines of (image, label, value, who), numbered in their order."""
    lines = [(number, uid, f"instances/{uid}.dcm", label, "", value, who, "") for number, (uid, label, value, who) in enumerate(said, 1)]
    return write_table(folder / "feedback.csv", COLUMNS, lines)


def test_a_label_is_what_the_reader_leaves_and_the_header_says_the_rest(tmp_path: Path) -> None:
    for uid in ("1.2.1", "1.2.2", "1.2.3"):
        write_image(tmp_path, uid)
    write_feedback(
        tmp_path,
        ("1.2.1", "view", "MLO", "a"),
        ("1.2.1", "cancer", "benign", "a"),
        ("1.2.2", "laterality", "R", "a"),
        ("1.2.2", "density", "C", "a"),
        ("1.2.2", "cancer", "", "a"),
        ("1.2.3", "cancer", "", "a"),
    )
    index = read_set(tmp_path, "feedback")
    assert [(row.image, row.view, row.laterality, row.breast, row.density, row.pathology) for row in index.rows] == [
        ("1.2.1", "MLO", "L", "L", None, "benign"),
        ("1.2.2", "CC", "R", "R", "C", None),
    ]
    assert {(row.dataset, row.patient, row.exam, row.age) for row in index.rows} == {("feedback", "feedback-p", "1.2", None)}
    assert index.skipped == () and read_picture(index.rows[0]).ndim == 2


def test_the_last_word_of_each_reader_counts_and_two_that_disagree_leave_the_label_unknown(tmp_path: Path) -> None:
    for uid in ("1.2.1", "1.2.2"):
        write_image(tmp_path, uid)
    write_feedback(
        tmp_path,
        ("1.2.1", "density", "A", "a"),
        ("1.2.1", "density", "B", "a"),
        ("1.2.1", "density", "B", "b"),
        ("1.2.2", "density", "B", "a"),
        ("1.2.2", "density", "C", "b"),
    )
    index = read_set(tmp_path, "feedback")
    assert [row.density for row in index.rows] == ["B", None]
    assert [(each.what, each.why) for each in index.skipped] == [("instances/1.2.2.dcm", "readers disagree on the density: left unknown")]


def test_what_is_no_mammogram_to_train_on_is_skipped_with_its_reason(tmp_path: Path) -> None:
    for uid in ("1.2.1", "1.2.2", "1.2.3"):
        write_image(tmp_path, uid)
    (tmp_path / "instances" / "1.2.4.dcm").write_bytes(b"nothing")
    (tmp_path / "instances" / "1.2.3.dcm").rename(tmp_path / "instances" / "1.2.5.dcm")
    write_feedback(
        tmp_path,
        ("1.2.1", "view", "ML", "a"),
        ("1.2.2", "view", "CC", "a"),
        ("1.2.2", "view", "MLO", "b"),
        *((f"1.2.{number}", "density", "A", "a") for number in (3, 4, 5)),
    )
    index = read_set(tmp_path, "feedback")
    assert index.rows == ()
    assert [each.why for each in index.skipped] == [
        "view ML is neither CC nor MLO",
        "readers disagree on the view: left unknown",
        "view unknown is neither CC nor MLO",
        "No such file or directory",
        "the file is neither DICOM nor PNG, JPEG or PGM",
        "another image than the table says",
    ]


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("id", "one", "line 2, column id: 'one' must be a number"),
        ("label", "shape", "line 2, column label: 'shape' must be one of view, laterality, density, cancer"),
        ("value", "E", "line 2, column value: 'E' must be one of A, B, C, D"),
    ],
)
def test_a_cell_that_means_nothing_is_named(tmp_path: Path, column: str, cell: str, message: str) -> None:
    line = dict(zip(COLUMNS, ("1", "1.2.1", "a.dcm", "density", "agree", "B", "a", ""), strict=True)) | {column: cell}
    table = write_table(tmp_path / "feedback.csv", COLUMNS, [tuple(line.values())])
    with pytest.raises(ValueError, match=message):
        read_set(table, "feedback")
