"""INbreast and DDSM as pictures with a labels.csv, other pictures, and what the readers say of stretched pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.data_sets import read_set
from training.data.pictures import read_picture

HEADER = "file,dataset,patient_id,view,laterality,density,pathology,notes\n"


def write(folder: Path, *lines: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "labels.csv").write_text(HEADER + "\n".join(lines) + "\n")
    (folder / "images").mkdir()
    for line in lines:
        picture = np.zeros((64, 64), np.uint8)
        picture[:, :30] = 120
        cv2.imwrite(str(folder / line.split(",")[0]), picture)
    return folder


def test_inbreast_as_pictures(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "inbreast",
        "images/1_p_MG_R_CC.png,INbreast,p,CC,R,B,birads12,BIRADS=2;acquired=200902",
        "images/2_p_MG_L_MLO.png,INbreast,p,MLO,L,,birads456,BIRADS=4a;acquired=200902",
        "images/3_q_MG_L_MLO.png,INbreast,q,MLO,L,D,birads3,BIRADS=3;acquired=200903",
        "images/4_q_MG_L_FB.png,INbreast,q,FB,L,D,birads12,BIRADS=1;acquired=200903",
    )
    index = read_set(folder, "inbreast")
    assert [(row.image, row.patient, row.view, row.laterality, row.density, row.malignant, row.birads) for row in index.rows] == [
        ("1", "inbreast-p", "CC", "R", "B", False, 2),
        ("2", "inbreast-p", "MLO", "L", None, True, 4),
        ("3", "inbreast-q", "MLO", "L", "D", None, 3),
    ]
    assert [skipped.why for skipped in index.skipped] == ["view FB is neither CC nor MLO"]


def test_thumbnails_of_ddsm(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "ddsm-small",
        "images/A_1.LEFT_CC.png,DDSM,A_1,CC,L,D,normal,film;age=63;marker text may be mirrored",
        "images/B_2.LEFT_CC.png,DDSM,B_2,CC,L,,,film",
    )
    first, second = read_set(folder, "ddsm-small").rows
    assert (first.patient, first.density, first.age, first.malignant) == ("ddsm-A_1", "D", 63.0, False)
    assert (second.density, second.age, second.malignant) == (None, None, None)


def test_pictures_of_something_else_have_no_labels_but_that(tmp_path: Path) -> None:
    folder = tmp_path / "phantoms"
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match=r"no \.jpg"):
        read_set(folder, "phantoms")
    for name in ("b.png", "a.png", "notes.txt"):
        (folder / name).write_bytes(b"")
    rows = read_set(folder, "phantoms").rows
    assert [row.image for row in rows] == ["a", "b"] and not any(row.mammogram for row in rows)
    assert {row.patient for row in rows} == {"phantoms-a", "phantoms-b"}
    assert {getattr(rows[0], name) for name in ("view", "laterality", "density", "pathology", "malignant")} == {None}


def test_a_stretched_picture_is_read_with_square_pixels(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "rsna-bcd-640",
        "images/1_2.png,R,1,CC,L,B,malignant,machine_id=21;invasive=1;implant=0;BIRADS=0;blank=0",
        "images/1_3.png,R,1,CC,L,B,no-cancer,machine_id=99;invasive=0;implant=1;BIRADS=;blank=0",
    )
    known, unknown = read_set(folder, "rsna-bcd-640").rows
    assert read_picture(known).shape == (64, 48) and read_picture(unknown).shape == (64, 64), "the aspect of machine 21 is 0.75"
    assert (known.birads, known.invasive, known.implant) == (0, True, False)
    assert (unknown.birads, unknown.invasive, unknown.implant) == (None, None, True)
