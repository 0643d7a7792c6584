"""Authentication, authorisation and audit. Each route names a `Scope`; `require_scope` checks it."""

from service.accounts.tokens import issue_key
from service.api.auth.authentication import Authenticator, NotSignedIn, current_identity, require_scope
from service.api.auth.middleware import AuditMiddleware
from service.api.auth.route_scopes import list_routes, require_scopes_on_routes

__all__ = [
    "AuditMiddleware",
    "Authenticator",
    "NotSignedIn",
    "current_identity",
    "issue_key",
    "list_routes",
    "require_scope",
    "require_scopes_on_routes",
]
