"""Every error of training that a user can act on. The message of each says what to change.

TrainingError
    LossBroken            also a FloatingPointError
    MemoryFull
    DiskFull
    ClassEmpty
    RunDiffers
    NotTrained            also a FileNotFoundError
    WeightsUnfit
    WeightsUnavailable    also a RuntimeError
    SplitUnfit
    OptionInvalid         also a ValueError
    ExperimentUnknown     also a ValueError
    SizeFixed
    PublishRefused
        ParityBroken
        ContractBroken
        CardIncomplete
        VersionTaken
"""

from __future__ import annotations

from models.errors import MammotriageError


class TrainingError(MammotriageError):
    """Base of the errors that a user can act on."""

    code = "training-error"


class LossBroken(TrainingError, FloatingPointError):
    """The loss became NaN or infinite."""


class MemoryFull(TrainingError):
    """The device, or the machine, has not enough memory for a batch."""


class DiskFull(TrainingError):
    """A checkpoint or a log could not be written because the disk is full."""


class ClassEmpty(TrainingError):
    """A part of the split has no sample of a class that it must have."""


class RunDiffers(TrainingError):
    """The run folder holds a run with other options: continuing it would mix the two."""


class NotTrained(TrainingError, FileNotFoundError):
    """There is no checkpoint at the given place."""


class WeightsUnavailable(TrainingError, RuntimeError):
    """The weights that a run was to start from cannot be had; the message says which option to use instead."""


class SplitUnfit(TrainingError):
    """A split does not cover the patients, or leaves a part empty."""


class OptionInvalid(TrainingError, ValueError):
    """A run option is unknown, has an invalid value, or is given twice."""


class ExperimentUnknown(TrainingError, ValueError):
    """No experiment has that name, or a user's file defines none."""


class SizeFixed(TrainingError):
    """The network works at one size, or one batch, only."""


class PublishRefused(TrainingError):
    """Base of the reasons not to publish a model; nothing was left in the zoo."""


class ParityBroken(PublishRefused):
    """The exported graph does not answer what the network answers."""


class ContractBroken(PublishRefused):
    """The registry or the service would not accept the model, or its answers are no probabilities."""


class CardIncomplete(PublishRefused):
    """The card has no licence, no data, no limits, or no measured figure."""


class VersionTaken(PublishRefused):
    """The zoo has that version already: a published model never changes."""
