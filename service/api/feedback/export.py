"""Readers' feedback as one CSV file, written row by row: what `python -m training` reads with its reader ``feedback``.

====================  ==================================================================================================
column                a cell
====================  ==================================================================================================
id                    number in the ledger; of one reader, image and label the highest counts
at                    time of the feedback, ISO 8601, UTC
study_instance_uid
sop_instance_uid
file                  the DICOM file, relative to the data folder of the service
label                 view, laterality, density or cancer
verdict               agree or wrong
predicted_value       the network's label; for cancer its score, 0 to 1
corrected_value       what the reader says is right; empty where they agree
value                 the label as the reader leaves it: `predicted_value` or `corrected_value`. Empty
                      where they agree with a cancer score and give no pathology
model                 name and version of the network
actor                 account or key of the reader
note                  in the reader's words
====================  ==================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator

from service.api.http.csv_lines import csv_line
from service.domain.feedback import FeedbackLabel, FeedbackVerdict
from service.store.feedback import Feedback

PAGE = 500
COLUMNS = (
    "id",
    "at",
    "study_instance_uid",
    "sop_instance_uid",
    "file",
    "label",
    "verdict",
    "predicted_value",
    "corrected_value",
    "value",
    "model",
    "actor",
    "note",
)


def write_feedback(
    feedback: Feedback,
    study_instance_uid: str | None = None,
    label: FeedbackLabel | None = None,
    verdict: FeedbackVerdict | None = None,
    history: bool = False,
) -> Iterator[str]:
    """A line of column names, then a line for each feedback.

    Parameters
    ----------
    history
        With feedback that a reader later replaced.
    """
    yield csv_line(COLUMNS)
    after_id = 0
    while page := feedback.find(study_instance_uid, label, verdict, not history, after_id, PAGE):
        for row in page:
            yield csv_line(
                (
                    row.id,
                    row.at.isoformat(),
                    row.study_instance_uid,
                    row.sop_instance_uid,
                    row.path.as_posix(),
                    row.label,
                    row.verdict,
                    row.predicted_value,
                    row.corrected_value,
                    row.value,
                    row.model,
                    row.actor,
                    row.note,
                )
            )
        after_id = page[-1].id
