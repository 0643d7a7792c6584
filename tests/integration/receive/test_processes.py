"""Processes that die in the middle: of the peer, and of the listener."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from service.receive.listener import ORPHAN_S
from tests.support.eventually import eventually
from tests.support.listener_fixture import ListenerFixture, listener_process, send

SENDER = """
import os, sys
from pydicom import dcmread
from pynetdicom import AE
data = dcmread(sys.argv[1])
peer = AE("DYING")
peer.add_requested_context(data.SOPClassUID, data.file_meta.TransferSyntaxUID)
association = peer.associate("127.0.0.1", int(sys.argv[2]), max_pdu=4096)
send, sent = association.dul.socket.send, [0]
def die_half_way(content):
    sent[0] += len(content)
    if sent[0] > 200_000:
        os.kill(os.getpid(), 9)
    send(content)
association.dul.socket.send = die_half_way
association.send_c_store(data)
"""


@pytest.fixture
def film(cbis_cases: dict[str, list[Path]]) -> Path:
    return cbis_cases["sfm-benign-0"][0]


@pytest.fixture
def receiving(tmp_path: Path) -> ListenerFixture:
    return ListenerFixture(tmp_path)


def test_a_peer_killed_in_mid_transfer_leaves_an_orphan_that_the_sweep_removes(receiving: ListenerFixture, film: Path) -> None:
    with listener_process(receiving):
        killed = subprocess.run([sys.executable, "-c", SENDER, film, str(receiving.settings.dicom_port)], capture_output=True)
        assert killed.returncode == -9, killed.stderr.decode()
        orphans = eventually(lambda: list(receiving.store.spool_dir.iterdir()))
        assert len(orphans) == 1 and receiving.ledger.counts.by_state()["instances"]["received"] == 0
        assert send(receiving.settings, dcmread(film)).Status == 0x0000
        assert receiving.store.sweep_spool(ORPHAN_S) == 0
        past = time.time() - ORPHAN_S - 1
        os.utime(orphans[0], (past, past))
        assert receiving.store.sweep_spool(ORPHAN_S) == 1 and list(receiving.store.spool_dir.iterdir()) == []
    receiving.ledger.close()


def test_an_instance_that_a_killed_listener_acknowledged_is_stored_and_known_to_the_next_one(
    receiving: ListenerFixture, film: Path
) -> None:
    image = dcmread(film)
    with listener_process(receiving) as process:
        assert send(receiving.settings, image).Status == 0x0000
        process.kill()
        process.join()
    row = receiving.ledger.instances.get(image.SOPInstanceUID)
    assert row is not None and dcmread(receiving.store.path(row.path)).PixelData == image.PixelData
    with receiving.listening():
        assert send(receiving.settings, image).Status == 0x0000
        assert receiving.published == [] and receiving.ledger.counts.by_state()["conflicts"] == {"kept": 0}


def test_two_listeners_share_a_data_folder(receiving: ListenerFixture, tmp_path: Path, film: Path) -> None:
    image = dcmread(film)
    with listener_process(receiving), ListenerFixture(tmp_path).listening() as second:
        for settings in (receiving.settings, second.settings):
            assert send(settings, image).Status == 0x0000
        assert second.ledger.counts.by_state()["instances"]["received"] == 1 and second.published == []
    receiving.ledger.close()
