"""Why an instance was not received. `dimse_status` says each in DIMSE, `service.api.http.problems` in HTTP."""

from __future__ import annotations

from service.domain.errors import ServiceError


class NotReceived(ServiceError):
    """Base of this room's errors: nothing was kept. Messages are safe to send to the peer."""

    code = "not-received"


class Unparsable(NotReceived):
    """Not a DICOM object, or one without the UIDs that every composite object has (PS3.3 C.12.1)."""

    code = "unparsable"


class SopClassMismatch(NotReceived):
    """The data set is of another SOP class, or another instance, than was announced (request or file meta)."""

    code = "sop-class-mismatch"


class InstanceTooLarge(NotReceived):
    """More bytes than the configured limit."""

    code = "instance-too-large"


class DiskFull(NotReceived):
    """Free space is below the watermark, or ran out while writing."""

    code = "disk-full"
    transient = True


class StoreDown(NotReceived):
    """The disk or the ledger failed."""

    code = "store-down"
    transient = True
