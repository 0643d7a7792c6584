"""Under whose name a decision is written down."""

from __future__ import annotations

from http import HTTPStatus

from service.api.auth.authentication import NOBODY
from service.api.http.problems import ProblemError
from service.domain.access import Identity


def sign(asks: Identity, given: str | None) -> str:
    """The name for the history of a correction.

    Parameters
    ----------
    asks
        Who makes the request.
    given
        The name that the request itself tells.

    Returns
    -------
    A person who is signed in signs with their own name. Software signs for a person and must say for whom, and so must everybody
    where signing in is off.

    Raises
    ------
    ProblemError
        ``actor-missing``, or ``actor-differs`` where somebody would sign for another one.
    """
    if not asks.is_person or asks == NOBODY:
        if given is None:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "actor-missing", "`actor` is missing: the name of the person who decides")
        return given
    if given is not None and given.casefold() != asks.display_name.casefold():
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "actor-differs", "`actor` is not the name of the person who is signed in: leave it out"
        )
    return asks.display_name
