"""A drawn mammogram as the DICOM object that a modality would send, with every attribute that PS3.3 A.26 wants."""

from __future__ import annotations

import uuid

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from models.vocabulary import LATERALITY_CODES, VIEW_CODES, Code, Laterality, View
from training.data.synthetic_patients import Patient

BITS = 12
DETECTOR_HEIGHT_MM = 240.0
"""All sizes of a picture show the same field of view."""

ORIENTATIONS = {("R", "CC"): ["P", "L"], ("L", "CC"): ["A", "R"], ("R", "MLO"): ["P", "FL"], ("L", "MLO"): ["A", "FR"]}
"""Directions of the rows and the columns (PS3.3 C.7.6.1.1.1): a right breast's chest wall is on the right."""


def make_uid(*parts: object) -> str:
    """A UID that derives from what it names, below 2.25 (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(map(str, parts))).int}"


def full_field_dataset(levels: NDArray[np.float32], patient: Patient, side: str, view: str, seed: int) -> FileDataset:
    """A Digital Mammography X-Ray Image - For Presentation of 12 bits.

    Parameters
    ----------
    levels
        (rows, columns) 0 to 1 as the machine shows them; a machine with white air becomes MONOCHROME1.
    seed
        Of the set: UIDs of two sets differ.
    """
    name = patient.name
    rows, columns = levels.shape
    instance = make_uid("synthetic", seed, name, side, view, rows, columns)
    dataset = new_file(DigitalMammographyXRayImageStorageForPresentation, instance)
    dataset.PatientName, dataset.PatientID = f"Synthetic^{name}", f"SYN-{name}"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = f"{2026 - patient.age}0101", "F", f"{patient.age:03}Y"
    dataset.StudyInstanceUID = make_uid("synthetic", seed, name, rows, columns)
    dataset.SeriesInstanceUID = make_uid("synthetic", seed, name, side, view, rows, columns, "series")
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = "20260101"
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = "120000"
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = name, f"A{name}", ""
    dataset.StudyDescription, dataset.SeriesDescription = "Screening mammography", f"{side} {view}"
    dataset.SeriesNumber, dataset.InstanceNumber = 1 + list(ORIENTATIONS).index((side, view)), 1
    dataset.Modality, dataset.PresentationIntentType, dataset.BodyPartExamined = "MG", "FOR PRESENTATION", "BREAST"
    dataset.Manufacturer, dataset.ManufacturerModelName = patient.machine.manufacturer, patient.machine.model
    dataset.DeviceSerialNumber, dataset.SoftwareVersions, dataset.StationName = "1", "1.0", patient.machine.model.upper()
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ImageLaterality, dataset.ViewPosition, dataset.PatientOrientation = side, view, ORIENTATIONS[side, view]
    dataset.ViewCodeSequence = [_coded(VIEW_CODES[View(view)])]
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = []
    dataset.AnatomicRegionSequence = [_coded(Code("76752008", "Breast"))]
    dataset.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [_coded(LATERALITY_CODES[Laterality(side)])]
    dataset.AcquisitionContextSequence = []
    dataset.OrganExposed, dataset.BreastImplantPresent, dataset.PartialView = "BREAST", "NO", "NO"
    dataset.BurnedInAnnotation = "YES" if patient.marker else "NO"
    dataset.LossyImageCompression, dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "00", "LOG", -1
    _describe_detector(dataset, rows, columns)
    inverted = patient.machine.inverted
    dataset.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (BITS - 1), 2**BITS
    put_pixels(dataset, np.rint(levels * (2**BITS - 1)).astype(np.uint16), BITS, "MONOCHROME1" if inverted else "MONOCHROME2")
    return dataset


def _describe_detector(dataset: Dataset, rows: int, columns: int) -> None:
    spacing = round(DETECTOR_HEIGHT_MM / rows, 5)
    dataset.DetectorType, dataset.DetectorConfiguration, dataset.DetectorDescription = "DIRECT", "AREA", "drawn"
    dataset.DetectorID, dataset.DetectorTemperature, dataset.DateOfLastDetectorCalibration = "1", 30, "20260101"
    dataset.DetectorActiveShape, dataset.FieldOfViewShape = "RECTANGLE", "RECTANGLE"
    dataset.FieldOfViewDimensions = [round(spacing * columns), round(spacing * rows)]
    dataset.FieldOfViewOrigin, dataset.FieldOfViewRotation, dataset.FieldOfViewHorizontalFlip = [0, 0], "0", "NO"
    dataset.ImagerPixelSpacing, dataset.DetectorBinning = [spacing, spacing], [1, 1]
    dataset.KVP, dataset.ExposureInuAs, dataset.ExposureTime, dataset.XRayTubeCurrent = 29, 80000, 800, 100
    dataset.AnodeTargetMaterial, dataset.FilterMaterial, dataset.FocalSpots = "TUNGSTEN", "RHODIUM", 0.3
    dataset.DistanceSourceToDetector, dataset.DistanceSourceToPatient = 660, 640
    dataset.EstimatedRadiographicMagnificationFactor = 1.03
    dataset.PositionerType, dataset.PositionerPrimaryAngle = "MAMMOGRAPHIC", 0
    dataset.BodyPartThickness, dataset.CompressionForce = 55, 100


def new_file(sop_class: str, instance: str) -> FileDataset:
    """An empty data set with its file meta information."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(sop_class), UID(instance)
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, UID(make_uid("mammotriage", "synthetic"))
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, instance
    dataset.SpecificCharacterSet = "ISO_IR 100"
    return dataset


def put_pixels(dataset: Dataset, pixels: NDArray[np.uint8] | NDArray[np.uint16], bits: int, photometric: str = "MONOCHROME2") -> None:
    """Put (rows, columns) unsigned pixels into a data set, uncompressed."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, photometric, 0
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * pixels.itemsize, bits, bits - 1
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    return item
