"""What reaches the log is checked with data sets, not only with strings that look like them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset

from service.errors import BrokerDown
from service.logs import JsonFormat, PatientGuard, TextFormat, configure_logging

SECRETS = ("Doe", "Jane", "P-4711", "19600101")


@pytest.fixture
def patient() -> Dataset:
    patient = Dataset()
    patient.PatientName = "Doe^Jane"
    patient.PatientID = "P-4711"
    patient.PatientBirthDate = "19600101"
    return patient


@pytest.fixture(params=[TextFormat, JsonFormat])
def said(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param())
    handler.addFilter(PatientGuard())
    logger = logging.getLogger("test.guarded")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)


log = logging.getLogger("test.guarded")


def assert_nothing_about_the_patient(said: io.StringIO) -> None:
    assert said.getvalue()
    assert not [secret for secret in SECRETS if secret in said.getvalue()]


def test_no_value_of_a_data_set_is_logged_whichever_way_it_comes(said: io.StringIO, patient: Dataset) -> None:
    log.info("received %s", patient)
    log.info("received %(name)s", {"name": patient.PatientName})
    log.info(patient)
    log.info(str(patient))
    log.info("name is %s", str(patient.PatientName))
    log.info("element %s", patient["PatientID"])
    log.info("element " + str(patient["PatientID"]))
    log.info("extra", extra={"dataset": patient, "name_of": "Doe^Jane"})
    log.info("PatientID: P-4711")
    assert_nothing_about_the_patient(said)


def test_a_foreign_exception_is_logged_without_its_message(said: io.StringIO) -> None:
    try:
        raise ValueError("invalid value 'P-4711' for PatientID")
    except ValueError:
        log.exception("instance failed")
    assert_nothing_about_the_patient(said)
    assert "ValueError" in said.getvalue() and "test_logs.py" in said.getvalue()


def test_our_own_exceptions_may_speak(said: io.StringIO) -> None:
    try:
        raise BrokerDown("redis does not answer")
    except BrokerDown:
        log.exception("not queued")
    assert "BrokerDown: redis does not answer" in said.getvalue()


def test_uids_and_codes_stay_readable(said: io.StringIO) -> None:
    log.info("instance ended", extra={"sop_instance_uid": "1.2.840.1", "state": "analysed"})
    assert "1.2.840.1" in said.getvalue() and "analysed" in said.getvalue()


def test_a_message_with_wrong_arguments_does_not_stop_the_program(said: io.StringIO) -> None:
    log.info("%d images", "four")
    assert "images" in said.getvalue()


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    try:
        configure_logging(as_json=True)
        logging.getLogger("service.x").warning("two\nlines", extra={"count": 2})
        logging.getLogger("pynetdicom.x").info("a whole data set")
        logging.getLogger("pydicom").warning("a value")
    finally:
        logging.captureWarnings(False)
        root.handlers = handlers
        root.setLevel(level)
    (line,) = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert (record["message"], record["level"], record["logger"], record["count"]) == ("two\nlines", "WARNING", "service.x", 2)
