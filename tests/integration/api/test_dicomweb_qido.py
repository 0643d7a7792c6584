"""QIDO-RS on both kinds of ledger: what is found by which key, what the responses contain, and how hostile queries end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.support.api_server import FOUR_VIEWS, Served, serve_api
from tests.support.dicomweb_viewer import stow
from tests.support.sample_findings import full_field

STUDIES = "/dicom-web/studies"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Three patients' studies over each kind of ledger; no test changes anything."""
    with ExitStack() as stack:
        folder, url = tmp_path_factory.mktemp("search"), None
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgresql").new_ledger())
        served = stack.enter_context(serve_api(folder, database_url=url))
        yield served


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A store for one test."""
    with serve_api(tmp_path) as served:
        yield served


def patient(name: str, identifier: str, day: str, accession: str, time: str = "141500", description: str = "") -> Dataset:
    image = full_field()
    image.SpecificCharacterSet = "ISO_IR 192"
    image.PatientName, image.PatientID, image.StudyDate, image.StudyTime = name, identifier, day, time
    image.AccessionNumber = accession
    if description:
        image.StudyDescription = description
    return image


@pytest.fixture(scope="module")
def three(api: Served) -> dict[str, str]:
    """Three patients' studies: name of the fixture to its Study Instance UID, in the order in which they came."""
    images = {
        "anna": patient("Ånström^Anna", "PH-1", "20260301", "A_1", description="Screening bilateral"),
        "berta": patient("Brown^Berta", "PH-10", "20260310", "AX1", time="090000"),
        "wang": patient("Wang^XiaoDong=王^小东", "ph-1", "20260401", "B[1]"),
    }
    assert stow(api, *images.values()).status_code == 200
    return {name: str(image.StudyInstanceUID) for name, image in images.items()}


def found(api: Served, names: dict[str, str], path: str = STUDIES, **query: str) -> list[str]:
    answer = api.client.get(path, params=query)
    assert answer.status_code in (200, 204), answer.text
    by_uid = {uid: name for name, uid in names.items()}
    return [by_uid[each["0020000D"]["Value"][0]] for each in answer.json()] if answer.content else []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"anna", "berta", "wang"}),
        ({"PatientID": "PH-1"}, {"anna"}),
        ({"00100020": "PH-1*"}, {"anna", "berta"}),
        ({"PatientID": "*"}, {"anna", "berta", "wang"}),
        ({"PatientName": "brown*"}, {"berta"}),
        ({"PatientName": "?nström^anna"}, {"anna"}),
        ({"PatientName": "王*"}, {"wang"}),
        ({"PatientName": "Wang^XiaoDong"}, {"wang"}),
        ({"PatientName": "100%"}, set()),
        ({"StudyDate": "20260310"}, {"berta"}),
        ({"StudyDate": "20260302-"}, {"berta", "wang"}),
        ({"StudyDate": "20260301-20260310"}, {"anna", "berta"}),
        ({"StudyDate": "-20260301"}, {"anna"}),
        ({"AccessionNumber": "A_1"}, {"anna"}),
        ({"AccessionNumber": "A?1"}, {"anna", "berta"}),
        ({"AccessionNumber": "B[1]*"}, {"wang"}),
        ({"ModalitiesInStudy": "CT,MG"}, {"anna", "berta", "wang"}),
        ({"ModalitiesInStudy": "CT"}, set()),
        ({"StudyTime": "0900-1000"}, {"berta"}),
        ({"StudyTime": "1415"}, {"anna", "wang"}),
        ({"StudyDescription": "*bilateral*"}, {"anna"}),
        ({"AnatomicRegionSequence.CodeValue": "76752008"}, {"anna", "berta", "wang"}),
        ({"AnatomicRegionSequence.CodeValue": "1"}, set()),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2"}, {"anna", "berta", "wang"}),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, set()),
    ],
    # No sets in the names: their order differs between test processes.
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "-".join(sorted(value)),
)
def test_studies_are_found_by_what_is_asked_and_not_by_less(
    api: Served, three: dict[str, str], query: dict[str, str], expected: set[str]
) -> None:
    assert set(found(api, three, **query)) == expected
    assert set(found(api, three, "/dicom-web/instances", **query)) == expected
    assert set(found(api, three, "/dicom-web/series", **query)) == expected


def test_lists_of_uids_are_read_with_commas_and_with_backslashes(api: Served, three: dict[str, str]) -> None:
    two = [three["anna"], three["wang"]]
    assert set(found(api, three, StudyInstanceUID=",".join(two))) == {"anna", "wang"}
    assert set(found(api, three, StudyInstanceUID="\\".join(two))) == {"anna", "wang"}
    assert found(api, three, f"{STUDIES}/{two[0]}/series", StudyInstanceUID=two[1]) == [], "a path is not left by a query"


def test_pages_follow_each_other_and_a_warning_tells_of_the_rest(api: Served, three: dict[str, str]) -> None:
    for keys in ({}, {"PatientSex": "F"}, {"StudyID": "S1"}):
        first = api.client.get(STUDIES, params={"limit": "2", **keys})
        assert "There are additional results" in first.headers["warning"]
        second = api.client.get(STUDIES, params={"limit": "2", "offset": "2", **keys})
        assert "warning" not in second.headers
        uids = [each["0020000D"]["Value"][0] for each in first.json() + second.json()]
        assert uids == [three["wang"], three["berta"], three["anna"]], "those that came last first"
    assert api.client.get(STUDIES, params={"offset": "3"}).status_code == 204


def test_fuzzy_matching_is_declined_in_a_warning(api: Served, three: dict[str, str]) -> None:
    answer = api.client.get(STUDIES, params={"fuzzymatching": "true", "PatientName": "Braun*"})
    assert answer.status_code == 204 and "fuzzymatching parameter is not supported" in answer.headers["warning"]
    assert "warning" not in api.client.get(STUDIES, params={"fuzzymatching": "false"}).headers


def test_an_answer_holds_what_the_standard_asks_for_at_its_level(own: Served) -> None:
    study_instance_uid, series_instance_uid = generate_uid(), generate_uid()
    images = [full_field(side, view, study_instance_uid=study_instance_uid) for side, view in FOUR_VIEWS]
    for image in images[:2]:
        image.SeriesInstanceUID = series_instance_uid
    stow(own, *images)
    base = f"{own.settings.public_api_url}{STUDIES}/{study_instance_uid}"

    (study,) = asked(own, STUDIES)
    assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances, study.ModalitiesInStudy) == (3, 4, "MG")
    assert (study.PatientName, study.AccessionNumber, study.StudyTime, study.InstanceAvailability) == (
        "Phantom^Äußerst", "A1", "141500", "ONLINE",
    )  # fmt: skip
    assert study.RetrieveURL == base and "Modality" not in study and "PatientAge" not in study

    series = asked(
        own, f"{STUDIES}/{study_instance_uid}/series", SeriesInstanceUID=series_instance_uid, includefield="BodyPartExamined,00080080"
    )
    assert [(each.Modality, each.SeriesNumber, each.NumberOfSeriesRelatedInstances) for each in series] == [("MG", 1, 2)]
    assert series[0].RetrieveURL == f"{base}/series/{series_instance_uid}" and series[0].BodyPartExamined == "BREAST"
    assert "PatientName" not in series[0], "the path says whose it is"
    assert asked(own, "/dicom-web/series", SeriesInstanceUID=series_instance_uid)[0].PatientName == study.PatientName

    instances = asked(own, f"{STUDIES}/{study_instance_uid}/series/{series_instance_uid}/instances")
    assert {each.SOPInstanceUID for each in instances} == {image.SOPInstanceUID for image in images[:2]}
    assert (instances[0].Rows, instances[0].Columns, instances[0].BitsAllocated) == (256, 192, 16)
    assert instances[0].RetrieveURL == f"{base}/series/{series_instance_uid}/instances/{instances[0].SOPInstanceUID}"
    everything = asked(own, f"{STUDIES}/{study_instance_uid}/instances", includefield="all", limit="1")[0]
    assert float(everything.KVP) == 28 and everything.ViewCodeSequence[0].CodingSchemeDesignator == "SCT"
    assert "PixelData" not in everything


def asked(api: Served, path: str, **query: str) -> list[Dataset]:
    answer = api.client.get(path, params=query, headers={"Accept": "application/dicom+json"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json" and answer.headers["cache-control"] == "no-store"
    for each in answer.json():
        assert list(each) == sorted(each), "tags stand in rising order (PS3.18 F.2.2)"
    return [Dataset.from_json(each) for each in answer.json()]


HOSTILE: list[tuple[str, int, str]] = [
    ("?limit=-1", 400, "invalid-query"),
    ("?limit=99999999999999999999", 400, "invalid-query"),
    ("?offset=1e3", 400, "invalid-query"),
    ("?fuzzymatching=perhaps", 400, "invalid-query"),
    ("?emptyvaluematching=perhaps", 400, "invalid-query"),
    ("?multiplevaluematching=true&StudyDate=20260301,yesterday", 400, "invalid-query"),
    ("?" + "&".join(f"PatientID={number}" for number in range(51)), 400, "invalid-query"),
    ("?StudyDate=yesterday", 400, "invalid-query"),
    ("?StudyDate=20260101-20260201-", 400, "invalid-query"),
    ("?StudyDate=-", 400, "invalid-query"),
    ("?StudyTime=noon", 400, "invalid-query"),
    ("?StudyInstanceUID=1.2;DROP", 400, "invalid-query"),
    ("?StudyInstanceUID=" + ",".join(["1.2"] * 9000), 400, "invalid-query"),
    ("?StudyInstanceUID=" + ",".join(f"1.{number}" for number in range(600)), 400, "invalid-query"),
    ("?PatientID=a%00b", 400, "invalid-query"),
    ("?PixelData=1", 400, "invalid-query"),
    ("?ViewCodeSequence=1", 400, "invalid-query"),
    ("?" + ".".join(["ViewCodeSequence"] * 9) + "=1", 400, "invalid-query"),
    ("/..%2f..%2fetc/series", 404, "not-found"),
    ("/1.2.x/series", 422, "invalid-request"),
    ("/1.2/series/" + "1" * 65 + "/instances", 422, "invalid-request"),
]


@pytest.mark.parametrize(("tail", "status", "code"), HOSTILE, ids=lambda value: str(value)[:40])
def test_a_query_that_cannot_be_one_is_a_problem(api: Served, tail: str, status: int, code: str) -> None:
    answer = api.client.get(STUDIES + tail)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("query", "ignored"),
    [
        ("_=1764290000", "_"),
        ("orderby=StudyDate", "orderby"),
        ("includedefaults=true", "includedefaults"),
        ("count=true", "count"),
        ("includefield=Shoe", "Shoe"),
        ("Shoe=1", "Shoe"),
        ("12345678=1", "12345678"),
        ("PatientName.Shoe=1", "PatientName.Shoe"),
        ("x%22y=1", "unnamed"),
    ],
)
def test_a_parameter_that_is_not_supported_is_ignored_with_a_warning(api: Served, three: dict[str, str], query: str, ignored: str) -> None:
    answer = api.client.get(f"{STUDIES}?{query}")
    assert (answer.status_code, len(answer.json())) == (200, 3)
    assert answer.headers["warning"] == f'299 mammotriage "Parameters that are not supported were ignored: {ignored}."'


@pytest.mark.parametrize(
    "query", ["fuzzymatching=FALSE", "fuzzymatching=", "emptyvaluematching=false", "multiplevaluematching=true", "&limit=9"]
)
def test_a_parameter_of_the_standard_gives_no_warning(api: Served, three: dict[str, str], query: str) -> None:
    answer = api.client.get(f"{STUDIES}?{query}")
    assert (answer.status_code, len(answer.json())) == (200, 3) and "warning" not in answer.headers


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("PatientID=PH-1&PatientID=PH-10", {"anna", "berta"}),
        ("PatientID=PH-1&00100020=ph-1", {"anna", "wang"}),
        ("PatientID=PH-1&PatientID=*", {"anna", "berta", "wang"}),
        ("PatientName=brown*&PatientName=王*", {"berta", "wang"}),
        ("StudyDate=20260301&StudyDate=20260401-", {"anna", "wang"}),
        ("ModalitiesInStudy=CT&ModalitiesInStudy=MG", {"anna", "berta", "wang"}),
        ("StudyTime=0900&StudyTime=1000", {"berta"}),
        ("PatientID=PH-1,PH-10", set()),
        ("multiplevaluematching=true&PatientID=PH-1,PH-10", {"anna", "berta"}),
        ("multiplevaluematching=TRUE&PatientID=PH-1%5Cph-1", {"anna", "wang"}),
        ("multiplevaluematching=true&StudyDate=20260301,20260310", {"anna", "berta"}),
        ("multiplevaluematching=true&StudyTime=0900,1416-", {"berta"}),
        ("multiplevaluematching=true&StudyDescription=x,*bilateral", {"anna"}),
        ("StudyDate=2026.03.10", {"berta"}),
        ("StudyDate=2026.03.02-2026.03.31", {"berta"}),
        ("StudyTime=09:00-10:00", {"berta"}),
    ],
)
def test_lists_keys_given_twice_and_dates_of_the_old_form(api: Served, three: dict[str, str], query: str, expected: set[str]) -> None:
    for path in ("studies", "series", "instances"):
        answer = api.client.get(f"/dicom-web/{path}?{query}")
        found_uids = {each["0020000D"]["Value"][0] for each in answer.json()} if answer.content else set()
        assert found_uids == {three[name] for name in expected}, path


@pytest.mark.parametrize(
    ("key", "attribute"),
    [
        ("PatientID", "PatientID"),
        ("PatientName", "PatientName"),
        ("AccessionNumber", "AccessionNumber"),
        ("StudyDate", "StudyDate"),
        ("PatientBirthDate", "PatientBirthDate"),
        ("StudyDescription", "StudyDescription"),
        ("ViewCodeSequence.CodeValue", "ViewCodeSequence"),
    ],
)
def test_what_has_no_value_is_found_by_empty_value_matching(own: Served, key: str, attribute: str) -> None:
    empty, full = full_field(), full_field()
    full.StudyDescription = "Screening"
    setattr(empty, attribute, [] if attribute.endswith("Sequence") else "")
    assert stow(own, empty, full).status_code == 200
    answer = own.client.get(STUDIES, params={key: '""', "emptyvaluematching": "true"})
    assert [each["0020000D"]["Value"] for each in answer.json()] == [[empty.StudyInstanceUID]]
    if attribute == "PatientID":
        assert own.client.get(STUDIES, params={key: '""'}).status_code == 204, "two quotes are a text without the parameter"


@pytest.mark.parametrize(
    ("attribute", "value", "written", "found_by"),
    [
        ("StudyDate", "2026.03.05", "20260305", "20260305"),
        ("PatientBirthDate", "1960.01.01", "19600101", "19600101"),
        ("StudyTime", "14:15:00", "141500", "1415"),
        ("StudyTime", "14:15:00.250", "141500.250", "141500-141501"),
        ("SeriesDate", "2026.03.06", "20260306", "20260301-20260331"),
        ("ContentTime", "14:15", "1415", "14"),
        ("ContentDate", "2026.13.05", "20261305", "20261305"),
    ],
)
def test_dates_and_times_of_the_old_form_are_found_and_shown_as_today(
    own: Served, attribute: str, value: str, written: str, found_by: str
) -> None:
    image = full_field()
    setattr(image, attribute, value)
    assert stow(own, image).status_code == 200
    (answer,) = own.client.get(STUDIES, params={attribute: found_by, "includefield": attribute}).json()
    tag = f"{int(Dataset.from_json(answer)[attribute].tag):08X}"
    assert answer[tag]["Value"] == [written]
    (metadata,) = own.client.get(f"{STUDIES}/{image.StudyInstanceUID}/metadata").json()
    assert metadata[tag]["Value"] == [written]


@pytest.mark.parametrize("value", ["%" * 60, "'; DROP TABLE studies; --", "*a" * 30 + "*b", "[!a]*", "\\", "_" * 64, "王" * 64, "\ufffd"])
def test_odd_values_are_values(api: Served, three: dict[str, str], value: str) -> None:
    for key in ("PatientID", "PatientName", "AccessionNumber", "StudyDescription", "ReferringPhysicianName"):
        assert found(api, three, **{key: value}) == []


def test_only_json_is_offered(api: Served, three: dict[str, str]) -> None:
    for accept, status in (
        ("application/json", 200),
        ("*/*", 200),
        ('multipart/related; type="application/dicom+xml", application/dicom+json;q=0.5', 200),
        ('multipart/related; type="application/dicom+xml"', 406),
        ("text/html, application/dicom+json;q=0", 406),
    ):
        assert api.client.get(STUDIES, headers={"Accept": accept}).status_code == status, accept
    assert api.client.get(f"{STUDIES}?accept=application/json", headers={"Accept": "text/html"}).status_code == 200


def test_a_search_that_would_open_every_file_is_refused(api: Served, three: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.dicomweb.qido.MOST_OPENED", 2)
    monkeypatch.setattr("service.api.dicomweb.qido.BATCH", 1)
    answer = api.client.get(STUDIES, params={"StudyID": "nobody's"})
    assert (answer.status_code, answer.json()["code"]) == (413, "search-too-wide")
    assert found(api, three, StudyID="S1", PatientID="PH-1") == ["anna"]


def test_a_study_whose_file_is_lost_is_still_found(own: Served) -> None:
    image = full_field()
    stow(own, image)
    (row,) = own.ledger.instances.of_study(str(image.StudyInstanceUID))
    own.store.path(row.path).unlink()
    (study,) = asked(own, STUDIES, PatientID="PH-1")
    assert study.StudyInstanceUID == image.StudyInstanceUID and study.NumberOfStudyRelatedInstances == 1


def test_values_that_break_their_type_stop_no_answer(own: Served) -> None:
    image = full_field()
    image.SeriesNumber = image.InstanceNumber = None
    image["SeriesNumber"]._value = "many"  # a sender's mistake, which pydicom would not let us make
    image.KVP = None
    image.add_new(0x00189060, "FD", float("nan"))
    stow(own, image)
    answer: Any = own.client.get("/dicom-web/instances", params={"includefield": "all"})
    assert answer.status_code == 200
    assert answer.json()[0]["00189060"] == {"vr": "FD", "Value": [None]}
    assert "Value" not in answer.json()[0]["00200011"]
