"""Hanging answers as bytes, made once for each state of a study: a study that stays as it is costs one small query."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from service.api.hanging.presenter import show_hanging
from service.api.http.conditional import make_tag
from service.store.ledger import Ledger
from service.store.study_progress import StudyProgress

KEPT = 4000
"""Answers of some 3 kB each."""


@dataclass(frozen=True)
class Answer:
    """What one study's hanging is, ready to be sent."""

    body: bytes
    tag: str
    is_final: bool

    @property
    def event_id(self) -> str:
        """Names this answer in a stream of events."""
        return self.tag.strip('"')


class HangingAnswers:
    """Answers of one ledger. One for each process; threads may share it.

    Parameters
    ----------
    kept
        How many are remembered; the one that was not asked for longest goes first.
    """

    def __init__(self, ledger: Ledger, kept: int = KEPT) -> None:
        self._ledger, self._kept = ledger, kept
        self._answers: OrderedDict[StudyProgress, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, study_instance_uid: str) -> Answer | None:
        """The answer for one study; None for an unknown one."""
        return self.find_many([study_instance_uid]).get(study_instance_uid)

    def find_many(self, study_instance_uids: Sequence[str]) -> dict[str, Answer]:
        """Answers by study; unknown ones are left out."""
        return {
            uid: self._recall(standing) or self._make(standing)
            for uid, standing in self._ledger.study_progress.of_studies(study_instance_uids).items()
        }

    def _recall(self, standing: StudyProgress) -> Answer | None:
        # What a study looked like is in the key: there is nothing to invalidate.
        with self._lock:
            if standing in self._answers:
                self._answers.move_to_end(standing)
            return self._answers.get(standing)

    def _make(self, standing: StudyProgress) -> Answer:
        while True:
            instances = self._ledger.instances.of_study(standing.study_instance_uid)
            # An image that came between the two looks would hang in an answer that calls itself final.
            after = self._ledger.study_progress.of_studies([standing.study_instance_uid])[standing.study_instance_uid]
            if after == standing:
                break
            standing = after
        body = show_hanging(standing, instances).model_dump_json().encode()
        answer = Answer(body, make_tag(body), standing.settled)
        with self._lock:
            self._answers[standing] = answer
            while len(self._answers) > self._kept:
                self._answers.popitem(last=False)
        return answer
