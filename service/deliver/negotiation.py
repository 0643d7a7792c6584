"""What a DICOM peer takes, asked without sending anything: the SOP classes of an association that carries no object."""

from __future__ import annotations

from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    MammographyCADSRStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from service.deliver.dimse import NATIVE, associate
from service.destinations import Destination
from service.errors import NoContextAccepted

STORED = (
    MammographyCADSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    BasicTextSRStorage,
    SecondaryCaptureImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
)
"""What we may have to send."""
ASKED = (
    Verification,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    StorageCommitmentPushModel,
)
"""What we may ask a peer for."""


def negotiate(destination: Destination, our_ae: str) -> dict[str, bool]:
    """Ask which SOP classes a peer takes, storage and services, native transfer syntaxes (PS3.8 section 9.3.3).

    Returns
    -------
    dict
        By SOP Class UID. Empty for a DICOMweb peer, which has no negotiation: what is not named is not known.

    Raises
    ------
    DestinationUnreachable, DestinationRefused
        There is no association.
    """
    if not destination.ae_title:
        return {}
    proposed: tuple[UID, ...] = (*STORED, *ASKED)
    try:
        with associate(destination, our_ae, [(sop_class, list(NATIVE)) for sop_class in proposed]) as association:
            taken = {context.abstract_syntax for context in association.accepted_contexts}
    except NoContextAccepted:
        taken = set()
    return {str(sop_class): sop_class in taken for sop_class in proposed}
