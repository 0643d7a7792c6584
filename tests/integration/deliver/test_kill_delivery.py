"""``kill -9`` at any step of a delivery: afterwards a real Orthanc holds one verified object, never two, and the ledger is right."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from service.destinations import ArchiveApi
from service.domain.findings import CorrectionState, DeliveryState, ObjectKind
from service.domain.policy import Action, CorrectionPolicy
from service.jobs.corrections import approve_correction
from tests.support.kill_at_step import Task, choose, count_steps, describe, kill_at
from tests.support.orthanc import Orthanc, running
from tests.support.received_study import ReceivedStudies

CORRECTS = CorrectionPolicy(mode="new-series", missing=Action.AUTO, contradicts=Action.APPROVE)
pytestmark = pytest.mark.peer
KINDS = (ObjectKind.CAD, ObjectKind.REPORT, ObjectKind.HEATMAP, ObjectKind.CORRECTED)


class Archive(Orthanc):
    """An Orthanc that replaces what comes again, and writes down every instance that it stores: its own log of changes forgets those."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = folder / "stored.txt"
        script = folder / "journal.lua"
        script.write_text(
            "function OnStoredInstance(id, tags, metadata, origin)\n"
            f"  local journal = io.open('{self.journal}', 'a')\n"
            "  journal:write(tags.SOPInstanceUID .. '\\n')\n"
            "  journal:close()\n"
            "end\n"
        )
        super().__init__(folder, overwrite=True, options={"LuaScripts": [str(script)]})

    def empty(self) -> None:
        for held in self.ids():
            httpx.delete(f"{self.url}/instances/{held}", timeout=30).raise_for_status()
        self.journal.write_text("")

    def stored(self) -> Counter[str]:
        """How often each object was stored since it was emptied."""
        return Counter(self.journal.read_text().split())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    orthanc = Archive(tmp_path_factory.mktemp("orthanc"))
    with running(orthanc):
        yield orthanc


class Scene:
    """A concluded study of one image that owes its objects, copied anew for every kill, and an empty archive."""

    def __init__(self, folder: Path, archive: Archive, policy: CorrectionPolicy = CORRECTS, **study: Any) -> None:
        self.folder, self.archive, self.policy = folder, archive, policy
        self.numbers = itertools.count()
        first = self.received(folder / "template")
        self.study_instance_uid = first.conclude([("R", "MLO")], **study)
        first.close()

    def received(self, data: Path) -> ReceivedStudies:
        api = ArchiveApi(kind="orthanc", url=self.archive.url)
        peer = self.archive.destination(corrections=self.policy, archive=api)
        return ReceivedStudies(data, destinations=(peer,), ae_title="MAMMOTRIAGE")

    def anew(self) -> ReceivedStudies:
        self.archive.empty()
        data = self.folder / str(next(self.numbers))
        shutil.copytree(self.folder / "template", data)
        return self.received(data)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, archive: Archive) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"), archive)


@pytest.fixture(scope="module")
def contradicted(tmp_path_factory: pytest.TempPathFactory, archive: Archive) -> Scene:
    return Scene(tmp_path_factory.mktemp("contradicted"), archive, wrong=True)


def delivery_of(received: ReceivedStudies, kind: ObjectKind) -> int:
    (found,) = [row.id for row in received.ledger.deliveries.find() if row.kind is kind]
    return found


def kill_everywhere(scene: Scene, kind: ObjectKind, wanted: int | None) -> int:
    """Kill a delivery at some of its steps, or at every one; returns at how many."""
    received = scene.anew()
    steps = count_steps(received.settings, Task("deliver", (delivery_of(received, kind),)), scene.folder)
    assert {"call deliveries.Deliveries.claim", "return dimse.send", "call deliveries.Deliveries.mark_sent", "before sending"} <= set(steps)
    received.close()
    chosen = choose(len(steps), wanted or len(steps))
    killed = 0
    for step in chosen:
        received = scene.anew()
        number = delivery_of(received, kind)
        died = kill_at(received.settings, Task("deliver", (number,)), step)
        killed += died
        row = received.ledger.deliveries.get(number)
        assert row is not None and row.state in (DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.VERIFIED)
        # Whatever the dead one had claimed to be verified must be there already.
        assert row.state is not DeliveryState.VERIFIED or scene.archive.instance(row.object_uid), describe(steps, step)
        (ended,) = received.deliver_all([number])
        assert ended.state is DeliveryState.VERIFIED, f"{ended.error}, {describe(steps, step)}"
        assert len(scene.archive.ids()) == 1 and scene.archive.instance(ended.object_uid), describe(steps, step)
        assert scene.archive.stored() == {ended.object_uid: 1}, f"nothing comes twice, {describe(steps, step)}"
        received.close()
    # The order of sending and of the ledger's steps varies a little: the last step may not come again.
    assert killed >= len(chosen) - 1
    return killed


@pytest.mark.parametrize("kind", KINDS)
def test_a_delivery_that_is_killed_on_its_way_ends_with_one_verified_object(scene: Scene, kind: ObjectKind) -> None:
    assert kill_everywhere(scene, kind, wanted=4) >= 3


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_a_delivery_killed_at_every_single_step_ends_with_one_verified_object(scene: Scene, kind: ObjectKind) -> None:
    assert kill_everywhere(scene, kind, wanted=None) > 50


@pytest.mark.parametrize("mode", ["overwrite", "archive-api"])
def test_labels_written_in_place_are_written_once_whenever_the_worker_is_killed(
    tmp_path: Path, archive: Archive, mode: Literal["overwrite", "archive-api"]
) -> None:
    scene = Scene(tmp_path, archive, CorrectionPolicy(mode=mode, missing=Action.AUTO))

    def begin() -> tuple[ReceivedStudies, int]:
        received = scene.anew()
        (original,) = received.ledger.instances.of_study(scene.study_instance_uid)
        archive.upload(received.context.store.path(original.path).read_bytes())
        return received, delivery_of(received, ObjectKind.CORRECTED)

    received, number = begin()
    steps = count_steps(received.settings, Task("deliver", (number,)), tmp_path)
    received.close()
    for step in choose(len(steps), 5):
        received, number = begin()
        kill_at(received.settings, Task("deliver", (number,)), step)
        (ended,) = received.deliver_all([number])
        assert ended.state is DeliveryState.VERIFIED, f"{ended.error}, {describe(steps, step)}"
        held = archive.instance(ended.object_uid)
        assert held is not None and held["ImageLaterality"] == "R" and held["ViewPosition"] == "MLO"
        assert archive.stored() == {ended.object_uid: 2}, f"the original and one change, {describe(steps, step)}"
        received.close()


@pytest.mark.parametrize("task", ["approve", "undo"])
def test_a_decision_that_is_killed_on_its_way_was_made_with_all_that_follows_or_not_at_all(contradicted: Scene, task: str) -> None:
    def begin() -> tuple[ReceivedStudies, int]:
        received = contradicted.anew()
        (row,) = received.ledger.corrections.find()
        assert row.state is CorrectionState.PROPOSED
        if task == "undo":
            approve_correction(received.context, row.id, "Dr. Test", "seen in the picture")
            finish(received, row.id)
        return received, row.id

    def finish(received: ReceivedStudies, number: int) -> None:
        owed = [row.id for row in received.ledger.deliveries.find(correction_id=number)]
        assert {row.state for row in received.deliver_all(owed)} <= {DeliveryState.VERIFIED}

    received, number = begin()
    before = state_of(received, number)
    steps = count_steps(received.settings, Task(task, (number,)), contradicted.folder)
    after = state_of(received, number)
    assert after is not before
    received.close()
    seen = Counter[CorrectionState]()
    wanted = ObjectKind.CORRECTED if task == "approve" else ObjectKind.REVERTED
    for step in choose(len(steps), 5):
        received, number = begin()
        kill_at(received.settings, Task(task, (number,)), step)
        state = state_of(received, number)
        assert state in (before, after), describe(steps, step)
        seen[state] += 1
        planned = [each.kind for each in received.ledger.deliveries.find(correction_id=number)]
        assert (wanted in planned) == (state is after), describe(steps, step)
        finish(received, number)
        received.close()
    assert set(seen) == {before, after}, "some were killed before the decision, some behind it"


def state_of(received: ReceivedStudies, correction_id: int) -> CorrectionState:
    row = received.ledger.corrections.get(correction_id)
    assert row is not None
    return row.state
