"""Who is asking, and may they? Every route names a `Scope`; `needs` is the one place that answers."""

from service.accounts.tokens import issue_key
from service.api.auth.authentication import Guard, NotSignedIn, needs, who_asks
from service.api.auth.middleware import Door
from service.api.auth.route_scopes import list_routes, refuse_open_routes

__all__ = ["Door", "Guard", "NotSignedIn", "issue_key", "list_routes", "needs", "refuse_open_routes", "who_asks"]
