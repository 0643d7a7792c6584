"""What a worklist may be narrowed to, and how it is asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from models.vocabulary import Density
from service.api.http.params import STUDY_INSTANCE_UID, Word, _printable
from service.domain.findings import Agreement, Priority, TriageFlag
from service.store.study_rows import StudyFilter, StudyState

Order = Literal["triage", "received"]

_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def _near(moment: AwareDatetime) -> AwareDatetime:
    # The ends of the calendar cannot be moved to UTC, and no study is from there.
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"a time between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_near)]


class StudyQuery(BaseModel):
    """Which studies, in which order. What is left out does not narrow; an unknown name is refused, so that no filter is passed over."""

    model_config = ConfigDict(extra="forbid")

    order: Order = Field("received", description="triage: suspicious first, higher scores first; received: newest first")
    state: StudyState | None = Field(None, description="only studies in this state")
    flag: TriageFlag | None = Field(None, description="only studies with this flag")
    agreement: Agreement | None = Field(None, description="only studies whose worst image has this agreement of header and pixels")
    density: Density | None = Field(None, description="only studies of this breast density")
    station: Word = Field("", description="only from the modality with this Station Name")
    priority: Priority | None = Field(None, description="only studies of this priority")
    held: bool | None = Field(None, description="true: only studies that wait for a named person; false: only the others")
    since: Moment | None = Field(None, description="first image received at or after", examples=["2026-11-02T00:00:00Z"])
    until: Moment | None = Field(None, description="first image received before", examples=["2026-11-03T00:00:00Z"])
    study_date: Annotated[str, StringConstraints(pattern=r"^(\d{4}-?\d{2}-?\d{2})?$")] = Field(
        "", description="only of this Study Date, YYYY-MM-DD or YYYYMMDD", examples=["2026-11-02"]
    )
    cursor: Annotated[str, StringConstraints(max_length=512)] | None = Field(None, description="`next_cursor` of the former page")
    limit: int = Field(50, ge=1, le=500, description="studies a page")

    def as_filter(self) -> StudyFilter:
        """The same for the ledger."""
        return StudyFilter(
            state=self.state,
            flag=self.flag,
            agreement=self.agreement,
            density=self.density or "",
            station_name=self.station,
            priority=self.priority,
            held=self.held,
            since=self.since,
            until=self.until,
            study_date=self.study_date.replace("-", ""),
        )


class StudySearch(StudyQuery):
    """As the query, with the search text, which does not belong in a URL."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "doe jane", "flag": "suspicious", "order": "triage", "limit": 50}]})

    text: Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)] = Field(
        "", description="part of the patient's ID or name, of the accession number, or of the Study Instance UID"
    )
    study_instance_uids: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)]], Field(max_length=500)
    ] = Field([], description="only these studies", examples=[[STUDY_INSTANCE_UID]])

    def as_filter(self) -> StudyFilter:
        """The same for the ledger."""
        return StudyFilter(**vars(super().as_filter()) | {"text": self.text, "study_instance_uids": tuple(self.study_instance_uids)})


class StationList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"stations": ["MAMMO-1", "MAMMO-2"]}]})

    stations: list[str] = Field(description="Station Names of all studies")
