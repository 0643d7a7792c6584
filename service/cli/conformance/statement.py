"""The statement as a whole, in the order of the template of PS3.2 Annex N."""

from __future__ import annotations

from service.cli.conformance import contents, network, settings
from service.cli.conformance.markdown import join, table, uid_rows
from service.cli.conformance.samples import build_samples
from service.report.identity import software_version

TITLE = "DICOM conformance statement of mammotriage"


def write_statement() -> str:
    """Write the statement as Markdown; equal code, equal text."""
    samples = build_samples()
    sections = (
        ("1 Overview", network.describe_overview()),
        ("3 Introduction", _introduce()),
        ("4 Implementation model", network.describe_entities()),
        ("5 Services and interoperability", network.describe_services()),
        ("6 Configuration", settings.describe_configuration()),
        ("7 Network details", settings.describe_associations()),
        ("8 Security", settings.describe_security()),
        ("9 Character sets", contents.describe_character_sets()),
        ("Annex A Attributes of objects that are made here", contents.describe_objects(samples)),
        ("Annex B Attributes that a correction may change", contents.describe_changes()),
        ("Annex C Templates and content trees", contents.describe_trees(samples)),
        ("Annex D Codes", contents.describe_codes()),
        ("Annex E Storage SOP classes that are received", table(("SOP class", "UID"), uid_rows(network.list_storage_classes()))),
    )
    listed = "\n".join(f"* [{name}](#{_anchor(name)})" for name, _ in sections)
    head = f"# {TITLE}\n\nmammotriage {software_version()}. Written by `mammotriage conformance` from the code; do not edit."
    parts = [head]
    for number, (name, text) in enumerate(sections):
        parts.append(f"## {name}\n\n{text}")
        if number == 0:
            parts.append(f"## 2 Table of contents\n\n{listed}")
    return join(*parts) + "\n"


def _introduce() -> str:
    return join(
        "For those who connect mammotriage to modalities, archives and worklists. The form is that of DICOM PS3.2 Annex N. A statement of "
        "conformance is no promise that two products work together: try it, with `mammotriage destinations check` and a phantom study.",
        "Annexes A and C are read from objects that the program builds for the purpose: *as in the image* is taken "
        "over from the image that the "
        "object speaks of (absent or empty where it is so there), a value in quotation is always the same, *generated* "
        "follows from the answer.",
        table(
            ("Abbreviation", "Meaning"),
            (
                ("AE", "application entity"),
                ("CAD", "computer-aided detection"),
                ("IOCM", "Imaging Object Change Management (IHE)"),
                ("SCU, SCP", "service class user, provider"),
                ("SR", "structured report"),
                ("STOW-RS, QIDO-RS, WADO-RS", "storing, searching, retrieving over HTTP (PS3.18)"),
                ("TID, CID", "template, context group (PS3.16)"),
            ),
        ),
    )


def _anchor(name: str) -> str:
    return "".join(letter for letter in name.lower().replace(" ", "-") if letter.isalnum() or letter == "-")
