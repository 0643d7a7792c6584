"""Storage SCU: send files to a DICOM listener over one association, as a modality or a PACS does."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from models.errors import FileUnparsable, MammotriageError
from models.foreign_parsers import translate_errors
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

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_NATIVE = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
"""Transfer syntax by the encoding that pydicom found: implicit VR, little endian."""


@dataclass(frozen=True)
class _Offer:
    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str
    has_preamble: bool


def send_files(paths: Sequence[Path], peer: Peer) -> Iterator[Sent]:
    """C-STORE files one after the other, in the transfer syntax each has on disk; every file gets its outcome.

    Raises
    ------
    ListenerUnreachable
        The listener does not accept the first association.
    """
    offers: list[_Offer] = []
    for path in paths:
        try:
            with translate_errors(FileUnparsable, "not a DICOM file that can be read"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                offers.append(_read_offer(path))
        except MammotriageError as error:
            yield Sent(path, str(error))
        except OSError as error:
            yield Sent(path, f"the file cannot be opened ({type(error).__name__})")
    unanswered: Counter[Path] = Counter()
    is_first = True
    while offers:
        kinds = list(dict.fromkeys((offer.sop_class_uid, offer.transfer_syntax_uid) for offer in offers))[:MAX_CONTEXTS]
        now = [offer for offer in offers if (offer.sop_class_uid, offer.transfer_syntax_uid) in kinds]
        sent = []
        try:
            outcomes = _send(now, kinds, peer)
        except ListenerUnreachable:
            if is_first:
                raise
            yield from (Sent(offer.path, "not sent: the listener does not answer any more") for offer in offers)
            return
        is_first = False
        for offer, problem in outcomes:
            unanswered[offer.path] += problem == NO_ANSWER
            # Storing is idempotent: a file without response is sent again over a new association, with all files after it.
            if problem != NO_ANSWER or unanswered[offer.path] == TRIES:
                sent.append(offer)
                yield Sent(offer.path, problem)
        offers = [offer for offer in offers if offer not in sent]


def _read_offer(path: Path) -> _Offer:
    """What to propose for a file. One without preamble or file meta is read all the same (PS3.10 section 7.1 has both).

    Raises
    ------
    FileUnparsable
        It is an index of a medium, no DICOM, or its transfer syntax cannot be known.
    """
    if path.name == "DICOMDIR":
        raise FileUnparsable("a DICOMDIR is an index of files and no object to send")
    with path.open("rb") as file:
        has_preamble = file.read(132)[128:] == b"DICM"
    if has_preamble:
        meta = pydicom.filereader.read_file_meta_info(path)
        if "MediaStorageSOPClassUID" in meta and "TransferSyntaxUID" in meta:
            return _Offer(path, str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID), has_preamble=True)
    dataset = _read_whole(path)
    return _Offer(path, str(dataset.SOPClassUID), str(dataset.file_meta.TransferSyntaxUID), has_preamble=False)


def _read_whole(path: Path) -> pydicom.FileDataset:
    """A file whose preamble or file meta is missing, with the transfer syntax that its bytes show."""
    dataset = pydicom.dcmread(path, force=True)
    uids = [str(dataset.get(keyword) or "") for keyword in ("SOPClassUID", "SOPInstanceUID")]
    if not all(re.fullmatch(r"[0-9.]{1,64}", uid) for uid in uids):
        raise FileUnparsable("not a DICOM object: it has no SOP Class UID or no SOP Instance UID")
    if "TransferSyntaxUID" not in dataset.file_meta:
        if any(keyword in dataset and dataset[keyword].is_undefined_length for keyword in _PIXELS):
            raise FileUnparsable("its pixels are compressed, and no file meta names the transfer syntax")
        implicit, little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = _NATIVE[bool(implicit), bool(little)]
    return dataset


def _send(offers: Sequence[_Offer], kinds: Sequence[tuple[str, str]], peer: Peer) -> Iterator[tuple[_Offer, str]]:
    """Offers and their outcome, up to the first without response: it ends the association. Raises `ListenerUnreachable` at once."""
    entity = AE(peer.calling_ae_title)
    entity.maximum_pdu_size = 131_072
    contexts = [build_context(sop_class, transfer_syntax) for sop_class, transfer_syntax in kinds]
    association = entity.associate(peer.host, peer.port, contexts=contexts, ae_title=peer.ae_title)
    if not association.is_established:
        raise ListenerUnreachable(f"{peer.ae_title} at {peer.host}:{peer.port} does not answer or refuses the association")
    return _send_over(association, offers)


def _send_over(association: Association, offers: Sequence[_Offer]) -> Iterator[tuple[_Offer, str]]:
    try:
        for offer in offers:
            error = _store(association, offer)
            yield offer, error
            if error == NO_ANSWER:
                return
    finally:
        association.release()


def _store(association: Association, offer: _Offer) -> str:
    try:
        status = association.send_c_store(offer.path if offer.has_preamble else _read_whole(offer.path))
    except RuntimeError:  # pynetdicom: the association was lost before
        return NO_ANSWER
    except (ValueError, AttributeError, OSError, FileUnparsable) as error:
        # pynetdicom: no accepted context (ValueError), unreadable file.
        return f"not sent ({type(error).__name__}): the listener does not take this kind of file"
    code = status.get("Status")
    if code is None:
        return NO_ANSWER
    return "" if code == SUCCESS or code in WARNINGS else f"refused with status 0x{code:04X}"
