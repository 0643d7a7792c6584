"""Several processes on one ledger: nobody sees a lock, nothing is entered or claimed twice."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from service.domain.findings import ObjectKind
from service.store.instances import Accepted
from service.store.ledger import Ledger
from tests.support.ledger_values import analysed, conclusion_of, header, record

STUDY = "1.2.3"
WRITERS = 4
ROUNDS = 25

Answer = TypeVar("Answer")


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(database_url)
    yield ledger
    ledger.close()


def run_together(work: Callable[[str, int], Answer], database_url: str) -> list[Answer]:
    together = multiprocessing.get_context("forkserver")
    together.set_forkserver_preload(["service.store.ledger"])
    with ProcessPoolExecutor(WRITERS, mp_context=together) as processes:
        return [future.result() for future in [processes.submit(work, database_url, number) for number in range(WRITERS)]]


def receive_the_same(database_url: str, _number: int) -> list[Accepted]:
    ledger = Ledger(database_url)
    return [ledger.instances.add(header(f"1.2.3.{index}"), "a" * 64, Path("x"), 1, "A") for index in range(ROUNDS)]


def receive_and_analyse_own(database_url: str, number: int) -> int:
    ledger = Ledger(database_url)
    for index in range(ROUNDS):
        uid = f"1.2.3.{number}.{index}"
        ledger.instances.add(header(uid), "a" * 64, Path("x"), 1, "A")
        ledger.instances.count_attempt(uid)
        ledger.instances.record_finding(analysed(uid))
        record(ledger, conclusion_of(ledger, STUDY, number + index / 100))
    return ROUNDS


def claim_all(database_url: str, _number: int) -> list[int]:
    ledger = Ledger(database_url)
    return [row.id for index in range(1, ROUNDS + 1) if (row := ledger.deliveries.claim(index, lease_s=600))]


def test_the_same_instance_from_four_processes_is_one_row(ledger: Ledger, database_url: str) -> None:
    answers = Counter(answer for answers in run_together(receive_the_same, database_url) for answer in answers)
    assert answers == {Accepted.NEW: ROUNDS, Accepted.DUPLICATE: (WRITERS - 1) * ROUNDS}
    study = ledger.studies.get(STUDY)
    assert study is not None and study.instance_count == ROUNDS == len(ledger.instances.of_study(STUDY))


def test_four_writers_of_one_study_never_meet_a_lock_and_lose_no_count(ledger: Ledger, database_url: str) -> None:
    run_together(receive_and_analyse_own, database_url)
    study = ledger.studies.get(STUDY)
    assert study is not None and study.instance_count == study.finished_count == WRITERS * ROUNDS
    versions = [conclusion.version for conclusion in ledger.conclusions.of_study(STUDY)]
    assert versions == list(range(1, len(versions) + 1))


def test_a_delivery_is_claimed_by_one_process(ledger: Ledger, database_url: str) -> None:
    ledger.instances.add(header("1.2.3.1"), "a" * 64, Path("x"), 1, "A")
    for index in range(ROUNDS):
        ledger.deliveries.plan(STUDY, 1, ObjectKind.REPORT, None, "pacs", f"2.25.{index}")
    claimed = [identity for claims in run_together(claim_all, database_url) for identity in claims]
    assert sorted(claimed) == list(range(1, ROUNDS + 1))
