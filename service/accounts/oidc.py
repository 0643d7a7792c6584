"""OpenID Connect (Core 1.0, 3.1): the authorization code flow with PKCE (RFC 7636), as a client of one configured issuer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from service.accounts.tokens import make_token
from service.errors import OidcRefused
from service.settings import Settings

TIMEOUT_S = 10.0
LEEWAY_S = 60
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with the issuer's own key; never `none`, never one that the client's secret could forge."""


@dataclass(frozen=True)
class Pending:
    """A sign-in that has begun: what the browser brings back in a cookie, so that any process can finish it."""

    state: str
    nonce: str
    verifier: str
    next: str

    def pack(self) -> str:
        """As a cookie's value."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def unpack(cls, value: str) -> Pending:
        """Read a cookie's value; raises `OidcRefused` where it is none of ours."""
        try:
            fields = json.loads(base64.urlsafe_b64decode(value.encode()))
            return cls(**{name: str(fields[name]) for name in ("state", "nonce", "verifier", "next")})
        except (ValueError, KeyError, TypeError):
            raise OidcRefused("the sign-in was not begun in this browser, or too long ago") from None


class Issuer:
    """The issuer of the settings: its addresses and keys are asked for when first needed."""

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer and settings.oidc_client_id
        self._issuer, self._client_id, self._scopes = settings.oidc_issuer, settings.oidc_client_id, settings.oidc_scopes
        self._secret_file = settings.oidc_client_secret_file
        self._role_claim = settings.oidc_role_claim
        self._redirect_uri = f"{settings.public_api_url}/sign-in/oidc/callback"
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] | None = None
        self._keys: KeySet | None = None

    def begin(self, next_path: str) -> tuple[str, Pending]:
        """Where to send the browser, and what it keeps meanwhile."""
        pending = Pending(make_token(), make_token(), make_token() + make_token(), next_path)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": self._scopes,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        address: str = self._describe()["authorization_endpoint"]
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", pending

    def finish(self, pending: Pending, answer: Mapping[str, str]) -> dict[str, Any]:
        """The claims about who signed in, from the issuer's answer in the browser's address.

        Raises
        ------
        OidcRefused
            The response belongs to another sign-in or another issuer, reports an error, or its token is invalid.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise OidcRefused("the answer belongs to another sign-in")
        if answer.get("iss", self._issuer) != self._issuer:
            # RFC 9207: an answer of another issuer is not taken to this one's token endpoint.
            raise OidcRefused("the answer comes from another issuer")
        if "error" in answer or not answer.get("code"):
            raise OidcRefused("the issuer did not let you in")
        tokens = self._exchange(answer["code"], pending.verifier)
        claims = self._believe(str(tokens.get("id_token", "")), pending.nonce)
        if find_claim(claims, self._role_claim) is None and tokens.get("access_token") and "userinfo_endpoint" in self._describe():
            more = self._get(self._describe()["userinfo_endpoint"], {"Authorization": f"Bearer {tokens['access_token']}"})
            if more.get("sub") == claims["sub"]:
                claims = more | claims
        return claims

    def _exchange(self, code: str, verifier: str) -> dict[str, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri, "code_verifier": verifier}
        secret = self._secret_file.read_text().strip() if self._secret_file else None
        methods = self._describe().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = secret is not None and "client_secret_basic" in methods
        if not basic:
            form |= {"client_id": self._client_id} | ({"client_secret": secret} if secret else {})
        auth = httpx.BasicAuth(self._client_id, secret) if basic and secret else None
        return self._ask(httpx.Request("POST", self._describe()["token_endpoint"], data=form), auth)

    def _believe(self, token: str, nonce: str) -> dict[str, Any]:
        """Check an ID token (Core 1.0, 3.1.3.7)."""
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        for keys in (self._key_set(), None):
            try:
                claims = jwt.decode(token, keys or self._key_set(anew=True), algorithms=ALGORITHMS).claims
                registry.validate(claims)
            except (JoseError, ValueError) as error:
                if keys is None:
                    raise OidcRefused(f"the issuer's token does not hold ({type(error).__name__})") from None
                # Issuers change their keys: once more with those of now.
                continue
            if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self._client_id:
                raise OidcRefused("the issuer's token was made for another client")
            return dict(claims)
        raise AssertionError("unreachable")

    def _describe(self) -> dict[str, Any]:
        with self._lock:
            if self._metadata is None:
                found = self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self._issuer:
                    raise OidcRefused("the issuer calls itself otherwise than oidc_issuer")
                self._metadata = found
            return self._metadata

    def _key_set(self, anew: bool = False) -> KeySet:
        address = self._describe()["jwks_uri"]
        if self._keys is None or anew:
            self._keys = KeySet.import_key_set(self._get(address))  # type: ignore[arg-type]
        return self._keys

    def _get(self, address: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        return self._ask(httpx.Request("GET", address, headers=headers), None)

    def _ask(self, request: httpx.Request, auth: httpx.Auth | None) -> dict[str, Any]:
        try:
            with httpx.Client(timeout=TIMEOUT_S) as client:
                request.headers["Accept"] = "application/json"
                answer = client.send(request, auth=auth).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise OidcRefused(f"the issuer does not answer as it should ({type(error).__name__})") from None
        if not isinstance(answer, dict):
            raise OidcRefused("the issuer does not answer as it should")
        return answer


def find_claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by names with dots between that lead into objects; None where there is none."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
