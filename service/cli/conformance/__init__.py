"""The DICOM conformance statement (PS3.2), written from the tables and the objects of this very code, so that it cannot drift."""

from service.cli.conformance.statement import write_statement

__all__ = ["write_statement"]
