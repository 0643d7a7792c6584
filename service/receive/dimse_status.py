"""What a C-STORE is answered with: the one place that says receive errors in DIMSE (PS3.4 B.2.3, Table B.2-1)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from service.receive.errors import DiskFull, InstanceTooLarge, NotReceived, SopClassMismatch, StoreDown, Unparsable

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

_STATUS: dict[type[NotReceived], int] = {
    DiskFull: OUT_OF_RESOURCES,
    StoreDown: OUT_OF_RESOURCES,
    InstanceTooLarge: OUT_OF_RESOURCES,
    SopClassMismatch: MISMATCH,
    Unparsable: CANNOT_UNDERSTAND,
}


def status_of(error: NotReceived) -> Dataset:
    """The response's Status and ErrorComment (0000,0902), which holds 64 characters."""
    answer = Dataset()
    answer.Status = _STATUS[type(error)]
    answer.ErrorComment = str(error)[:64]
    return answer
