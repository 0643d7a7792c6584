"""Conclusions as DICOM objects: structured report, heatmap picture, corrected instance. Equal input, equal bytes."""
