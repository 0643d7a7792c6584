"""Why a model does not go into the zoo."""

from __future__ import annotations

from training.stages.errors import TrainingError


class PublishRefused(TrainingError):
    """Base of the refusals; the message says what to change, and nothing was left in the zoo."""


class ParityBroken(PublishRefused):
    """The exported graph does not answer what the network answers."""


class ContractBroken(PublishRefused):
    """Registry or runner would not take the model, or its answers are no probabilities."""


class CardIncomplete(PublishRefused):
    """The card has no licence, no data, no limits, or no measured figure."""


class VersionTaken(PublishRefused):
    """That version is in the zoo: a published model never changes."""
