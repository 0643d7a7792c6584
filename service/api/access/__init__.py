"""Who is asking, and may they? Every route names a `Scope`; `needs` is the one place that answers."""

from service.api.access.guard import Guard, needs, who_asks

__all__ = ["Guard", "needs", "who_asks"]
