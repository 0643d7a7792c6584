"""Conditional requests: is what the client holds still what we would send (RFC 9110 section 13)?"""

from __future__ import annotations

import hashlib
import re

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def make_tag(content: bytes) -> str:
    """A strong entity tag: equal for equal bytes, whichever process made them."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_held(tag: str, if_none_match: str | None) -> bool:
    """Tell whether a client that says ``If-None-Match`` holds the representation of this tag.

    A list of tags, ``*`` for any, and weak tags, which are compared by their opaque part (RFC 9110 section 13.1.2). What is no tag is
    passed over.
    """
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)
