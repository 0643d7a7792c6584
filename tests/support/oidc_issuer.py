"""An OpenID Connect issuer that can be made to lie: discovery, keys and a token endpoint on a real socket."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from service.accounts.oidc import Issuer, Pending
from service.domain.access import Role
from service.settings import Settings

CLIENT, SECRET = "mammotriage", "s3cret s3cret s3cret s3cret s3cret"


@cache
def make_key(number: int) -> RSAKey:
    """A key of this number; to find one takes a while."""
    return RSAKey.generate_key(2048, {"kid": f"key {number}"}, auto_kid=False)


class OidcIssuer:
    def __init__(self, url: str) -> None:
        self.url = url
        self.claims: dict[str, Any] = {"iss": url, "aud": CLIENT, "sub": "7", "groups": ["everybody"], "exp": int(time.time()) + 60}
        self.overrides: dict[str, Any] = {}
        """Claims to put instead; None leaves one out."""
        self.forge = ""
        self.redeemed: list[tuple[dict[str, str], str]] = []
        self.key = make_key(1)

    def change_key(self) -> None:
        self.key = make_key(2)

    def client(self, secret_file: Path | None = None) -> Issuer:
        roles = {"everybody": Role.VIEWER}
        return Issuer(Settings(oidc_issuer=self.url, oidc_client_id=CLIENT, oidc_client_secret_file=secret_file, oidc_roles=roles))

    def answer(self, pending: Pending) -> dict[str, str]:
        """What the browser brings back."""
        self.claims["nonce"] = pending.nonce
        return {"code": "a code", "state": pending.state, "iss": self.url}

    def describe(self) -> dict[str, Any]:
        return {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys", "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }  # fmt: skip

    def keys(self) -> dict[str, Any]:
        return dict(KeySet([self.key]).as_dict(private=False))

    def token(self) -> dict[str, Any]:
        claims = {name: value for name, value in (self.claims | self.overrides).items() if value is not None}
        header = {"alg": "RS256", "kid": self.key.kid}
        signed = jwt.encode(header, claims, self.key)
        if self.forge == "no token at all":
            return {"access_token": "x"}
        if self.forge == "another key":
            signed = jwt.encode(header, claims, make_key(3))
        if self.forge == "secret as key":
            signed = jwt.encode({"alg": "HS256", "kid": self.key.kid}, claims, OctKey.import_key(SECRET))
        if self.forge == "none":
            head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
            signed = f"{head}.{signed.split('.')[1]}."
        if self.forge == "changed afterwards":
            head, _, signature = signed.split(".")
            body = jwt.encode(header, claims | {"sub": "8"}, self.key).split(".")[1]
            signed = f"{head}.{body}.{signature}"
        return {"id_token": signed}


@contextmanager
def running_issuer() -> Iterator[OidcIssuer]:
    """Run one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(issuer.keys() if self.path == "/keys" else issuer.describe())

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            issuer.redeemed.append((form, self.headers.get("Authorization", "")))
            self._say(issuer.token())

        def _say(self, what: dict[str, Any]) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(what).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = OidcIssuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
