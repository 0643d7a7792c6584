"""Who is asking, and may they? Every route names a `Scope`; `needs` is the one place that answers."""

from service.accounts.tokens import issue_key
from service.api.auth.authentication import Authenticator, NotSignedIn, current_identity, needs
from service.api.auth.middleware import AuditMiddleware
from service.api.auth.route_scopes import list_routes, refuse_open_routes

__all__ = ["AuditMiddleware", "Authenticator", "NotSignedIn", "current_identity", "issue_key", "list_routes", "needs", "refuse_open_routes"]
