"""The ledger's pages on people, their sessions, keys of software, and the audit trail."""

from __future__ import annotations

from service.store.audit_trail import AuditTrail
from service.store.keys import Keys
from service.store.sessions import Sessions
from service.store.users import Users


class Accounts(Users, Sessions, Keys, AuditTrail):
    """Everything that says who may do what, and who did."""
