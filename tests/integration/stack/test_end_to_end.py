"""From a PACS and back to it, through real Redis, Celery, networks and Orthanc. One stack serves these tests one after the other."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pydicom
import pytest

from service.domain.policy import CorrectionPolicy
from tests.support.full_stack import FullStack, labels_of, open_full_stack, renew

FULL_SET = Counter({("R", "CC"): 1, ("L", "CC"): 1, ("R", "MLO"): 1, ("L", "MLO"): 1})


@pytest.fixture(scope="module")
def full_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullStack]:
    with open_full_stack(tmp_path_factory.mktemp("full_stack"), {"corrections": CorrectionPolicy(film=True)}) as opened:
        yield opened


@pytest.fixture(scope="module")
def routed(full_stack: FullStack, cbis_cases: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    """A four-view study that Orthanc has routed to us and has its results back."""
    study, paths = renew(cbis_cases["sfm-malign-0"], tmp_path_factory.mktemp("sent") / "study")
    full_stack.route(paths)
    full_stack.wait_delivered(study)
    return study, paths


def test_orthanc_routes_a_study_and_then_holds_report_heatmaps_and_corrected_images(
    full_stack: FullStack, routed: tuple[str, list[Path]]
) -> None:
    study, _ = routed
    answer = full_stack.study(study)
    assert labels_of(answer) == FULL_SET and answer["complete"] and answer["flag"] in {"suspicious", "routine"}
    assert {delivery["state"] for delivery in answer["deliveries"]} == {"verified"}
    assert full_stack.counts(study) == {"original": 4, "CAD": 1, "SR": 1, "heatmap": 4, "corrected": 4}
    corrected = full_stack.fetch(study, "corrected")
    assert Counter((image.ImageLaterality, image.ViewPosition) for image in corrected) == FULL_SET
    by_uid = {image.SOPInstanceUID: image for image in full_stack.fetch(study, "original")}
    for image in corrected:
        source = by_uid[image.SourceImageSequence[0].ReferencedSOPInstanceUID]
        assert image.PixelData == source.PixelData and image.SeriesInstanceUID != source.SeriesInstanceUID
        assert "ImageLaterality" not in source, "the original is untouched"


def test_the_api_answers_with_labels_pictures_and_triage_order(full_stack: FullStack, routed: tuple[str, list[Path]]) -> None:
    study, _ = routed
    image = full_stack.study(study)["instances"][0]
    for link in image["links"].values():
        assert full_stack.api.get(link).content.startswith(b"\x89PNG")
    slots = full_stack.api.get(f"/api/v1/studies/{study}/hanging").json()
    assert slots["status"] == "final" and not slots["missing"]
    listed = full_stack.api.get("/api/v1/studies", params={"order": "triage"}).json()["studies"]
    assert study in [row["study_instance_uid"] for row in listed]


def test_operations_show_the_worker_that_did_it_and_what_went_through(full_stack: FullStack, routed: tuple[str, list[Path]]) -> None:
    seen = full_stack.api.get("/api/v1/operations", params={"hours": 1}).json()
    (worker,) = seen["workers"]
    assert worker["alive"] and worker["provider"] and {model["task"] for model in worker["models"]} == {"labeler", "cancer"}
    assert set(seen["readiness"].values()) == {"ok"} and set(seen["queues"]) == {"urgent", "routine", "background"}
    gone_through = {name: sum(count for _, count in points) for name, points in seen["throughput"].items()}
    assert gone_through["analysed"] >= 4 and gone_through["concluded"] >= 1 and gone_through["delivered"] >= 9
    assert {"queued.routine", "disk-free-bytes", "images-waiting"} <= set(seen["samples"]), "the sweeper looks when it starts"


def test_the_same_study_sent_again_changes_nothing(full_stack: FullStack, routed: tuple[str, list[Path]]) -> None:
    study, paths = routed
    before = full_stack.study(study)
    assert not any(sent.error for sent in full_stack.send(paths))
    full_stack.route(paths)
    after = full_stack.study(study)
    assert after["version"] == before["version"] and after["images"] == before["images"] == 4
    assert full_stack.counts(study) == {"original": 4, "CAD": 1, "SR": 1, "heatmap": 4, "corrected": 4}


def test_results_that_the_archive_routes_back_to_us_start_nothing(full_stack: FullStack, routed: tuple[str, list[Path]]) -> None:
    study, _ = routed
    before = full_stack.study(study)
    full_stack.orthanc.send_to("mammotriage", full_stack.archived_ids(study))
    after = full_stack.study(study)
    assert (after["version"], after["images"]) == (before["version"], before["images"])
    assert full_stack.counts(study) == {"original": 4, "CAD": 1, "SR": 1, "heatmap": 4, "corrected": 4}


def test_a_late_image_makes_a_result_that_supersedes_the_former(
    full_stack: FullStack, routed: tuple[str, list[Path]], tmp_path: Path
) -> None:
    study, paths = routed
    before = full_stack.study(study)["version"]
    late = pydicom.dcmread(paths[0])
    late.SOPInstanceUID = late.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    late.save_as(tmp_path / "late.dcm")
    assert not any(sent.error for sent in full_stack.send([tmp_path / "late.dcm"]))
    answer = full_stack.wait_delivered(study, version=before + 1)
    assert answer["images"] == 5 and {delivery["state"] for delivery in answer["deliveries"]} == {"verified"}
    assert full_stack.counts(study) == {"original": 4, "CAD": 2, "SR": 2, "heatmap": 5, "corrected": 5}
    reports = sorted(full_stack.fetch(study, "SR"), key=lambda report: "PredecessorDocumentsSequence" in report)
    predecessor = reports[1].PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert predecessor.ReferencedSOPInstanceUID == reports[0].SOPInstanceUID and "PredecessorDocumentsSequence" not in reports[0]


def test_the_listener_receives_while_redis_is_down_and_everything_is_analysed_after(
    full_stack: FullStack, cbis_cases: dict[str, list[Path]], tmp_path: Path
) -> None:
    study, paths = renew(cbis_cases["sfm-benign-0"], tmp_path / "study")
    broker = full_stack.stack.broker
    assert broker is not None
    broker.stop()
    try:
        assert not any(sent.error for sent in full_stack.send(paths)), "receiving needs no broker"
    finally:
        broker.start()
    answer = full_stack.wait_delivered(study)
    assert labels_of(answer) == FULL_SET and answer["state"] == "concluded"


def test_a_worker_killed_in_mid_task_leaves_one_result_in_the_pacs(
    full_stack: FullStack, cbis_cases: dict[str, list[Path]], tmp_path: Path
) -> None:
    study, paths = renew(cbis_cases["sfm-benign-0"], tmp_path / "study")
    for path in paths:
        full_stack.orthanc.upload(path.read_bytes())
    assert not any(sent.error for sent in full_stack.send(paths))
    full_stack.wait("the first finished image", lambda: full_stack.study(study)["finished_images"] > 0)
    worker = psutil.Process(full_stack.stack.parts["worker"].process.pid)
    for process in (*worker.children(recursive=True), worker):
        os.kill(process.pid, signal.SIGKILL)
    assert full_stack.study(study)["finished_images"] < 4, "the kill came in the middle of the study"
    full_stack.wait_delivered(study)
    full_stack.wait("all objects", lambda: full_stack.counts(study) == {"original": 4, "CAD": 1, "SR": 1, "heatmap": 4, "corrected": 4})


STATUS_OVER_C_STORE = {
    "fo-dicom__OutOfBoundsOverlay": ("skipped", "stereo"),
    "dicom-test-files__MG1_J2KI": ("analysed", None),
    "dicom-test-files__MG1_JPLY": ("failed", "undecodable-pixel-data"),
    "DICOMSamples__MG_Explicit_Little": ("skipped", None),
    "dicom-test-files__RG1_J2KI": ("skipped", "not-mammography"),
    "dicom-test-files__RG3_JPLL": ("skipped", "not-mammography"),
    "dicom-test-files__RG1_JLSN": ("skipped", "not-mammography"),
    "dicom-test-files__SC_rgb": ("skipped", None),
    "dicom-test-files__emri_small": ("skipped", "not-mammography"),
    "dicom-test-files__CT_small": ("skipped", "not-mammography"),
    "dicom-test-files__test-SR": ("skipped", None),
    "torchxrayvision__1": ("skipped", "not-mammography"),
}
"""File name (its beginning) to the state and the code that its instance ends with; no code where several fit."""


def expected_of(path: Path) -> tuple[str, str | None]:
    return next(value for name, value in STATUS_OVER_C_STORE.items() if path.stem.startswith(name))


def test_awkward_files_over_c_store_each_get_the_right_status(full_stack: FullStack, dicom_test_files: Path) -> None:
    paths = sorted(dicom_test_files.rglob("*.dcm"))
    assert len(paths) == len(STATUS_OVER_C_STORE)
    answers = {sent.path: sent.error for sent in full_stack.send(paths)}
    stored = [path for path in paths if not answers[path]]
    refused = {path.stem for path in paths if answers[path]}
    assert not refused, f"everything of the design's table is stored, and these were not: {refused}"
    for path in stored:
        header = pydicom.dcmread(path, stop_before_pixels=True)

        def ended(uid: str = header.SOPInstanceUID, study: str = header.StudyInstanceUID) -> dict | None:  # type: ignore[type-arg]
            images = [each for each in full_stack.study(study).get("instances", []) if each["sop_instance_uid"] == uid]
            return images[0] if images and images[0]["state"] != "received" else None

        image = full_stack.wait(f"an answer for {path.name}", ended)
        state, code = expected_of(path)
        assert image["state"] == state, f"{path.name}: {image['reason']}"
        assert code is None or image["reason"]["code"] == code, f"{path.name}: {image['reason']}"
        assert state == "analysed" or image["reason"]["text"]
