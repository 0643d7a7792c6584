"""Ask a DICOM peer which SOP classes it supports, over an association that carries no object."""

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
"""Storage classes of the objects that this service sends."""
ASKED = (
    Verification,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    StorageCommitmentPushModel,
)
"""Services that this service uses."""


def negotiate(destination: Destination, our_ae: str) -> dict[str, bool]:
    """Ask which SOP classes a peer supports, storage and services, with native transfer syntaxes (PS3.8 section 9.3.3).

    Returns
    -------
    dict
        Support by SOP Class UID. Empty for a DICOMweb peer, which has no negotiation: a class without an entry is not known.

    Raises
    ------
    DestinationUnreachable, DestinationRefused
        The association was not established.
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
