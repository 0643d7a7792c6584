"""UIDs in the paths of the DICOMweb services."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

StudyUid = Annotated[str, Path(pattern=r"^[0-9.]+$", max_length=64, description="Study Instance UID", examples=["2.25.338214000"])]


SeriesUid = Annotated[str, Path(pattern=r"^[0-9.]+$", max_length=64, description="Series Instance UID", examples=["2.25.338214007"])]


SopUid = Annotated[str, Path(pattern=r"^[0-9.]+$", max_length=64, description="SOP Instance UID", examples=["2.25.338214001"])]
