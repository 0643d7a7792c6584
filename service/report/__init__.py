"""Conclusions as DICOM objects: structured reports, heatmaps, presentation states, corrected instances. Equal input gives equal bytes."""
