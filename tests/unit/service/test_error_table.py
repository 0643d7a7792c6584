"""Every error class of models and service has a code of its own, and a row in the one table."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import models
import service
from models.errors import MammotriageError
from service import errors
from service.error_table import ERROR_TABLE, status_of

SAME_CODE = {"unparsable"}
"""A file that cannot be parsed, when it is received and when it is analysed."""


def every_class(root: type[MammotriageError] = MammotriageError) -> Iterator[type[MammotriageError]]:
    yield root
    for each in root.__subclasses__():
        yield from every_class(each)


def own_classes() -> set[type[MammotriageError]]:
    for package in (models, service):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations.versions" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return {each for each in every_class() if each.__module__.split(".")[0] in ("models", "service")}


def test_every_class_of_an_error_has_a_row_in_the_table() -> None:
    assert own_classes() == set(ERROR_TABLE)


def test_the_table_says_of_another_try_what_the_class_says() -> None:
    assert {each: row.transient for each, row in ERROR_TABLE.items()} == {each: each.transient for each in ERROR_TABLE}


def test_codes_are_names_for_programs_and_each_class_has_its_own() -> None:
    codes = [each.code for each in ERROR_TABLE]
    assert all(code == code.lower() and " " not in code for code in codes)
    assert {code for code in codes if codes.count(code) > 1} == SAME_CODE


def test_errors_of_the_service_are_declared_in_one_module() -> None:
    declared = {each for each in own_classes() if each.__module__.startswith("service")}
    assert {each.__module__ for each in declared} == {errors.__name__}
    tree = errors.__doc__ or ""
    assert all(f"{each.__name__}" in tree.split() for each in declared)


def test_an_error_finds_its_row() -> None:
    row = status_of(errors.DiskFull("full"))
    assert (row.dimse, row.stow, int(row.http), row.transient) == (0xA700, 0xA700, 507, True)
