"""The C-STORE response to an error (PS3.4 B.2.3); the statuses are in `service.error_table`."""

from __future__ import annotations

from pydicom.dataset import Dataset

from service.error_table import status_of
from service.errors import NotReceived

SUCCESS = 0x0000

LONGEST_COMMENT = 64
"""Characters of an LO value (PS3.5 6.2)."""


def build_response(error: NotReceived) -> Dataset:
    """The response's Status (0000,0900) and ErrorComment (0000,0902)."""
    response = Dataset()
    response.Status = status_of(error).dimse
    response.ErrorComment = str(error)[:LONGEST_COMMENT]
    return response
