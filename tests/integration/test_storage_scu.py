"""Files sent to a listener that falls silent: what got no answer is sent again, and one bad file does not take the others with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

from service.storage_scu import NO_ANSWER, Peer, send_files
from tests.support.sample_findings import full_field

SUCCESS = 0x0000


@contextmanager
def listener(answer: Callable[[Event], int]) -> Iterator[Peer]:
    entity = AE("LISTENER")
    entity.supported_contexts = AllStoragePresentationContexts
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, answer)])
    assert server is not None
    try:
        yield Peer("127.0.0.1", server.server_address[1], "LISTENER")
    finally:
        server.shutdown()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three images, named by their UIDs."""
    paths = []
    for _ in range(3):
        image = full_field("R", "CC")
        paths.append(tmp_path / f"{image.SOPInstanceUID}.dcm")
        image.save_as(paths[-1], enforce_file_format=True)
    return paths


def sop_instance_uid(event: Event) -> str:
    assert isinstance(event.request, C_STORE)
    return str(event.request.AffectedSOPInstanceUID)


def test_what_got_no_answer_is_sent_again_with_all_that_came_behind_it(files: list[Path]) -> None:
    came: Counter[str] = Counter()

    def answer(event: Event) -> int:
        uid = sop_instance_uid(event)
        came[uid] += 1
        if uid == files[1].stem and came[uid] == 1:
            event.assoc.abort()
        return SUCCESS

    with listener(answer) as peer:
        sent = list(send_files(files, peer))
    assert [(each.path, each.error) for each in sent] == [(path, "") for path in files]
    assert came == {files[0].stem: 1, files[1].stem: 2, files[2].stem: 1}


def test_a_file_that_ends_every_association_does_not_take_the_others_with_it(files: list[Path]) -> None:
    def answer(event: Event) -> int:
        if sop_instance_uid(event) == files[0].stem:
            event.assoc.abort()
        return SUCCESS

    with listener(answer) as peer:
        sent = {each.path: each.error for each in send_files(files, peer)}
    assert sent == {files[0]: NO_ANSWER, files[1]: "", files[2]: ""}
