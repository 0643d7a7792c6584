"""Destinations of results: the peers, the routing rules, and the TOML file with both."""

from service.destinations.peers import (
    OPTIONAL_RESULTS,
    RESULTS,
    ArchiveApi,
    Destination,
    Rule,
    Source,
    Tls,
    Webhook,
    WebService,
    conceal,
    find_conflicts,
)

__all__ = [
    "OPTIONAL_RESULTS",
    "RESULTS",
    "ArchiveApi",
    "Destination",
    "Rule",
    "Source",
    "Tls",
    "WebService",
    "Webhook",
    "conceal",
    "find_conflicts",
]
