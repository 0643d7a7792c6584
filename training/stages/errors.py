"""What can stop a training run. Every message says what to change."""

from __future__ import annotations


class TrainingError(Exception):
    """Base of the errors that a user can do something about."""


class LossBroken(TrainingError, FloatingPointError):
    """The loss became NaN or infinite."""


class MemoryFull(TrainingError):
    """The device, or the machine, has not enough memory for a batch."""


class DiskFull(TrainingError):
    """A checkpoint or a log could not be written for want of space."""


class ClassEmpty(TrainingError):
    """A part of the split has no sample of a class that it must have."""


class RunDiffers(TrainingError):
    """The run folder holds a run with other settings: going on from it would mix the two."""


class NotTrained(TrainingError, FileNotFoundError):
    """There is no checkpoint where one was asked for."""


class SplitUnfit(TrainingError):
    """A split does not cover the patients, or leaves a part empty."""
