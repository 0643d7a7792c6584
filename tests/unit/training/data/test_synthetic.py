"""The synthetic set has what it says it has, in pictures that the rest of the project takes for mammograms."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from models.preprocessing.geometry import breast_box, breast_mask
from models.preprocessing.picture import Picture, picture_from_dataset, picture_from_file
from models.preprocessing.plausibility import looks_like_mammogram
from models.registry import Registry
from models.vocabulary import ImageKind
from service.analyse.network import Network
from service.domain.eligibility import ineligible_reason
from service.domain.header import read_header
from training.data.phantom import Breast, Lesion, Machine, draw_view
from training.data.readers.cbis_ddsm import read_cbis_ddsm
from training.data.readers.synthetic import read_synthetic
from training.data.synthetic import write_synthetic
from training.data.synthetic_cbis import write_synthetic_cbis
from training.data.synthetic_patients import MACHINES, VIEWS, imagine_patients
from training.data.table import Index
from training.metrics.ranking import auc

SIZE = (320, 256)
PATIENTS = 12
CLEAN = Machine("none", "none", gamma=1.0, gain=1.0, air=0.0, noise=0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic")
    write_synthetic(path, PATIENTS, seed=7, size=SIZE)
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cbis")
    write_synthetic_cbis(path, PATIENTS, seed=7, size=SIZE)
    return path


@pytest.fixture(scope="module")
def index(folder: Path) -> Index:
    return read_synthetic(folder)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def read(path: Path) -> Picture:
    return picture_from_dataset(pydicom.dcmread(path)) if path.suffix == ".dcm" else picture_from_file(path)


def grey(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture)


def a_breast(kind: str = "mass", pathology: str = "malignant", density: str = "B", seed: int = 0) -> Breast:
    return Breast("L", density, 0.6, 0.4, (Lesion(kind, pathology, 0.6, 0.2, 0.2, 0.05, seed),), seed)  # type: ignore[arg-type]


class TestSet:
    def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(self, tmp_path: Path) -> None:
        for name, seed in (("one", 3), ("again", 3), ("other", 4)):
            write_synthetic(tmp_path / name, 2, seed, SIZE)
        assert files(tmp_path / "one") == files(tmp_path / "again")
        assert not files(tmp_path / "one").keys() & {name for name in files(tmp_path / "other") if name.startswith("images/")}

    def test_a_larger_set_begins_with_the_smaller_one(self) -> None:
        assert list(imagine_patients(9, 5))[:4] == list(imagine_patients(4, 5))

    def test_every_patient_has_four_views_and_every_class_is_there(self, index: Index) -> None:
        assert not index.skipped
        assert Counter((row.breast, row.view) for row in index.rows) == dict.fromkeys(VIEWS, PATIENTS)
        assert {row.density for row in index.rows} == {"A", "B", "C", "D"}
        assert {row.manufacturer for row in index.rows} == {machine.manufacturer for machine in MACHINES}
        assert {row.pathology for row in index.rows} == {"malignant", "benign", "normal"}
        lesions = {(roi.kind, roi.pathology) for row in index.rows for roi in row.rois}
        assert lesions == set(product(("mass", "calcification"), ("malignant", "benign")))

    def test_a_finding_is_in_both_views_of_one_breast_and_nowhere_else(self, index: Index) -> None:
        by_patient: dict[str, list[tuple[str, str | None]]] = {}
        for row in index.rows:
            if row.rois:
                assert row.pathology == row.rois[0].pathology
                by_patient.setdefault(row.patient, []).append((row.breast, row.view))
            else:
                assert row.pathology == "normal"
        assert len(by_patient) == PATIENTS * 5 // 6
        for places in by_patient.values():
            assert len({side for side, _ in places}) == 1
            assert sorted(view or "" for _, view in places) == ["CC", "MLO"]

    def test_a_folder_that_holds_a_set_is_not_overwritten(self, folder: Path) -> None:
        with pytest.raises(FileExistsError, match="holds a set already"):
            write_synthetic(folder, 1, 0, SIZE)

    def test_a_picture_that_went_away_is_named_and_the_others_are_read(self, tmp_path: Path) -> None:
        write_synthetic(tmp_path, 1, 1, SIZE)
        (tmp_path / "images" / "s1-0001_R-CC.png").unlink()
        index = read_synthetic(tmp_path)
        assert [each.what for each in index.skipped] == ["images/s1-0001_R-CC.png"]
        assert len(index.rows) == 3


class TestTruth:
    def test_box_outline_and_mask_of_a_lesion_agree_and_lie_in_the_breast(self, index: Index) -> None:
        for row in index.rows:
            pixels = grey(row.file)
            pixels = 255 - pixels if row.inverted else pixels
            for roi in row.rois:
                assert roi.mask is not None
                mask = grey(roi.mask)
                assert mask.shape == pixels.shape == SIZE
                ys, xs = np.nonzero(mask)
                assert roi.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
                left, top, right, bottom = roi.box
                assert all(left <= x < right and top <= y < bottom for x, y in roi.outline)
                assert min(right - left, bottom - top) >= 8
                inside = cv2.resize(breast_mask(pixels).astype(np.uint8), SIZE[::-1]) > 0
                assert inside[mask > 0].mean() > 0.98, row.image

    def test_rois_json_names_only_files_that_are_there(self, folder: Path) -> None:
        rois = json.loads((folder / "rois.json").read_text())
        assert rois
        for file, found in rois.items():
            assert (folder / file).is_file()
            assert all((folder / each["mask"]).is_file() for each in found)

    def test_a_lesion_is_brighter_than_what_surrounds_it(self) -> None:
        for kind, pathology in product(("mass", "calcification"), ("malignant", "benign")):
            for seed in range(4):
                drawing = draw_view(a_breast(kind, pathology, seed=seed), "CC", CLEAN, SIZE)
                mask = drawing.outlines[0].mask > 0
                ring = (cv2.dilate(drawing.outlines[0].mask, np.ones((9, 9), np.uint8)) > 0) & ~mask
                level = np.percentile(drawing.levels[mask], 90) - np.median(drawing.levels[ring])
                assert level > 0.08, (kind, pathology, seed)

    def test_a_malignant_mass_has_spicules_beyond_its_core_and_a_benign_one_has_none(self) -> None:
        def roughness(pathology: str, seed: int) -> float:
            breast = a_breast("mass", pathology, "A", seed)
            drawing, healthy = (draw_view(each, "CC", CLEAN, (640, 512)) for each in (breast, replace(breast, lesions=())))
            left, top, right, bottom = drawing.outlines[0].box
            angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
            far = 1.4 * breast.lesions[0].radius * 640
            xs, ys = (left + right) / 2 + far * np.cos(angles), (top + bottom) / 2 + far * np.sin(angles)
            return float((drawing.levels - healthy.levels)[ys.astype(int), xs.astype(int)].std())

        seeds = range(6)
        assert min(roughness("malignant", seed) for seed in seeds) > 3 * max(roughness("benign", seed) for seed in seeds)

    def test_the_brightness_of_a_picture_does_not_tell_cancer(self) -> None:
        levels, truth = [], []
        for patient in imagine_patients(48, 11):
            for breast in (patient.right, patient.left):
                levels.append(float(draw_view(breast, "CC", patient.machine, (160, 128)).levels.mean()))
                truth.append(any(lesion.pathology == "malignant" for lesion in breast.lesions))
        assert 0.3 < auc(np.array(levels), np.array(truth)) < 0.7

    def test_glandular_tissue_grows_from_density_a_to_d(self) -> None:
        def bright_share(density: str) -> float:
            shares = []
            for seed in range(6):
                levels = draw_view(Breast("L", density, 0.6, 0.4, (), seed), "CC", CLEAN, SIZE, marker=False).levels  # type: ignore[arg-type]
                tissue = levels[levels > 0.15]
                shares.append(float((tissue > 0.4).mean()))
            return float(np.mean(shares))

        shares = [bright_share(density) for density in "ABCD"]
        assert all(later > former + 0.12 for former, later in pairwise(shares)), shares

    def test_the_marker_is_written_in_the_air_and_can_be_read_on_either_side(self) -> None:
        for side in ("L", "R"):
            breast = Breast(side, "B", 0.6, 0.4, (), 1)
            with_marker = draw_view(breast, "CC", CLEAN, (640, 512), marker=True).levels
            without = draw_view(breast, "CC", CLEAN, (640, 512), marker=False).levels
            rows, columns = np.nonzero(np.abs(with_marker - without) > 0.2)
            assert rows.size
            assert without[rows, columns].max() < 0.1
            assert (columns.mean() > 256) == (side == "L")
            letters = (with_marker[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] > 0.4).sum(axis=0)
            assert letters[0] > letters[-1]  # the upright of L or R comes first, the open C last: not mirrored


class TestPictures:
    def test_the_service_takes_every_one_for_a_mammogram_and_finds_its_polarity(self, index: Index) -> None:
        for row in index.rows:
            picture = read(row.file)
            assert looks_like_mammogram(picture.pixels) is None, row.image
            assert picture.inverted == row.inverted, row.image

    def test_the_chest_wall_stands_on_the_left_of_a_left_breast(self, index: Index) -> None:
        for row in index.rows:
            mask = breast_mask(read(row.file).pixels)
            half = mask.shape[1] // 2
            assert (mask[:, :half].sum() > mask[:, half:].sum()) == (row.laterality == "L"), row.image
            assert breast_box(mask, SIZE).width < SIZE[1]

    def test_the_labeler_that_ships_reads_view_and_side_though_it_never_saw_one(self, index: Index) -> None:
        network = Network(Registry().find("labeler"), "cpu", 1, True)
        right = {"view": 0, "laterality": 0}
        for row in index.rows:
            answer = network.run(read(row.file))
            for head in right:
                right[head] += network.manifest.outputs[head].classes[int(np.argmax(answer.scores[head]))] == getattr(row, head)
        assert right["laterality"] / len(index.rows) >= 0.95
        assert right["view"] / len(index.rows) >= 0.85

    def test_sixteen_bits_and_dicom_show_what_eight_bits_show(self, folder: Path, tmp_path: Path) -> None:
        write_synthetic(tmp_path / "deep", 2, 7, SIZE, bits=16)
        write_synthetic(tmp_path / "dicom", 2, 7, SIZE, dicom=True)
        deep, dicom = read_synthetic(tmp_path / "deep"), read_synthetic(tmp_path / "dicom")
        assert grey(deep.rows[0].file).dtype == np.uint16
        for plain, sixteen, sent in zip(read_synthetic(folder).rows, deep.rows, dicom.rows, strict=False):
            assert plain.image == sixteen.image == sent.image
            assert [roi.box for roi in plain.rois] == [roi.box for roi in sixteen.rois] == [roi.box for roi in sent.rois]
            first = read(plain.file).pixels
            for other in (sixteen, sent):  # more than 8 bits are stretched: another contrast, the same picture
                assert np.corrcoef(first.ravel(), read(other.file).pixels.ravel())[0, 1] > 0.99, other.file

    def test_a_dicom_file_is_a_mammogram_that_the_service_analyses(self, tmp_path: Path) -> None:
        write_synthetic(tmp_path, 2, 7, SIZE, dicom=True)
        rows = read_synthetic(tmp_path).rows
        headers = [read_header(pydicom.dcmread(row.file)) for row in rows]
        for row, header in zip(rows, headers, strict=True):
            assert ineligible_reason(header, film_allowed=False) is None
            assert (header.view, header.laterality, header.manufacturer) == (row.view, row.laterality, row.manufacturer)
        assert len({header.study_instance_uid for header in headers}) == 2
        assert len({header.sop_instance_uid for header in headers}) == len({header.series_instance_uid for header in headers}) == 8


class TestCbisLayout:
    def test_the_reader_of_the_real_set_finds_every_film_and_its_lesion(self, films: Path) -> None:
        index = read_cbis_ddsm(films)
        assert not index.skipped
        found = {(row.patient, row.breast, row.view): row for row in index.rows}
        expected = [
            (f"cbis-P_{number:05}", breast, view)
            for number, patient in enumerate(imagine_patients(PATIENTS, 7), start=1)
            for breast in (patient.right, patient.left)
            if breast.lesions
            for view in ("CC", "MLO")
        ]
        assert sorted(found) == sorted((patient, breast.side, view) for patient, breast, view in expected)
        for patient, breast, view in expected:
            row, lesion = found[patient, breast.side, view], breast.lesions[0]
            assert (row.density, row.pathology) == (breast.density, lesion.pathology)
            outline = draw_view(breast, view, replace(MACHINES[0], air=0.02), SIZE).outlines[0]  # type: ignore[arg-type]
            assert [(roi.kind, roi.pathology, roi.box) for roi in row.rois] == [(lesion.kind, lesion.pathology, outline.box)]

    def test_a_film_is_one_to_the_service_and_its_header_says_view_and_side_as_the_real_ones_do(self, films: Path) -> None:
        for row in read_cbis_ddsm(films).rows:
            header = read_header(pydicom.dcmread(row.file))
            assert header.kind is ImageKind.FILM
            assert ineligible_reason(header, film_allowed=True) is None
            assert (header.view, header.view_source) == (row.view, "PatientOrientation")
            assert (header.laterality, header.laterality_source) == (row.laterality, "Laterality")
            assert looks_like_mammogram(read(row.file).pixels) is None

    def test_a_folder_that_holds_films_is_not_overwritten(self, films: Path) -> None:
        with pytest.raises(FileExistsError, match="holds a set already"):
            write_synthetic_cbis(films, 1, 0, SIZE)
