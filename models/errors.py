"""The root of all errors, and what can be wrong with an image, a recipe or a model.

MammotriageError
    ModelsError               this module
        NotDicom
        FileUnparsable
        Undecodable
        PixelsContradictHeader
        ImageTooLarge
        NotGrey
        RecipeUnknown
        ManifestInvalid
        ModelCorrupt
        ModelUnknown
    ServiceError              `service.errors`
    TrainingError             `training.errors`
"""

from __future__ import annotations


class MammotriageError(Exception):
    """Base of every error that this project raises on purpose. The message says what to do and never quotes patient data."""

    code = "mammotriage-error"
    """Stable name for programs: results, logs and HTTP problems show it."""
    transient = False
    """Another try may succeed."""


class ModelsError(MammotriageError):
    """Base of the errors of images, recipes and models."""

    code = "models-error"


class NotDicom(ModelsError):
    """A file has no DICOM preamble (PS3.10 7.1)."""

    code = "not-dicom"


class FileUnparsable(ModelsError):
    """A DICOM file is damaged: its elements cannot be read."""

    code = "unparsable"


class Undecodable(ModelsError):
    """Pixel data is absent, truncated, or in a form that no decoder reads."""

    code = "undecodable-pixel-data"


class PixelsContradictHeader(ModelsError):
    """Pixel values do not fit what the header declares of them, and nothing decides which of the two is right."""

    code = "pixels-contradict-header"


class ImageTooLarge(ModelsError):
    """The header announces more pixels than the configured limit (a decompression bomb, or not a mammogram)."""

    code = "image-too-large"


class NotGrey(ModelsError):
    """An image has real colour; mammograms have none."""

    code = "not-greyscale"


class RecipeUnknown(ModelsError):
    """A manifest names a preprocessing recipe that this version does not have."""

    code = "recipe-unknown"


class ManifestInvalid(ModelsError):
    """A manifest does not fit its schema, or does not fit its graph."""

    code = "manifest-invalid"


class ModelCorrupt(ModelsError):
    """The sha256 of a model file is not the one in the manifest."""

    code = "model-corrupt"


class ModelUnknown(ModelsError):
    """The model folder has no model of that name, version or task."""

    code = "model-unknown"
