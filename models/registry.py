"""The model registry: finds a model, and verifies its file by sha256 and its graph against the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import ManifestInvalid, ModelCorrupt, ModelUnknown
from models.manifest import Manifest, Shape

ZOO = Path(__file__).resolve().parent / "zoo"
"""The packaged models: ``NAME/VERSION/{model.onnx,manifest.json,CARD.md}``."""

GRAPH_FILE, MANIFEST_FILE = "model.onnx", "manifest.json"

Axes = Sequence[int | str | None]
"""Axes as an ONNX session reports them: a length; a name or None for a free axis."""


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Model:
    """A verified model: its manifest and the path of its ONNX graph."""

    manifest: Manifest
    path: Path

    def verify_graph(self, inputs: Mapping[str, Axes], outputs: Mapping[str, Axes]) -> None:
        """Compare a loaded graph with the manifest; a free axis fits any length.

        Parameters
        ----------
        inputs, outputs
            Axes by name, as in ``{node.name: node.shape for node in session.get_inputs()}``.

        Raises
        ------
        ManifestInvalid
            A tensor is missing, is not in the manifest, or has another shape.
        """
        _compare("input", inputs, {self.manifest.input_name: self.manifest.input_shape})
        _compare("output", outputs, self.manifest.output_shapes)


def _compare(what: str, found: Mapping[str, Axes], declared: Mapping[str, Shape]) -> None:
    if set(found) != set(declared):
        raise ManifestInvalid(f"the graph has the {what}s {sorted(found)}, the manifest names {sorted(declared)}")
    for name, axes in found.items():
        fixed = [axis if isinstance(axis, int) else None for axis in axes]
        fits = len(fixed) == len(declared[name]) and all(
            None in (have, want) or have == want for have, want in zip(fixed, declared[name], strict=True)
        )
        if not fits:
            raise ManifestInvalid(f"{what} {name} of the graph has the shape {list(axes)}, the manifest declares {list(declared[name])}")


class Registry:
    """Models in a folder, by name and version.

    Parameters
    ----------
    folder
        A folder of models; the packaged models by default.
    """

    def __init__(self, folder: Path = ZOO) -> None:
        self.folder = folder

    def manifests(self) -> list[Manifest]:
        """All models, by name, newest version first. Reads manifests only; `load` verifies the graphs.

        Raises
        ------
        ManifestInvalid, RecipeUnknown
            One of them cannot be used.
        """
        found = [_read(path) for path in sorted(self.folder.glob(f"*/*/{MANIFEST_FILE}"))]
        return sorted(sorted(found, key=_order, reverse=True), key=lambda manifest: manifest.name)

    def find(self, task: str) -> Model:
        """The newest model for a task, "labeler" or "cancer".

        Raises
        ------
        ModelUnknown
            No model has that task.
        ModelCorrupt, ManifestInvalid, RecipeUnknown
            The model cannot be used.
        """
        fitting = [manifest for manifest in self.manifests() if manifest.task == task]
        if not fitting:
            raise ModelUnknown(f"the model folder {self.folder} has no model for the task {task!r}")
        newest = max(fitting, key=_order)
        return self.load(newest.name, newest.version)

    def load(self, name: str, version: str | None = None) -> Model:
        """A model by name, the newest version by default; its graph file is verified by sha256.

        Raises
        ------
        ModelUnknown
            No such name or version.
        ModelCorrupt
            The graph file is missing or is not the one that the manifest describes.
        ManifestInvalid, RecipeUnknown
            The manifest cannot be used.
        """
        fitting = [each for each in self.manifests() if each.name == name and version in (None, each.version)]
        if not fitting:
            raise ModelUnknown(f"the model folder {self.folder} has no model {name} {version or ''}".rstrip())
        manifest = fitting[0]
        path = self.folder / manifest.name / manifest.version / GRAPH_FILE
        if not path.is_file():
            raise ModelCorrupt(f"{path} is missing")
        if sha256_of(path) != manifest.sha256:
            raise ModelCorrupt(f"{path} is not the file that its manifest describes: copy the model again")
        return Model(manifest, path)


def _read(path: Path) -> Manifest:
    manifest = Manifest.from_json(path.read_bytes())
    if (manifest.name, manifest.version) != (path.parent.parent.name, path.parent.name):
        raise ManifestInvalid(f"{path} is the manifest of {manifest.name} {manifest.version}: folder and manifest must agree")
    return manifest


def _order(manifest: Manifest) -> tuple[int, ...]:
    return tuple(map(int, manifest.version.split(".")))
