"""What all readers share, and the real sets with their traps."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support.data_sets import read_set
from tests.support.dataset_layouts import write_picture, write_table
from training.data.index import READERS, read_index, summarise
from training.data.pictures import read_picture
from training.data.splits import RULES
from training.data.table import Row, Skipped


def test_names_paths_and_mistakes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_picture(tmp_path / "elsewhere" / "one.png")
    columns = ("file", "patient")
    lines = [("one.png", "1"), *((f"gone{number}.png", "2") for number in range(5))]
    table = write_table(tmp_path / "elsewhere" / "mine.csv", columns, lines)
    with caplog.at_level(logging.WARNING):
        rows = read_index(tmp_path / "nowhere", [f"table:{table}"])
    assert [row.file.name for row in rows] == ["one.png"]
    assert "skipped 5 (no such file): " in caplog.text and "gone2.png, ..." in caplog.text and "gone3.png" not in caplog.text
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere.*mini-mias: point --data"):
        read_index(tmp_path / "nowhere", ["mini-mias"])
    with pytest.raises(ValueError, match="no reader named 'minimias'; there are: cbis-ddsm"):
        read_index(tmp_path, ["minimias"])
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "table.csv").write_text(table.read_text().replace("one.png", "../elsewhere/one.png"))
    assert len(read_index(tmp_path, ["table"])) == 1


def test_summary_counts_equal_reasons() -> None:
    skipped = [Skipped("a", "gone"), Skipped("b", "broken"), Skipped("c", "gone")]
    assert summarise(skipped) == ["skipped 2 (gone): a, c", "skipped 1 (broken): b"]


def test_all_layouts_of_the_issue_have_a_reader() -> None:
    assert set(READERS) == {
        "cbis-ddsm", "inbreast", "mini-mias", "rsna-2022", "rsna-bcd-640", "vindr-mammo", "cmmd", "dicom-folder", "table",
        "feedback", "synthetic", "ddsm-small", "not-mammograms", "phantoms",
    }  # fmt: skip


def test_flat_layout_names_what_it_leaves_out(tmp_path: Path) -> None:
    columns = ("file", "patient_id", "view", "laterality", "density", "pathology", "notes")
    notes = "age=57.0;machine_id={machine};inverted={inverted};blank={blank}"
    write_table(tmp_path / "labels.csv", columns, [
        ("images/1_10.jpg", "1", "CC", "L", "B", "malignant", notes.format(machine=29, inverted=1, blank=0)),
        ("images/1_11.jpg", "1", "MLO", "L", "", "no-cancer", notes.format(machine=49, inverted=0, blank=0)),
        ("images/1_12.jpg", "1", "AT", "L", "", "no-cancer", notes.format(machine=29, inverted=0, blank=0)),
        ("images/1_13.jpg", "1", "CC", "R", "", "no-cancer", notes.format(machine=29, inverted=0, blank=1)),
        ("images/1_14.jpg", "1", "CC", "R", "", "no-cancer", notes.format(machine=29, inverted=0, blank=0)),
    ])  # fmt: skip
    for number in range(10, 14):
        write_picture(tmp_path / "images" / f"1_{number}.jpg")
    index = read_set(tmp_path, "rsna-bcd-640")
    assert [(row.image, row.laterality, row.breast, row.density, row.pathology, row.inverted, row.age) for row in index.rows] == [
        ("10", "L", "L", "B", "malignant", True, 57.0),
        ("11", None, "L", None, "negative", False, 57.0),
    ]
    assert [skipped.why for skipped in index.skipped] == ["view AT is neither CC nor MLO", "blank image", "no such file"]


def test_known_traps_of_the_real_sets_are_undone(data_folder: Path) -> None:
    rsna, mias = (read_set(data_folder / name, name) for name in ("rsna-bcd-640", "mini-mias"))
    assert len(rsna.rows) == 2657, "2,661 less one blank and three axillary-tail images"
    assert Counter(skipped.why for skipped in rsna.skipped) == {"view AT is neither CC nor MLO": 3, "blank image": 1}
    assert len({row.patient for row in rsna.rows}) == 766
    assert Counter(row.pathology for row in rsna.rows) == {"malignant": 939, "negative": 1718}
    assert all(row.laterality is None for row in rsna.rows if row.manufacturer == "49"), "pixels disagree with the label on this machine"
    assert all(row.inverted for row in rsna.rows if row.manufacturer == "29")
    assert len(mias.rows) == 218 and not mias.skipped and len({row.patient for row in mias.rows}) == 109
    assert all(row.mirrored and row.density is None for row in mias.rows), "F, G, D are not BI-RADS"
    assert Counter(row.pathology for row in mias.rows) == {"normal": 138, "benign": 43, "malignant": 37}
    assert Counter(roi.kind for row in mias.rows for roi in row.rois) == {"mass": 43, "calcification": 18, "other": 22}


def test_real_lesions_lie_where_the_boxes_say(data_folder: Path) -> None:
    """Circumscribed masses are brighter than what is around them; turned about either axis, the boxes hold no such thing."""
    rows = [row for row in read_set(data_folder / "mini-mias", "mini-mias").rows if any(roi.kind == "mass" for roi in row.rois)]
    pictures = {row.image: read_picture(row) for row in rows}

    def contrast(row: Row, mirrored: bool, upside_down: bool) -> float:
        picture = pictures[row.image].astype(float)
        left, top, right, bottom = row.rois[0].box
        if mirrored:
            left, right = 1024 - right, 1024 - left
        if upside_down:
            top, bottom = 1024 - bottom, 1024 - top
        width, height = right - left, bottom - top
        around = picture[max(0, top - height) : bottom + height, max(0, left - width) : right + width]
        return float(picture[top:bottom, left:right].mean() - np.median(around))

    right_way = np.median([contrast(row, False, False) for row in rows])
    wrong_ways = [np.median([contrast(row, *turn) for row in rows]) for turn in ((True, False), (False, True), (True, True))]
    assert right_way > 10 and right_way > 2 * max(wrong_ways), (right_way, wrong_ways)


def test_every_reader_and_rule_is_documented() -> None:
    page = (Path(__file__).parents[4] / "docs" / "training-data.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in (*READERS, *RULES))
