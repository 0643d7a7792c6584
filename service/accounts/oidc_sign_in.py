"""Sign-in with OpenID Connect: the issuer's claims become an account, a role and a session."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from service.accounts.oidc import find_claim
from service.accounts.sessions import OpenedSession, open_session
from service.domain.access import Role
from service.errors import OidcRefused
from service.settings import Settings
from service.store.accounts.rows import UserRow
from service.store.ledger import Ledger

_RISING = list(Role)


def sign_in_with_oidc(ledger: Ledger, settings: Settings, claims: Mapping[str, Any], address: str) -> OpenedSession:
    """Open a session for a person whom the issuer authenticated. The role follows the claims; the first sign-in makes the account.

    Raises
    ------
    OidcRefused
        None of their groups has a role here, or the account is disabled.
    """
    subject = f"{settings.oidc_issuer} {claims['sub']}".replace("\0", "")
    user = ledger.users.get_by_subject(subject)
    role = find_role(find_claim(claims, settings.oidc_role_claim), settings.oidc_roles)
    if role is None or (user is not None and user.disabled):
        known = user.name if user else "unknown"
        ledger.audit_log.append(known, "sign-in failed", user.name if user else "", address)
        raise OidcRefused("you may not use this service: ask its administrator")
    shown = str(claims.get("name") or claims.get(settings.oidc_name_claim) or claims["sub"]).replace("\0", "")[:64]
    if user is None:
        user = _enter(ledger, settings, claims, subject, shown, role)
    elif (user.role, user.display_name) != (role, shown):
        user = ledger.users.set_role(user.name, role, shown, keep_an_admin=False)
    opened = open_session(ledger.sessions, settings, user.name)
    ledger.audit_log.append(user.name, "sign-in", user.name, f"{address} {settings.oidc_issuer}")
    return opened


def find_role(value: Any, roles: Mapping[str, Role]) -> Role | None:
    """The highest role that one of a claim's values has."""
    values = value if isinstance(value, list) else [value]
    found = [roles[each] for each in values if isinstance(each, str) and each in roles]
    return max(found, key=_RISING.index) if found else None


def _enter(ledger: Ledger, settings: Settings, claims: Mapping[str, Any], subject: str, shown: str, role: Role) -> UserRow:
    """Make the account. A name that another account has is never taken over: the new one gets a suffix."""
    wanted = str(find_claim(claims, settings.oidc_name_claim) or claims["sub"]).lower()
    name = re.sub(r"[^a-z0-9._@-]", "-", wanted).lstrip("._@-")[:50] or "user"
    if ledger.users.get(name) is not None:
        name = f"{name}-{hashlib.sha256(subject.encode()).hexdigest()[:8]}"
    row = ledger.users.add(name, shown, role, subject=subject)
    ledger.audit_log.append(name, "account made", name, str(settings.oidc_issuer))
    return row
