"""Destinations, routing rules and webhooks: the values of the TOML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from service.domain.findings import ObjectKind, Priority
from service.domain.patients.identity import MixedPatients
from service.domain.policy import CorrectionPolicy

RESULTS = (ObjectKind.CAD, ObjectKind.REPORT, ObjectKind.HEATMAP)
"""The results that a destination gets by default."""
OPTIONAL_RESULTS = (*RESULTS, ObjectKind.MARKS)


SECRETS = ("password", "token", "secret")
WITHHELD = "***"


def _without_user(url: str) -> str:
    if "@" in urlsplit(url).netloc:
        raise ValueError("contains a user or a password: write them under keys of their own, which are never shown")
    return url


Url = Annotated[str, Field(min_length=8, pattern=r"^https?://"), AfterValidator(_without_user)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(_Table):
    """TLS to a DICOM peer (PS3.15 B.9: BCP 195)."""

    ca: Path | None = Field(
        None, description="PEM certificates of the authorities that may issue the peer's certificate; those of the system where absent"
    )
    cert: Path | None = Field(None, description="our PEM certificate (mutual TLS)")
    key: Path | None = Field(None, description="PEM key of our certificate")
    check_host: bool = Field(True, description="the peer's certificate must have its host name")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key belong together")
        return self


class WebService(_Table):
    """An HTTP address with its credentials."""

    url: Url = Field(description="base address, without a slash at the end")
    user: str = ""
    password: str = Field("", repr=False)
    token: str = Field("", repr=False, description="sent as Authorization: Bearer")
    ca: Path | None = Field(None, description="PEM certificates of the authorities for https; those of the system where absent")
    timeout_seconds: PositiveFloat = 60.0


class ArchiveApi(WebService):
    """The archive's own API for changes of its images."""

    kind: Literal["orthanc", "dcm4chee"]


class Destination(_Table):
    """A peer that gets results, over DIMSE (ae_title, host, port) or over DICOMweb."""

    name: str = Field(min_length=1, max_length=64, description="name for people and in the ledger")
    ae_title: str = Field("", max_length=16, description="the peer's AE title")
    host: str = Field("", description="the peer's host name or address")
    port: NonNegativeInt = Field(0, le=65535, description="the peer's DICOM port")
    calling_ae_title: str | None = Field(
        None, max_length=16, description="our AE title for this peer; ae_title of the settings where absent"
    )
    tls: Tls | None = Field(None, description="keys ca, cert, key, check_host")
    dicomweb: WebService | None = Field(None, description="STOW-RS, QIDO-RS and WADO-RS instead of DIMSE")
    objects: tuple[ObjectKind, ...] = Field(RESULTS, description="results that it gets: cad-sr, sr, sc, gsps")
    without_mammogram: bool = Field(False, description="it also gets the reports of studies that hold no mammogram")
    corrections: CorrectionPolicy = Field(CorrectionPolicy(), description="how corrections reach it, and the action for each kind")
    archive: ArchiveApi | None = Field(None, description="for corrections.mode = archive-api")
    read_back: Literal["auto", "c-get", "c-move", "dicomweb", "none"] = Field("auto", description="how the arrival is proved")
    commitment: bool = Field(True, description="request storage commitment where the peer offers it")
    concurrency: PositiveInt = Field(4, description="deliveries to it at the same time")
    breaker_after: PositiveInt = Field(5, description="failures in a row that open the circuit breaker")
    breaker_seconds: PositiveFloat = Field(60.0, description="how long the circuit breaker stays open")
    timeout_seconds: PositiveFloat = Field(60.0, description="how long the peer may take to answer a DIMSE request")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        dimse = bool(self.ae_title), bool(self.host), bool(self.port)
        if any(dimse) and not all(dimse):
            raise ValueError("ae_title, host and port belong together")
        if not any(dimse) and self.dicomweb is None:
            raise ValueError("needs ae_title, host and port, or dicomweb")
        if wrong := set(self.objects) - set(OPTIONAL_RESULTS):
            raise ValueError(f"objects: {', '.join(sorted(wrong))} cannot be chosen; corrected images follow from corrections.mode")
        if self.corrections.mode == "archive-api" and self.archive is None:
            raise ValueError('corrections.mode "archive-api" needs archive')
        if self.read_back in ("c-get", "c-move") and not all(dimse):
            raise ValueError(f'read_back "{self.read_back}" needs ae_title, host and port')
        if self.read_back == "dicomweb" and self.dicomweb is None:
            raise ValueError('read_back "dicomweb" needs dicomweb')
        return self

    @property
    def address(self) -> str:
        """The address for people."""
        dimse = f"{self.ae_title} at {self.host}:{self.port}{' (TLS)' if self.tls else ''}" if self.host else ""
        return ", ".join(part for part in (dimse, self.dicomweb.url if self.dicomweb else "") if part)


class Rule(_Table):
    """A routing rule: the first rule whose conditions all match decides. Conditions are shell patterns, case is ignored."""

    to: tuple[str, ...] = Field(description="names of destinations; empty: nowhere")
    calling_ae: str = Field("*", description="AE title of the sender")
    station: str = Field("*", description="StationName (0008,1010)")
    institution: str = Field("*", description="InstitutionName (0008,0080)")
    manufacturer: str = Field("*", description="Manufacturer (0008,0070)")
    model: str = Field("*", description="ManufacturerModelName (0008,1090)")
    modality: str = Field("*", description="Modality (0008,0060)")
    kind: str = Field("*", description="full-field, synthesised-2d, film, tomosynthesis or unknown")
    priority: Priority | None = Field(None, description="the study is treated as at least this urgent")


class Source(_Table):
    """What receiving does with images of one sender; the first table whose pattern matches the sender decides."""

    calling_ae: str = Field("*", description="AE title of the sender, a shell pattern, case ignored; empty for HTTP")
    mixed_patients: MixedPatients = Field(
        MixedPatients.HOLD, description="an image names another patient or examination than its study: hold, refuse or accept"
    )


class Webhook(_Table):
    """An HTTP address that gets events."""

    name: str = Field(min_length=1, max_length=64)
    url: Url
    secret: str = Field("", repr=False, description="key of the HMAC-SHA256 signature")
    events: tuple[str, ...] = Field(("*",), description="shell patterns, like study.concluded or correction.*")


def find_conflicts(
    destinations: Sequence[Destination], rules: Sequence[Rule], webhooks: Sequence[Webhook]
) -> list[tuple[tuple[str | int, ...], str]]:
    """Conflicts between tables that are valid by themselves: place (list, index, field) and fault."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    for kind, names in (("destination", [each.name for each in destinations]), ("webhook", [each.name for each in webhooks])):
        for index, name in enumerate(names):
            if name in names[:index]:
                found.append(((f"{kind}s", index, "name"), f"two {kind}s have the same name, {name!r}"))
    known = {each.name for each in destinations}
    for index, rule in enumerate(rules):
        if unknown := [name for name in rule.to if name not in known]:
            found.append((("rules", index, "to"), f"no destination is named {', '.join(map(repr, unknown))}"))
    return found


def conceal(table: BaseModel) -> dict[str, Any]:
    """The set values of a destination, rule or webhook without secrets; the path of a webhook's URL may be a secret too."""
    shown: dict[str, Any] = _conceal(table.model_dump(mode="json", exclude_unset=True, by_alias=True))
    if isinstance(table, Webhook):
        address = urlsplit(table.url)
        shown["url"] = f"{address.scheme}://{address.netloc}/..."
    return shown


def _conceal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: WITHHELD if key in SECRETS and each else _conceal(each) for key, each in value.items()}
    return value
