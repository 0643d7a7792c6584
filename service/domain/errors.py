"""What can go wrong in the service. Foreign errors are translated into these at the edge; only transient ones are retried."""

from __future__ import annotations


class ServiceError(Exception):
    """Base; `code` is stable and machine-readable, the message says what to do and never names a patient."""

    code = "service-error"
    transient = False


class ProviderUnavailable(ServiceError):
    """The inference provider that the settings ask for cannot be used here."""

    code = "provider-unavailable"


class BrokerDown(ServiceError):
    """Redis does not answer; the ledger keeps the work and the sweeper will publish it."""

    code = "broker-down"
    transient = True


class DecisionRefused(ServiceError):
    """What a person asked for cannot be done in the state that the thing is in; the message says why."""

    code = "decision-refused"
