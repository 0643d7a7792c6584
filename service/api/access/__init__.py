"""Who is asking, and may they? Every route names a `Scope`; `needs` is the one place that answers."""

from service.api.access.door import Door
from service.api.access.guard import Guard, NotSignedIn, needs, who_asks
from service.api.access.routes import list_routes, refuse_open_routes
from service.api.access.tokens import issue_key

__all__ = ["Door", "Guard", "NotSignedIn", "issue_key", "list_routes", "needs", "refuse_open_routes", "who_asks"]
