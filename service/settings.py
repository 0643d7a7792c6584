"""The settings. The command line reads them from the environment once; everything else gets values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.destinations import Destination, Rule, Source, Webhook, find_conflicts
from service.destinations.file import TABLES, read_destinations
from service.domain.access import Role

Provider = Literal["auto", "cuda", "tensorrt", "openvino", "cpu"]
Port = PositiveInt

MEBIBYTE = 1 << 20
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Settings(BaseSettings):
    """The settings of the service. Each field is the variable `MAMMOTRIAGE_<NAME>`; lists are written as JSON."""

    model_config = SettingsConfigDict(env_prefix="MAMMOTRIAGE_", frozen=True, extra="ignore")

    data_dir: Path = Field(Path("mammotriage-data"), description="folder of received instances, results and the default ledger")
    database_url: str | None = Field(None, description="URL of the ledger (sqlite or postgresql); SQLite in data_dir where absent")
    redis_url: str = Field("redis://127.0.0.1:6379/0", description="broker")

    ae_title: str = Field("MAMMOTRIAGE", min_length=1, max_length=16, description="our AE title")
    dicom_host: str = Field("127.0.0.1", description="address that the C-STORE listener binds")
    dicom_port: Port = Field(11112, description="port of the C-STORE listener")
    calling_ae_titles: tuple[str, ...] = Field((), description="AE titles of permitted senders; empty: all")
    require_called_ae: bool = Field(False, description="reject associations for another called AE title than ours")
    max_pdu: PositiveInt = Field(131_072, description="largest PDU that the listener offers to receive, bytes")
    max_associations: PositiveInt = Field(32, description="concurrent associations")
    tls_cert: Path | None = Field(None, description="PEM certificate of the listener; with tls_key turns TLS on")
    tls_key: Path | None = Field(None, description="PEM key of the listener")
    tls_ca: Path | None = Field(
        None, description="PEM certificates of the authorities that may issue the senders' certificates (mutual TLS)"
    )

    http_host: str = Field("127.0.0.1", description="address that the API binds")
    http_port: Port = Field(8080, description="port of the API")
    api_url: str | None = Field(None, description="address under which people reach the API, where it differs from host and port")
    http_tls_cert: Path | None = Field(None, description="PEM certificate of the API and the pages; with http_tls_key turns HTTPS on")
    http_tls_key: Path | None = Field(None, description="PEM key of the API and the pages")
    trusted_proxies: tuple[str, ...] = Field((), description="addresses of proxies whose X-Forwarded-For is trusted")

    sign_in: Literal["required", "off"] = Field(
        "required", description="required, or off: everyone who reaches the port has every permission"
    )
    allow_open_access_beyond_loopback: bool = Field(False, description="let sign_in be off on an address that is not loopback")
    session_hours: PositiveFloat = Field(12.0, description="hours after the sign-in when a session ends")
    session_idle_minutes: PositiveFloat = Field(60.0, description="minutes without use after which a session ends")
    oidc_issuer: str | None = Field(None, description="OpenID Connect: URL of the issuer; with oidc_client_id turns it on")
    oidc_client_id: str | None = Field(None, description="OpenID Connect: client id of the service at the issuer")
    oidc_client_secret_file: Path | None = Field(None, description="OpenID Connect: file with the client secret")
    oidc_scopes: str = Field("openid profile email", description="OpenID Connect: requested scopes")
    oidc_name_claim: str = Field("preferred_username", description="OpenID Connect: claim with the name of a new account")
    oidc_role_claim: str = Field("groups", description="OpenID Connect: claim with the role; dots separate the keys of nested objects")
    oidc_roles: dict[str, Role] = Field({}, description="OpenID Connect: from a value of that claim to viewer, approver or admin")

    model_dir: Path | None = Field(None, description="folder of models; the packaged models where absent")
    provider: Provider = Field("auto", description="ONNX Runtime provider: auto, cuda, tensorrt, openvino, cpu")
    allow_cpu_fallback: bool = Field(False, description="use the CPU where the chosen provider is not available")
    max_pixels: PositiveInt = Field(100_000_000, description="largest frame that is decoded, pixels")
    worker_concurrency: PositiveInt = Field(1, description="worker processes; each loads the models")
    worker_nice: int = Field(
        10, ge=0, le=19, description="niceness of the workers, so that listener and API on the same machine have priority"
    )

    analyse_film: bool = Field(False, description="analyse digitised film as well")

    study_idle_seconds: PositiveFloat = Field(
        60.0, description="seconds without a new image after which a study without all four views is concluded"
    )
    sweep_seconds: PositiveFloat = Field(15.0, description="pause between two runs of the sweeper")
    destinations_file: Path | None = Field(
        None, description="TOML file of destinations, rules, webhooks and sources, instead of the next four"
    )
    destinations: tuple[Destination, ...] = Field((), description="peers that get results")
    rules: tuple[Rule, ...] = Field((), description="routing rules; without rules every study goes to every destination")
    webhooks: tuple[Webhook, ...] = Field((), description="HTTP receivers of events")
    sources: tuple[Source, ...] = Field((), description="what receiving does with images of a sender that contradict its study")
    delivery_max_attempts: PositiveInt = Field(8, description="attempts before a delivery is failed")
    delivery_backoff_seconds: PositiveFloat = Field(5.0, description="pause after the first failed attempt; it doubles with each attempt")
    delivery_lease_seconds: PositiveFloat = Field(
        300.0, description="seconds after which another worker may claim a delivery of a worker that died; longer than an attempt"
    )

    reconcile_hour: int = Field(3, ge=-1, le=23, description="local hour of the nightly comparison with the destinations; -1: never")

    disk_free_min_bytes: int = Field(
        1024 * MEBIBYTE, ge=0, description="the listener and the API receive nothing while the data disk has less free space"
    )
    max_instance_bytes: PositiveInt = Field(2048 * MEBIBYTE, description="largest instance that is received, bytes")
    log_json: bool = Field(False, description="log one JSON object per line")

    @field_validator(
        "data_dir",
        "model_dir",
        "tls_cert",
        "tls_key",
        "tls_ca",
        "http_tls_cert",
        "http_tls_key",
        "destinations_file",
        "oidc_client_secret_file",
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # All processes of the stack must use the same path, whatever folder they start in.
        return path.expanduser().absolute() if path else None

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Add the values of the destinations file. Raises `DestinationsInvalid`, whose message names file, line and key."""
        if not values.get("destinations_file"):
            # Compose files pass an absent variable as an empty one.
            return {key: value for key, value in values.items() if key != "destinations_file"}
        if both := [name for name in TABLES.values() if values.get(name)]:
            raise ValueError(f"destinations_file and {', '.join(both)}: write everything into the file")
        return values | vars(read_destinations(Path(values["destinations_file"]).expanduser()))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.destinations_file is not None:
            # Marked as not set: a child process reads the same file, so that no password is in its environment.
            self.model_fields_set.difference_update(TABLES.values())
        if conflicts := find_conflicts(self.destinations, self.rules, self.webhooks):
            raise ValueError("; ".join(what for _, what in conflicts))
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together")
        if (self.http_tls_cert is None) != (self.http_tls_key is None):
            raise ValueError("http_tls_cert and http_tls_key belong together")
        if self.tls_ca is not None and self.tls_cert is None:
            raise ValueError("tls_ca needs tls_cert and tls_key")
        if self.sign_in == "off" and not self.allow_open_access_beyond_loopback and self.http_host not in LOOPBACK:
            raise ValueError(f"sign_in is off, and http_host is {self.http_host}: bind 127.0.0.1, or set allow_open_access_beyond_loopback")
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError("oidc_issuer and oidc_client_id belong together")
        if self.oidc_issuer is not None and not self.oidc_roles:
            raise ValueError("oidc_issuer needs oidc_roles: which groups are viewers, approvers and admins")
        return self

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.database_url or f"sqlite:///{self.data_dir / 'ledger.sqlite'}"

    @property
    def reports_dir(self) -> Path:
        """Folder of the reports of the nightly reconciliation."""
        return self.data_dir / "reports"

    @property
    def public_api_url(self) -> str:
        """Address under which people reach the API, without a slash at the end."""
        return (self.api_url or f"{self._scheme}://{self.http_host}:{self.http_port}").rstrip("/")

    @property
    def local_api_url(self) -> str:
        """Address under which this machine reaches the API."""
        host = "127.0.0.1" if self.http_host in ("0.0.0.0", "") else self.http_host
        return f"{self._scheme}://{host}:{self.http_port}"

    @property
    def _scheme(self) -> str:
        return "https" if self.http_tls_cert else "http"
