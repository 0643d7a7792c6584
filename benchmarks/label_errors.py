"""``python -m benchmarks.label_errors``: label errors put into real studies on purpose, and what the service makes of them.

Held-back images of RSNA-2022 (test part of training/experiments/splits/patients.csv) become DICOM studies with right headers. Then, each
for itself: left and right exchanged on one image, CC and MLO exchanged on one image, both sides exchanged, pictures mirrored, and no error
at all. The service's own labeler, marker reader and study-level reasoning answer. Writes label-errors.json and label-errors.md.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.label_errors_page import render
from benchmarks.seeded_studies import (
    Exam,
    Labels,
    Seeded,
    read_exams,
    seed_description,
    seed_exchange,
    seed_mirror,
    seed_mirrors,
    seed_nothing,
    seed_position,
    seed_region,
    seed_side,
    seed_unknown_code,
    seed_view,
    truths,
)
from models.registry import Registry
from service.domain.findings import Agreement, CorrectionKind, InstanceState, LabelCorrection, Verdict
from service.domain.label_evaluation import evaluate_labels

MIRRORING_MACHINE = "49"
"""The machine of RSNA-2022 on which whole studies lie against their labels, without any seeding: reported apart."""


class Error(NamedTuple):
    """One kind of seeded error: how it is made, and the answer that names it."""

    seed: Callable[[Exam], Iterator[Seeded]]
    kind: CorrectionKind


ERRORS = {
    "side of one image": Error(seed_side, CorrectionKind.CONTRADICTS),
    "view of one image": Error(seed_view, CorrectionKind.CONTRADICTS),
    "one picture mirrored": Error(seed_mirror, CorrectionKind.MIRRORED),
    "both sides exchanged": Error(seed_exchange, CorrectionKind.SIDES_SWAPPED),
    "both sides exchanged, detectors tell": Error(partial(seed_exchange, flip="NO"), CorrectionKind.SIDES_SWAPPED),
    "all pictures mirrored": Error(seed_mirrors, CorrectionKind.MIRRORED),
    "all pictures mirrored, detectors tell": Error(partial(seed_mirrors, flip="YES"), CorrectionKind.MIRRORED),
    "position against code of one image": Error(seed_position, CorrectionKind.HEADER_CONTRADICTS_ITSELF),
    "description against side of one image": Error(seed_description, CorrectionKind.HEADER_CONTRADICTS_ITSELF),
    "unknown view code of one image": Error(seed_unknown_code, CorrectionKind.VIEW_UNKNOWN),
    "other side, in the anatomic region only, of one image": Error(seed_region, CorrectionKind.CONTRADICTS),
}


def measure(exams: Sequence[Exam]) -> dict[str, Any]:
    """Seed every error into every exam and count the answers, by group of exams."""
    ordinary = [exam for exam in exams if exam.machine != MIRRORING_MACHINE]
    groups = {
        "four views": [exam for exam in ordinary if exam.four_views],
        "fewer views": [exam for exam in ordinary if not exam.four_views],
        f"machine {MIRRORING_MACHINE}": [exam for exam in exams if exam.machine == MIRRORING_MACHINE],
    }
    return {
        "counts": {name: {"studies": len(group), "images": sum(len(exam.shots) for exam in group)} for name, group in groups.items()},
        "errors": {name: {error: _measure_error(ERRORS[error], group) for error in ERRORS} for name, group in groups.items()},
        "no error": {name: _measure_false_alarms(group) for name, group in groups.items()},
        "unsure": _measure_unsure(exams),
        "markers": _measure_markers(exams),
    }


def rate(count: int, of: int) -> dict[str, Any]:
    """A share with its 95 % interval (Wilson 1927)."""
    if not of:
        return {"count": 0, "of": 0, "share": None, "wilson95": None}
    z, share = 1.959964, count / of
    middle, spread = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = (max(0.0, (middle - spread) / (1 + z * z / of)), min(1.0, (middle + spread) / (1 + z * z / of)))
    return {"count": count, "of": of, "share": round(share, 4), "wilson95": [round(low, 4), round(high, 4)]}


def _measure_error(error: Error, exams: Sequence[Exam]) -> dict[str, Any]:
    """Of seeded images (or studies, where all images have the error): noticed, settled, left open, unsure, missed; and harm done."""
    truth, counted = truths(exams), dict.fromkeys(("seeded", "noticed", "settled", "open", "unsure", "missed", "named wrongly", "harm"), 0)
    for seeded in _seed_all(error, exams):
        corrections, *_ = evaluate_labels(seeded.study)
        counted["seeded"] += 1
        counted["harm"] += any(does_harm(correction, seeded, truth) for correction in corrections)
        targets = [correction for correction in corrections if seeded.target in (None, correction.sop_instance_uid)]
        if not any(correction.kind for correction in targets):
            unsure = any(Agreement.UNSURE in (each.view, each.laterality) for each in targets) or not targets
            counted["unsure" if unsure else "missed"] += 1
            continue
        counted["noticed"] += 1
        offered = [correction for correction in targets if correction.kind and not correction.blocked_reason]
        right = all(correction.kind is error.kind and not does_harm(correction, seeded, truth) for correction in offered)
        counted["open" if not offered else "settled" if right else "named wrongly"] += 1
    total = counted.pop("seeded")
    return {name: rate(count, total) for name, count in counted.items()}


def _seed_all(error: Error, exams: Iterable[Exam]) -> Iterator[Seeded]:
    for exam in exams:
        yield from error.seed(exam)


def does_harm(correction: LabelCorrection, seeded: Seeded, truth: dict[str, Labels]) -> bool:
    """Tell whether a person could be led to write something wrong: an offered label that is not the true one, or an orientation
    written because a picture was taken for mirrored that is not."""
    if correction.kind is None or correction.blocked_reason:
        return False
    right = truth[correction.sop_instance_uid]
    if correction.kind is CorrectionKind.MIRRORED:
        return correction.pixel_laterality is right.side
    return (correction.new_laterality, correction.new_view) != (right.side, right.view)


def _measure_false_alarms(exams: Sequence[Exam]) -> dict[str, Any]:
    images, alarms, offers, studies, verdicts = 0, 0, 0, 0, dict.fromkeys(Verdict, 0)
    for seeded in _seed_all(Error(seed_nothing, CorrectionKind.MISSING), exams):
        corrections, reasoning, _ = evaluate_labels(seeded.study)
        images += len(seeded.study)
        alarms += sum(correction.kind is not None for correction in corrections)
        offers += sum(correction.kind is not None and not correction.blocked_reason for correction in corrections)
        studies += 1
        verdicts[reasoning.verdict] += 1
    return {
        "images reported": rate(alarms, images),
        "images with a correction on offer": rate(offers, images),
        "studies reported": rate(studies - verdicts[Verdict.AS_DECLARED], studies),
        "verdicts": {str(verdict): count for verdict, count in verdicts.items()},
    }


def _measure_unsure(exams: Sequence[Exam]) -> dict[str, Any]:
    """Over all seeds: labels below the manifest's confidence, and how many of their images had a correction on offer (none may)."""
    unsure, offered = 0, 0
    for error in ERRORS.values():
        for seeded in _seed_all(error, exams):
            for correction in evaluate_labels(seeded.study).corrections:
                if "UNKNOWN" in (correction.pixel_view, correction.pixel_laterality):
                    unsure += 1
                    offered += correction.kind is not None and not correction.blocked_reason
    return {"answers with a label below confidence": unsure, "of these with a correction on offer": offered}


def _measure_markers(exams: Sequence[Exam]) -> dict[str, Any]:
    """By machine: images, burned-in markers read, and read as the data set labels the image; as they are and mirrored."""
    answer: dict[str, Any] = {}
    for exam in sorted(exams, key=lambda exam: int(exam.machine or 0)):
        row = answer.setdefault(exam.machine, {"images": 0, "read": 0, "right": 0, "read mirrored": 0, "right mirrored": 0})
        for shot in exam.shots:
            row["images"] += 1
            for finding, tail in ((shot.plain, ""), (shot.mirrored, " mirrored")):
                if finding.state is InstanceState.ANALYSED and finding.marker:
                    row[f"read{tail}"] += 1
                    row[f"right{tail}"] += (finding.marker.laterality, finding.marker.view) == shot.truth
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.label_errors", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder that holds rsna-bcd-640")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder for label-errors.json and label-errors.md")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "mammotriage-label-errors.json", help="what pixels said"
    )
    parser.add_argument("--patients", type=int, help="of so many patients only")
    arguments = parser.parse_args()
    exams = read_exams(arguments.data, arguments.cache, "test", arguments.patients)
    checked = read_exams(arguments.data, arguments.cache, "validation", arguments.patients)
    manifest = Registry().find("labeler").manifest
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    figures = {
        "benchmark": "python -m benchmarks.label_errors",
        "commit": commit,
        "data": "rsna-bcd-640, test part of training/experiments/splits/patients.csv",
        "labeler": {"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256, "thresholds": manifest.thresholds},
        **measure(exams),
        "check": {"data": "the same, validation part", **measure(checked)},
    }
    page = render(figures)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "label-errors.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "label-errors.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
