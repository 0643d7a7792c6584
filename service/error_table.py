"""The one table of errors: what each class becomes over DIMSE, STOW-RS and HTTP, and whether another try may succeed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from models import errors as models_errors
from models.errors import MammotriageError
from service import errors

OUT_OF_RESOURCES = 0xA700
DATA_SET_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
"""C-STORE statuses of PS3.4 Table B.2-1, which STOW-RS repeats as failure reasons (PS3.18 Table I.2-2)."""
PROCESSING_FAILURE = 0x0110
"""Everything else (PS3.7 C.5.9)."""


class ErrorStatus(NamedTuple):
    """One row of the table."""

    dimse: int
    """Status of a C-STORE response (0000,0900)."""
    stow: int
    """Failure Reason (0008,1197)."""
    http: HTTPStatus
    transient: bool
    """Another try may succeed. `DestinationRefused` decides it for each instance."""


def _internal(http: HTTPStatus, transient: bool = False) -> ErrorStatus:
    """An error that no C-STORE and no STOW-RS request meets."""
    return ErrorStatus(PROCESSING_FAILURE, PROCESSING_FAILURE, http, transient)


_FAULT = _internal(HTTPStatus.INTERNAL_SERVER_ERROR)
_CONFLICT = _internal(HTTPStatus.CONFLICT)
_UNPROCESSABLE = _internal(HTTPStatus.UNPROCESSABLE_ENTITY)
_UNAVAILABLE = _internal(HTTPStatus.SERVICE_UNAVAILABLE, transient=True)

ERROR_TABLE: Mapping[type[MammotriageError], ErrorStatus] = {
    MammotriageError: _FAULT,
    models_errors.ModelsError: _FAULT,
    models_errors.NotDicom: _UNPROCESSABLE,
    models_errors.FileUnparsable: _UNPROCESSABLE,
    models_errors.Undecodable: _UNPROCESSABLE,
    models_errors.PixelsContradictHeader: _UNPROCESSABLE,
    models_errors.ImageTooLarge: _UNPROCESSABLE,
    models_errors.NotGrey: _UNPROCESSABLE,
    models_errors.RecipeUnknown: _FAULT,
    models_errors.ManifestInvalid: _FAULT,
    models_errors.ModelCorrupt: _FAULT,
    models_errors.ModelUnknown: _FAULT,
    errors.ServiceError: _FAULT,
    errors.DestinationsInvalid: _FAULT,
    errors.ProviderUnavailable: _FAULT,
    errors.ProcessNotStarted: _FAULT,
    errors.PartNotReady: _internal(HTTPStatus.SERVICE_UNAVAILABLE),
    errors.BrokerDown: _UNAVAILABLE,
    errors.LedgerUnavailable: _internal(HTTPStatus.SERVICE_UNAVAILABLE),
    errors.NotReceived: ErrorStatus(CANNOT_UNDERSTAND, PROCESSING_FAILURE, HTTPStatus.INTERNAL_SERVER_ERROR, False),
    errors.Unparsable: ErrorStatus(CANNOT_UNDERSTAND, CANNOT_UNDERSTAND, HTTPStatus.UNPROCESSABLE_ENTITY, False),
    errors.SopClassMismatch: ErrorStatus(DATA_SET_MISMATCH, DATA_SET_MISMATCH, HTTPStatus.UNPROCESSABLE_ENTITY, False),
    errors.StudyMismatch: ErrorStatus(DATA_SET_MISMATCH, DATA_SET_MISMATCH, HTTPStatus.CONFLICT, False),
    errors.PatientMismatch: ErrorStatus(CANNOT_UNDERSTAND, PROCESSING_FAILURE, HTTPStatus.CONFLICT, False),
    errors.InstanceTooLarge: ErrorStatus(OUT_OF_RESOURCES, OUT_OF_RESOURCES, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, False),
    errors.DiskFull: ErrorStatus(OUT_OF_RESOURCES, OUT_OF_RESOURCES, HTTPStatus.INSUFFICIENT_STORAGE, True),
    errors.StoreDown: ErrorStatus(OUT_OF_RESOURCES, PROCESSING_FAILURE, HTTPStatus.SERVICE_UNAVAILABLE, True),
    errors.FileUnreadable: _internal(HTTPStatus.GONE),
    errors.NotTranscodable: _internal(HTTPStatus.NOT_ACCEPTABLE),
    errors.CursorInvalid: _UNPROCESSABLE,
    errors.NotFound: _internal(HTTPStatus.NOT_FOUND),
    errors.DecisionRefused: _CONFLICT,
    errors.NoPrediction: _CONFLICT,
    errors.CorrectedValueInvalid: _UNPROCESSABLE,
    errors.AccountRefused: _CONFLICT,
    errors.SignInRefused: _internal(HTTPStatus.UNAUTHORIZED),
    errors.TooManySignIns: _internal(HTTPStatus.TOO_MANY_REQUESTS),
    errors.OidcRefused: _internal(HTTPStatus.BAD_GATEWAY),
    errors.NotBuildable: _FAULT,
    errors.NoImages: _FAULT,
    errors.NothingToCorrect: _FAULT,
    errors.NothingToMark: _FAULT,
    errors.Irreversible: _FAULT,
    errors.UnreadableRecord: _FAULT,
    errors.UnexpectedAttributeChange: _FAULT,
    errors.NotExpressible: _FAULT,
    errors.DeliveryError: _internal(HTTPStatus.BAD_GATEWAY),
    errors.DestinationUnreachable: _internal(HTTPStatus.BAD_GATEWAY, transient=True),
    errors.DestinationRefused: _internal(HTTPStatus.BAD_GATEWAY),
    errors.NoContextAccepted: _internal(HTTPStatus.BAD_GATEWAY),
    errors.SopClassRefused: _internal(HTTPStatus.BAD_GATEWAY),
    errors.WebhookRejected: _internal(HTTPStatus.BAD_GATEWAY, transient=True),
    errors.ListenerUnreachable: _UNAVAILABLE,
    errors.DemoFailed: _FAULT,
}


def status_of(error: MammotriageError) -> ErrorStatus:
    """The row of an error's class. A class without a row is a fault of the program, and a test finds it."""
    return ERROR_TABLE[type(error)]
