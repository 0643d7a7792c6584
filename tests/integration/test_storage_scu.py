"""Files sent to a listener that falls silent: what got no answer is sent again, and one bad file does not take the others with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

from service.storage_scu import NO_ANSWER, Peer, send_files
from tests.support.sample_findings import full_field

SUCCESS = 0x0000


@contextmanager
def listener(answer: Callable[[Event], int]) -> Iterator[Peer]:
    entity = AE("LISTENER")
    for context in AllStoragePresentationContexts:
        assert context.abstract_syntax is not None
        entity.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
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


def write_without_preamble(path: Path, syntax: str = ExplicitVRLittleEndian, with_meta: bool = False) -> Path:
    image = full_field("R", "CC")
    image.file_meta.TransferSyntaxUID = UID(syntax)
    buffer = BytesIO()
    image.save_as(
        buffer, enforce_file_format=True, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian
    )
    content = buffer.getvalue()
    path.write_bytes(content[128 + 4 :] if with_meta else content[144 + int.from_bytes(content[140:144], "little") :])
    return path


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("with_meta", [False, True])
def test_a_file_without_preamble_is_sent(tmp_path: Path, syntax: str, with_meta: bool) -> None:
    came: list[Dataset] = []

    def answer(event: Event) -> int:
        came.append(event.dataset)
        return SUCCESS

    path = write_without_preamble(tmp_path / "raw", syntax, with_meta)
    with listener(answer) as peer:
        assert [(each.path, each.error) for each in send_files([path], peer)] == [(path, "")]
    assert (came[0].Rows, len(came[0].PixelData)) == (256, 256 * 192 * 2)


NOT_SENT: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("not DICOM"),
    "empty": lambda path: path.write_bytes(b""),
    "a picture": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500)),
    "zeros": lambda path: path.write_bytes(bytes(4000)),
    "cut off within the file meta": lambda path: path.write_bytes(bytes(128) + b"DICM\x02\x00\x00\x00UL\x04"),
    "without a SOP Instance UID": lambda path: path.write_bytes(b"\x08\x00\x16\x00UI\x06\x001.2.3\0"),
    "compressed without a transfer syntax": lambda path: path.write_bytes(
        b"\x08\x00\x16\x00UI\x06\x001.2.3\0\x08\x00\x18\x00UI\x06\x001.2.4\0"
        b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\4\0\0\0abcd\xfe\xff\xdd\xe0\0\0\0\0"
    ),
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("name", NOT_SENT)
def test_a_file_that_is_not_sent_is_named_beside_those_that_are(files: list[Path], tmp_path: Path, name: str) -> None:
    odd = tmp_path / "odd"
    NOT_SENT[name](odd)
    with listener(lambda _: SUCCESS) as peer:
        sent = {each.path: each.error for each in send_files([files[0], odd, files[1]], peer)}
    assert sent.pop(odd)
    assert sent == {files[0]: "", files[1]: ""}


def test_files_that_a_listener_no_longer_answers_for_are_named(files: list[Path]) -> None:
    def answer(event: Event) -> int:
        event.assoc.ae.require_calling_aet = ["NOBODY"]
        event.assoc.abort()
        return SUCCESS

    with listener(answer) as peer:
        sent = {each.path: each.error for each in send_files(files, peer)}
    assert set(sent) == set(files) and all(sent.values())


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_names_each_file_that_it_did_not_send(files: list[Path]) -> None:
    folder = files[0].parent
    write_without_preamble(folder / "raw")
    (folder / "below").mkdir()
    latin = Path(os.fsdecode(os.fsencode(folder) + b"/\xe9t\xe9"))
    bad = [folder / ".hidden", folder / "DICOMDIR", folder / "below" / "notes[1].txt", latin]
    for path in bad:
        path.write_text("no image")
    with listener(lambda _: SUCCESS) as peer:
        arguments = ("send", folder, "--host", peer.host, "--port", str(peer.port), "--ae-title", peer.ae_title)
        done = run(*arguments)
        for path in bad:
            path.unlink()
        clean = run(*arguments)
    assert done.returncode == 1 and "4 of 8 files stored" in done.stdout and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 4
    for name in (".hidden", "DICOMDIR", "notes[1].txt", "\\xe9t\\xe9"):
        assert f"{name}: " in done.stderr
    assert clean.returncode == 0 and "4 of 4 files stored" in clean.stdout and clean.stderr == ""
