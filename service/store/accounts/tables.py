"""Tables of users, sessions, API keys and the audit log; part of the same schema as `tables`."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text

from service.store.database import WORD, UtcDateTime, metadata

users = Table(
    "users",
    metadata,
    # As it is typed at sign-in, lower case.
    Column("name", WORD, primary_key=True),
    Column("display_name", WORD, nullable=False),
    Column("role", WORD, nullable=False),
    # Argon2id; NULL for those who sign in elsewhere (OpenID Connect).
    Column("password_hash", Text),
    # Issuer and subject of OpenID Connect.
    Column("subject", String(512), unique=True),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("signed_in_at", UtcDateTime),
)

sessions = Table(
    "sessions",
    metadata,
    # sha256 of what the cookie holds: a stolen database opens nothing.
    Column("token_sha256", String(64), primary_key=True),
    Column("user_name", WORD, ForeignKey("users.name"), nullable=False, index=True),
    Column("csrf_token", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", WORD, nullable=False, unique=True),
    # Of a random secret of 256 bits, which needs no slow hash.
    Column("secret_sha256", String(64), nullable=False, unique=True),
    # Scopes, as JSON.
    Column("scopes", Text, nullable=False),
    Column("created_by", WORD, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("used_at", UtcDateTime),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    # A user name or a client's address, hashed.
    Column("key", String(80), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("blocked_until", UtcDateTime),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    # Name of a user or of a key.
    Column("actor", WORD, nullable=False),
    Column("action", WORD, nullable=False),
    # A UID or a number of the ledger, an account, a key.
    Column("subject", String(130), nullable=False),
    Column("detail", Text, nullable=False),
)
