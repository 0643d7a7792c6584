"""The ledger's pages on people, their sessions, keys of software, and the audit trail."""

from __future__ import annotations

from service.store.accounts.api_keys import Keys
from service.store.accounts.audit_log import AuditTrail
from service.store.accounts.sessions import Sessions
from service.store.accounts.users import Users


class Accounts(Users, Sessions, Keys, AuditTrail):
    """Everything that says who may do what, and who did."""
