"""Where results go: the peers, the rules that choose among them, and the TOML file that holds both."""

from service.destinations.peers import (
    OPTIONAL_RESULTS,
    RESULTS,
    ArchiveApi,
    Destination,
    Rule,
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
    "Tls",
    "WebService",
    "Webhook",
    "conceal",
    "find_conflicts",
]
