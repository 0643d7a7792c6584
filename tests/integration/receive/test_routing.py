"""The site's rules at work: on what comes in over C-STORE, and on where its results go."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset

from service.domain.findings import Priority
from service.jobs.context import Context
from service.jobs.queues import Publisher
from tests.support.listener_fixture import ListenerFixture, send
from tests.support.sample_findings import full_field

RULES = """
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 104

[[destination]]
name = "research"
ae_title = "RESEARCH"
host = "127.0.0.1"
port = 105

[[rule]]
station = "PHANTOM*"
to = []

[[rule]]
calling_ae = "ASSESSMENT"
priority = "urgent"
to = ["pacs"]

[[rule]]
institution = "St. *"
to = ["research", "pacs"]
"""


def image(station: str, institution: str = "St. Elsewhere") -> Dataset:
    made = full_field()
    made.StationName, made.InstitutionName = station, institution
    return made


def test_rules_choose_urgency_when_an_image_comes_and_destinations_when_its_study_is_concluded(tmp_path: Path) -> None:
    file = tmp_path / "destinations.toml"
    file.write_text(RULES)
    receiving = ListenerFixture(tmp_path / "data", destinations_file=file)
    context = Context(receiving.settings, receiving.store, receiving.ledger, Publisher("redis://127.0.0.1:1/0"))
    expected: tuple[tuple[str, Dataset, Priority, list[str]], ...] = (
        ("ASSESSMENT", image("ROOM 1"), Priority.URGENT, ["pacs"]),
        ("ROOM1", image("ROOM 1"), Priority.ROUTINE, ["pacs", "research"]),
        ("ASSESSMENT", image("phantom 3"), Priority.ROUTINE, []),
        ("ROOM1", image("ROOM 1", "Elsewhere"), Priority.ROUTINE, []),
    )
    with receiving.listening():
        for calling_ae, sent, priority, names in expected:
            assert send(receiving.settings, sent, calling_ae).Status == 0
            row = receiving.ledger.instances.get(str(sent.SOPInstanceUID))
            assert row is not None
            assert row.priority is priority
            assert [each.name for each in context.route(receiving.ledger.instances.of_study(str(sent.StudyInstanceUID)))] == names
