"""Every error that the service raises on purpose. `service.error_table` maps each to its DIMSE, STOW-RS and HTTP status.

ServiceError
    DestinationsInvalid             configuration
    ProviderUnavailable
    ProcessNotStarted
    PartNotReady
    BrokerDown
    LedgerUnavailable
    NotReceived                     receiving
        Unparsable
        SopClassMismatch
        StudyMismatch
        PatientMismatch
        InstanceTooLarge
        DiskFull
        StoreDown
    FileUnreadable                  reading stored files
    NotTranscodable
    CursorInvalid                   queries
    NotFound
    DecisionRefused                 decisions and feedback
    NoPrediction
    CorrectedValueInvalid
    AccountRefused                  accounts and sign-in
    SignInRefused
    TooManySignIns
    OidcRefused
    NotBuildable                    building DICOM objects
        NoImages
        NothingToCorrect
        NothingToMark
        Irreversible
        UnreadableRecord
        UnexpectedAttributeChange
        NotExpressible
    DeliveryError                   delivery
        DestinationUnreachable
        DestinationRefused
            NoContextAccepted
                SopClassRefused
        WebhookRejected
    ListenerUnreachable             command line
    DemoFailed
"""

from __future__ import annotations

from datetime import datetime

from models.errors import MammotriageError


class ServiceError(MammotriageError):
    """Base of the service's errors."""

    code = "service-error"


class DestinationsInvalid(ServiceError):
    """The file of destinations cannot be used; the message has a line for each fault, as ``file:line: where: what``."""

    code = "destinations-invalid"


class ProviderUnavailable(ServiceError):
    """The inference provider of the settings cannot be used on this machine."""

    code = "provider-unavailable"


class ProcessNotStarted(ServiceError):
    """A process of the stack does not start."""

    code = "not-started"


class PartNotReady(ServiceError):
    """A part of the service answers, but not as it should; the message is safe to show."""

    code = "not-ready"


class BrokerDown(ServiceError):
    """Redis does not answer. The ledger keeps the work, and the sweeper queues it again."""

    code = "broker-down"
    transient = True


class LedgerUnavailable(ServiceError):
    """There is no ledger where the settings point, or it does not answer."""

    code = "ledger-unavailable"


class NotReceived(ServiceError):
    """Base of the errors of receiving: nothing was kept. The listener sends the message to the peer."""

    code = "not-received"


class Unparsable(NotReceived):
    """Not a DICOM object, or one without the UIDs that every composite object has (PS3.3 C.12.1)."""

    code = "unparsable"


class SopClassMismatch(NotReceived):
    """The data set is of another SOP class, or another instance, than the C-STORE request announced."""

    code = "sop-class-mismatch"


class StudyMismatch(NotReceived):
    """The instance belongs to another study than the one that the request stores into (PS3.18 section 10.5)."""

    code = "study-mismatch"


class PatientMismatch(NotReceived):
    """The image names another patient or examination than its study, and its source's policy is to refuse that."""

    code = "patient-mismatch"


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


class FileUnreadable(ServiceError):
    """A file of the data folder is gone or damaged."""

    code = "not-readable"


class NotTranscodable(ServiceError):
    """The pixels of a stored file cannot be decompressed."""

    code = "not-transcodable"


class CursorInvalid(ServiceError):
    """A cursor that no page of this order has given."""

    code = "invalid-cursor"


class NotFound(ServiceError):
    """Nothing has this number or UID."""

    code = "not-found"


class DecisionRefused(ServiceError):
    """A correction, hold or delivery does not allow this decision in its state; the message says why."""

    code = "decision-refused"


class NoPrediction(ServiceError):
    """The networks have no label of this image that a radiologist could assess."""

    code = "no-prediction"


class CorrectedValueInvalid(ServiceError):
    """The corrected value of a feedback does not fit its label, its verdict or the predicted value."""

    code = "corrected-value-invalid"


class AccountRefused(ServiceError):
    """An account or key cannot be made or changed in this way; the message says why."""

    code = "account-refused"


class SignInRefused(ServiceError):
    """No account has this name with this password; the message does not say which of both is wrong."""

    code = "sign-in-refused"


class TooManySignIns(ServiceError):
    """Too many failed sign-ins for this name or from this address."""

    code = "too-many-tries"

    def __init__(self, until: datetime) -> None:
        super().__init__("too many tries: wait a while")
        self.until = until


class OidcRefused(ServiceError):
    """The OpenID Connect issuer does not answer as it should, or its answer cannot be trusted; the message says why."""

    code = "oidc-refused"


class NotBuildable(ServiceError):
    """Base of the reasons why an object cannot be built; also raised where the ledger or the file store no longer has its source."""

    code = "not-buildable"


class NoImages(NotBuildable):
    """The study has no image at all, and the template demands at least one (TID 4000 row 4)."""

    code = "no-images"


class NothingToCorrect(NotBuildable):
    """The correction may not be written, or changes nothing in this image."""

    code = "nothing-to-correct"


class NothingToMark(NotBuildable):
    """The image has no mark, or a grayscale presentation state cannot show it."""

    code = "nothing-to-mark"


class Irreversible(NotBuildable):
    """An archive's own API could not write a former value back as text; the message names the keyword."""

    code = "irreversible"


class UnreadableRecord(NotBuildable):
    """A sequence that must be kept and extended cannot be read; the message names its keyword."""

    code = "unreadable-record"


class UnexpectedAttributeChange(NotBuildable):
    """A built object differs from its source in an attribute that no correction may change; it must not be sent."""

    code = "unexpected-attribute-change"


class NotExpressible(NotBuildable):
    """The SR class cannot express the content."""

    code = "not-expressible"


class DeliveryError(ServiceError):
    """Base of the errors of delivery. Messages name the peer and the status, never the contents of the object."""

    code = "delivery-error"


class DestinationUnreachable(DeliveryError):
    """No association, or it broke: another try may succeed."""

    code = "destination-unreachable"
    transient = True


class DestinationRefused(DeliveryError):
    """The destination answered with a refusal.

    Parameters
    ----------
    status
        DIMSE or HTTP status where there is one.
    permanent
        The destination will refuse the same object again.
    """

    code = "destination-refused"

    def __init__(self, message: str, status: int | None = None, permanent: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.permanent, self.transient = permanent, not permanent


class NoContextAccepted(DestinationRefused):
    """The destination accepted the association and none of the proposed presentation contexts."""

    code = "no-context-accepted"


class SopClassRefused(NoContextAccepted):
    """The destination takes no objects of this SOP class: it refused the presentation context, or answered with status 0122."""

    code = "sop-class-refused"

    def __init__(self, message: str, sop_class_uid: str, status: int | None = None) -> None:
        super().__init__(message, status)
        self.sop_class_uid = sop_class_uid


class WebhookRejected(DeliveryError):
    """A receiver did not accept an event. The service posts it again: events keep their order, so none is skipped."""

    code = "webhook-rejected"
    transient = True


class ListenerUnreachable(ServiceError):
    """No listener answers, or it rejects the association."""

    code = "listener-unreachable"
    transient = True


class DemoFailed(ServiceError):
    """The demonstration cannot run, or did not end as it should."""

    code = "demo-failed"
