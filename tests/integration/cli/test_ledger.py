"""The command line on a real ledger: what people decide at a terminal is what they could decide over HTTP."""

from __future__ import annotations

import csv
import getpass
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.cli import main
from service.domain.findings import DeliveryState
from service.domain.policy import CorrectionPolicy
from tests.support.api_server import Served, serve_api
from tests.support.mislabelled_studies import PACS, add_contradicted_study, add_swapped_study

SIGNED = ("--actor", "Dr. A. Jones", "--reason", "compared with the prior")


@dataclass
class Ended:
    """A command that has run."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ended]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Served]:
    peer = PACS.model_copy(update={"corrections": CorrectionPolicy(sides_swapped="approve")})
    with serve_api(tmp_path, destinations=(peer,)) as served:
        yield served


@pytest.fixture
def run(tmp_path: Path, clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs `mammotriage` in this process, with the data folder of the stack and a broker that is away."""
    destinations = tmp_path / "destinations.toml"
    destinations.write_text(
        '[[destination]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 1\nobjects = ["sr"]\n'
        'corrections = {sides-swapped = "approve"}\n'
    )
    clean_environment.setenv("MAMMOTRIAGE_DATA_DIR", str(tmp_path))
    clean_environment.setenv("MAMMOTRIAGE_DESTINATIONS_FILE", str(destinations))
    clean_environment.setenv("MAMMOTRIAGE_REDIS_URL", "redis://127.0.0.1:1/0")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def command(*arguments: str) -> Ended:
        clean_environment.setattr(sys, "argv", ["mammotriage", *arguments])
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    yield command
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


def test_a_correction_is_approved_proved_and_undone_at_the_terminal(stack: Served, run: Run) -> None:
    number = add_contradicted_study(stack)
    (listed,) = run("corrections", "list", "--state", "proposed", "--json").rows
    assert (listed["id"], listed["kind"]) == (number, "contradicts")
    table = run("corrections", "list").out
    assert "L-CC" in table
    assert "L-MLO" in table
    approved = run("corrections", "approve", str(number), *SIGNED)
    assert approved.status == 0
    assert "approved by Dr. A. Jones: compared with the prior" in approved.out
    assert "the sweeper will" in approved.err  # the broker is away, and nothing is lost
    (delivery,) = run("deliveries", "list", "--destination", "pacs", "--json").rows[1:]
    assert (delivery["kind"], delivery["state"]) == ("corrected", "pending")
    stack.deliver(int(str(delivery["id"])))
    (shown,) = run("corrections", "show", str(number), "--json").rows
    assert shown["state"] == "verified"
    assert run("corrections", "undo", str(number), *SIGNED, "--json").rows[0]["state"] == "reverting"
    assert "reverting" in run("corrections", "show", str(number)).out
    trail = [(row.actor, row.action, row.subject, row.detail) for row in stack.ledger.audit_log.find(limit=2)]
    me = f"cli:{getpass.getuser()}"
    assert trail == [(me, f"corrections {what}", str(number), "Dr. A. Jones") for what in ("undo", "approve")]


def test_a_rejected_correction_stays_rejected(stack: Served, run: Run) -> None:
    number = str(add_contradicted_study(stack))
    assert run("corrections", "reject", number, *SIGNED, "--json").rows[0]["state"] == "rejected"
    again = run("corrections", "approve", number, *SIGNED)
    assert again.status == 2
    assert "decision-refused" in again.err
    assert "rejected" in again.err


def test_the_ledger_is_exported_to_a_file_and_to_standard_output(stack: Served, run: Run, tmp_path: Path) -> None:
    numbers = [add_contradicted_study(stack), add_contradicted_study(stack)]
    target = tmp_path / "out.json"
    assert run("corrections", "export", "--format", "json", "--output", str(target)).status == 0
    assert [each["id"] for each in json.loads(target.read_text())] == numbers
    rows = list(csv.DictReader(io.StringIO(run("corrections", "export").out)))
    assert [int(row["id"]) for row in rows] == numbers
    assert run("corrections", "export", "--state", "reverted", "--format", "json").out == "[]\n"


def test_a_held_study_is_released_by_a_named_person(stack: Served, run: Run) -> None:
    study_instance_uid = add_swapped_study(stack)
    for row in stack.ledger.corrections.find(study_instance_uid=study_instance_uid):
        held = run("corrections", "approve", str(row.id), *SIGNED)
        assert "its study is held" in held.out
    (hold,) = run("holds", "list", "--json").rows
    assert hold["study_instance_uid"] == study_instance_uid
    assert run("holds", "release", study_instance_uid, "--actor", "Dr. A. Jones").status == 2
    (released,) = run("holds", "release", study_instance_uid, *SIGNED, "--json").rows
    assert released["released_by"] == "Dr. A. Jones"
    assert run("holds", "list", "--json").rows == []
    assert len(run("holds", "list", "--all", "--json").rows) == 1
    assert [(row.action, row.subject) for row in stack.ledger.audit_log.find(limit=1)] == [("holds release", study_instance_uid)]
    assert sum(bool(row.correction_id) for row in stack.ledger.deliveries.find(study_instance_uid=study_instance_uid)) == 2


def test_failed_deliveries_are_tried_again_one_by_one_or_all_of_a_destination(stack: Served, run: Run) -> None:
    add_contradicted_study(stack)
    add_contradicted_study(stack)
    first, second = stack.ledger.deliveries.find()
    for row in (first, second):
        stack.deliver(row.id, DeliveryState.FAILED, "pacs: no association")
    assert "no association" in run("deliveries", "list", "--state", "failed").out
    (one,) = run("deliveries", "retry", str(first.id), "--actor", "A. Smith", "--json").rows
    assert (one["id"], one["state"]) == (first.id, "pending")
    (rest,) = run("deliveries", "retry", "--failed-to", "pacs", "--actor", "A. Smith", "--json").rows
    assert rest["id"] == second.id
    assert [row.subject for row in stack.ledger.audit_log.find(action="deliveries retry")] == [str(second.id), str(first.id)]
    assert run("deliveries", "retry", "--actor", "A. Smith").status == 2
    assert run("deliveries", "retry", str(first.id), "--actor", "policy").status == 2


def test_destinations_are_listed_with_what_becomes_of_corrections(stack: Served, run: Run) -> None:
    (shown,) = run("destinations", "list", "--json").rows
    assert (shown["name"], shown["state"], shown["policy"]["sides-swapped"]) == ("pacs", "unknown", "approve")  # type: ignore[index]
    assert "contradicts: approve" in " ".join(run("destinations", "list").out.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("corrections", "approve", "1"),
        ("corrections", "approve", "1", "--actor", "A. Smith"),
        ("corrections", "reject", "1", "--actor", " ", "--reason", "because"),
        ("corrections", "undo", "1", "--actor", "policy", "--reason", "because"),
        ("corrections", "list", "--state", "lost"),
    ],
)
def test_a_decision_without_name_or_reason_is_a_wrong_call(stack: Served, run: Run, arguments: tuple[str, ...]) -> None:
    number = add_contradicted_study(stack)
    wrong = run(*arguments)
    assert wrong.status == 2
    assert len(stack.ledger.corrections.history(number)) == 1


def test_what_does_not_exist_is_said_so(stack: Served, run: Run) -> None:
    for arguments in (
        ("corrections", "show", "99"),
        ("corrections", "approve", "99", *SIGNED),
        ("holds", "release", "1.2.3", *SIGNED),
        ("deliveries", "retry", "99", "--actor", "A. Smith"),
        ("destinations", "check", "nobody"),
    ):
        missing = run(*arguments)
        assert (missing.status, missing.err.startswith("not-found: ")) == (2, True), arguments


def test_a_ledger_that_is_not_there_is_not_made(run: Run, tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("MAMMOTRIAGE_DATA_DIR", str(tmp_path / "elsewhere"))
    missing = run("corrections", "list")
    assert missing.status == 2
    assert "is MAMMOTRIAGE_DATA_DIR that of the stack?" in missing.err
    assert not (tmp_path / "elsewhere").exists()


def test_a_ledger_without_its_tables_is_said_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").touch()
    broken = run("deliveries", "list")
    assert broken.status == 2
    assert "mammotriage migrate" in broken.err
    assert "Traceback" not in broken.err
