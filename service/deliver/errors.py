"""What can go wrong between us and an archive, and whether another try may help."""

from __future__ import annotations

from service.domain.errors import ServiceError


class DeliveryError(ServiceError):
    """Base of this room's errors. Messages name the peer and the status, never what is in the object."""

    code = "delivery-error"


class Unreachable(DeliveryError):
    """No association, or it broke: worth another try."""

    code = "destination-unreachable"
    transient = True


class Refused(DeliveryError):
    """The peer answered, and said no.

    Parameters
    ----------
    status
        DIMSE or HTTP status where there is one.
    permanent
        The same object will be refused again.
    """

    code = "destination-refused"

    def __init__(self, message: str, status: int | None = None, permanent: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.permanent = permanent
        self.transient = not permanent


class NothingAccepted(Refused):
    """The peer let us in and took none of what was proposed."""

    code = "nothing-accepted"


class NotTaken(NothingAccepted):
    """The peer has no use for objects of this SOP class: it said so before anything was sent, or with status 0122."""

    code = "sop-class-not-taken"

    def __init__(self, message: str, sop_class_uid: str, status: int | None = None) -> None:
        super().__init__(message, status)
        self.sop_class_uid = sop_class_uid
