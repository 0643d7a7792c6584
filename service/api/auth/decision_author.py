"""The author of a decision: the name that the history of a correction records."""

from __future__ import annotations

from http import HTTPStatus

from service.api.auth.authentication import ANONYMOUS
from service.api.http.problems import ProblemError
from service.domain.access import Identity


def decision_author(identity: Identity, given: str | None) -> str:
    """The name that the history of a correction records.

    Parameters
    ----------
    identity
        That makes the request.
    given
        The name in the request's body.

    Returns
    -------
    The display name of a signed-in person. Software decides for a person and must send that name; so must every client where
    sign-in is off.

    Raises
    ------
    ProblemError
        ``actor-missing``, or ``actor-differs`` where a signed-in person sends another name.
    """
    if not identity.is_person or identity == ANONYMOUS:
        if given is None:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "actor-missing", "`actor` is missing: the name of the person who decides")
        return given
    if given is not None and given.casefold() != identity.display_name.casefold():
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "actor-differs", "`actor` is not the name of the person who is signed in: leave it out"
        )
    return identity.display_name
