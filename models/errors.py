"""What can be wrong with an image, a recipe or a model. Each error carries a code that results and logs show."""

from __future__ import annotations


class ModelsError(Exception):
    """Base of this package's errors; `code` is stable and machine-readable, the message says what to do."""

    code = "models-error"


class Undecodable(ModelsError):
    """Pixel data is absent, truncated, or in a form that no decoder reads."""

    code = "undecodable-pixel-data"


class ImageTooLarge(ModelsError):
    """The header promises more pixels than the configured limit (a decompression bomb, or not a mammogram)."""

    code = "image-too-large"


class RecipeUnknown(ModelsError):
    """A manifest names a preprocessing recipe that this version does not have."""

    code = "recipe-unknown"


class ManifestInvalid(ModelsError):
    """A manifest does not fit its schema, or does not fit its graph."""

    code = "manifest-invalid"


class ModelCorrupt(ModelsError):
    """A model file's sha256 is not the manifest's."""

    code = "model-corrupt"


class ModelUnknown(ModelsError):
    """The zoo has no model of that name, version or task."""

    code = "model-unknown"


class NotGrey(ModelsError):
    """A picture has real colour: no mammogram has."""

    code = "not-greyscale"
