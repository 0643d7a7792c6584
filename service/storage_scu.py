"""Storage SCU: send files to a DICOM listener over one association, as a modality or a PACS does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pynetdicom import AE
from pynetdicom.presentation import build_context

from service.errors import ListenerUnreachable

MAX_CONTEXTS = 128
"""PS3.8 section 9.3.2.2: odd ids from 1 to 255."""

SUCCESS = 0x0000
WARNINGS = range(0xB000, 0xC000)


@dataclass(frozen=True)
class Peer:
    """A listener: its address and the AE titles of both sides."""

    host: str
    port: int
    ae_title: str
    calling_ae_title: str = "MAMMOSEND"


@dataclass(frozen=True)
class Sent:
    """The outcome of one file; `error` is '' if it was stored."""

    path: Path
    error: str = ""


NO_ANSWER = "no answer"
"""No C-STORE response: the peer stopped or aborted, or pynetdicom's reactor took the response for a request on a busy machine."""
TRIES = 2


@dataclass(frozen=True)
class _Offer:
    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str


def find_dicom(folder: Path) -> list[Path]:
    """DICOM part 10 files of a folder and below, in order of name; a file is taken as it is."""
    paths = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return [path for path in paths if _is_part10(path)]


def _is_part10(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" and path.name != "DICOMDIR"


def send_files(paths: Sequence[Path], peer: Peer) -> Iterator[Sent]:
    """C-STORE files one after the other, in the transfer syntax each has on disk.

    Raises
    ------
    ListenerUnreachable
        The listener does not accept the association.
    """
    offers: list[_Offer] = []
    for path in paths:
        try:
            meta = pydicom.filereader.read_file_meta_info(path)
            offers.append(_Offer(path, str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)))
        except Exception as error:  # pydicom raises anything on hostile files; the others are sent all the same
            yield Sent(path, f"no readable file meta information ({type(error).__name__})")
    unanswered: Counter[Path] = Counter()
    while offers:
        kinds = list(dict.fromkeys((offer.sop_class_uid, offer.transfer_syntax_uid) for offer in offers))[:MAX_CONTEXTS]
        now = [offer for offer in offers if (offer.sop_class_uid, offer.transfer_syntax_uid) in kinds]
        sent = []
        for offer, problem in _send(now, kinds, peer):
            unanswered[offer.path] += problem == NO_ANSWER
            # Storing is idempotent: a file without response is sent again over a new association, with all files after it.
            if problem != NO_ANSWER or unanswered[offer.path] == TRIES:
                sent.append(offer)
                yield Sent(offer.path, problem)
        offers = [offer for offer in offers if offer not in sent]


def _send(offers: Sequence[_Offer], kinds: Sequence[tuple[str, str]], peer: Peer) -> Iterator[tuple[_Offer, str]]:
    """Offers and their outcome, up to the first without response: it ends the association."""
    entity = AE(peer.calling_ae_title)
    entity.maximum_pdu_size = 131_072
    contexts = [build_context(sop_class, transfer_syntax) for sop_class, transfer_syntax in kinds]
    association = entity.associate(peer.host, peer.port, contexts=contexts, ae_title=peer.ae_title)
    if not association.is_established:
        raise ListenerUnreachable(f"{peer.ae_title} at {peer.host}:{peer.port} does not answer or refuses the association")
    try:
        for offer in offers:
            error = _store(association, offer.path)
            yield offer, error
            if error == NO_ANSWER:
                return
    finally:
        association.release()


def _store(association: object, path: Path) -> str:
    try:
        status = association.send_c_store(path)  # type: ignore[attr-defined]
    except RuntimeError:  # pynetdicom: the association was lost before
        return NO_ANSWER
    except (ValueError, AttributeError, OSError) as error:
        # pynetdicom: no accepted context (ValueError), unreadable file.
        return f"not sent ({type(error).__name__}): the listener does not take this kind of file"
    code = status.get("Status")
    if code is None:
        return NO_ANSWER
    return "" if code == SUCCESS or code in WARNINGS else f"refused with status 0x{code:04X}"
