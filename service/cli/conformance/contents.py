"""What is in the objects that leave: attributes, content trees, codes, and the attributes that a correction may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from highdicom.sr import CodedConcept
from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_description, dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from models.vocabulary import BREAST_CODES, DENSITY_CODES, LATERALITY_CODES, MODIFIER_CODES, READABLE_SCHEMES, VIEW_CODES, Code
from service.cli.conformance.markdown import join, table
from service.cli.conformance.samples import Sample
from service.cli.object_classes import SOP_CLASSES
from service.domain.findings import CorrectionKind, ObjectKind
from service.report import concepts
from service.report.allow_list import ALLOWED, OWN_SERIES, RECORD, SIGNATURES, allowed
from service.report.identity import CODING_SCHEME, SYSTEM
from service.report.label_changes import LABELS
from service.report.rejection_note import INCORRECT_LABEL

TITLES = {
    ObjectKind.CAD: "Mammography CAD report",
    ObjectKind.REPORT: "Measurement report",
    ObjectKind.HEATMAP: "Heatmap beside the image",
    ObjectKind.MARKS: "Marks",
    ObjectKind.CORRECTED: "Corrected image",
    ObjectKind.REVERTED: "Image with its former labels",
    ObjectKind.REJECTION: "Rejection note",
}
TEMPLATES = {
    ObjectKind.CAD: (
        "TID 4000 Mammography CAD Document Root; included: TID 4001, 4002, 4003, 4006, 4007, 4013, 4014, 4015, 4016, 4017, 4018, 4019, "
        "4020, 4021"
    ),
    ObjectKind.REPORT: "TID 1500 Measurement Report; included: TID 300, 1001, 1002, 1004, 1204, 1501, 1600, 4019, 4108",
    ObjectKind.REJECTION: "TID 2010 Key Object Selection; included: TID 1002, 1004",
}
_WHY = {
    **dict.fromkeys(LABELS, "the label"),
    **dict.fromkeys(RECORD, "tells of the change; former items are kept"),
    **dict.fromkeys(SIGNATURES, "removed: the signature would not hold"),
    **dict.fromkeys(OWN_SERIES, "makes the copy an instance of its own"),
    "InstanceCoercionDateTime": "when the change was made",
}


def describe_objects(samples: tuple[Sample, Sample]) -> str:
    """A section for each object that is new: its attributes, by where the value comes from."""
    parts = []
    for number, kind in enumerate((ObjectKind.CAD, ObjectKind.REPORT, ObjectKind.HEATMAP, ObjectKind.MARKS, ObjectKind.REJECTION), 1):
        names = ", ".join(UID(uid).name for uid in SOP_CLASSES[kind])
        rows = list(_attributes(samples, kind))
        parts.append(
            f"### A.{number} {TITLES[kind]}\n\nSOP classes: {names}. Modality and series are its own, the study is that of the images."
        )
        parts.append(table(("Attribute", "Tag", "VR", "Value"), rows))
    return join(*parts)


def describe_trees(samples: tuple[Sample, Sample]) -> str:
    """A section for each content tree: its templates, and every kind of item that it may hold."""
    parts = []
    for number, (kind, templates) in enumerate(TEMPLATES.items(), 1):
        found: dict[tuple[Any, ...], None] = {}
        for sample in samples:
            found |= dict.fromkeys(_items(sample.objects[kind], ()))
        rows = [(">" * (len(way) - 1) + " " + way[-1][0], way[-1][1], way[-1][2]) for way in _in_order(found)]
        parts.append(f"### C.{number} {TITLES[kind]}\n\n{templates}.")
        parts.append(table(("Relationship", "Value type", "Concept name"), [(row[0].strip(), *row[1:]) for row in rows]))
    return join(*parts)


def describe_changes() -> str:
    """Which attributes a correction may change, by mode; computed from the list that is enforced when an object is built."""
    modes = [mode for mode, keywords in ALLOWED.items() if keywords]
    order = (*LABELS, *RECORD, "InstanceCoercionDateTime", *SIGNATURES, *OWN_SERIES)
    rows = [
        (dictionary_description(keyword), _tag(keyword), *("yes" if keyword in ALLOWED[mode] else "" for mode in modes), _WHY[keyword])
        for keyword in order
    ]
    mirrored = ", ".join(dictionary_description(each) for each in LABELS if each in allowed("overwrite", CorrectionKind.MIRRORED))
    return join(
        table(("Attribute", "Tag", *modes, "Why"), rows),
        f"A picture that is mirrored as a whole keeps its labels: of the labels only {mirrored} is written. Each object is compared with "
        "its source, element by element, before it leaves; one that differs anywhere else is not sent. The bytes of Pixel Data are those "
        "that were received, in the transfer syntax that they were received in (see 5.2.2 for peers that do not take it).",
        "Each change appends one item to Original Attributes Sequence (0400,0561): the former values in Modified Attributes Sequence, "
        "undecoded (zero length where the attribute was absent or empty), values that broke their VR or VM in Nonconforming Modified "
        f"Attributes Sequence; Modifying System `{SYSTEM}`; Reason for the Attribute Modification `CORRECT`. An undo appends one more. "
        'A Contributing Equipment Sequence item (109103, DCM, "Modifying Equipment") names the software, the sha256 of each model, who '
        "decided and why. With archive-api the archive writes its own record, or is given ours where it writes none (Orthanc).",
    )


def describe_codes() -> str:
    """Every code that is written, from the tables that write it."""
    private = _private_concepts(concepts)
    return join(
        "### D.1 Views (CID 4014)",
        table(("View Position", "Code", "Meaning", "Also read"), [(view, *_code(code)) for view, code in VIEW_CODES.items()]),
        "### D.2 View modifiers (CID 4015), read only",
        table(("Abbreviation", "Code", "Meaning", "Also read"), [(each, *_code(code)) for each, code in MODIFIER_CODES.items()]),
        f"Coding schemes read as equal: {', '.join(sorted(READABLE_SCHEMES))}. Only SCT is written.",
        "### D.3 Breast composition (CID 6000)",
        table(("Density", "Code", "Meaning"), [(each, *_code(code)[:2]) for each, code in DENSITY_CODES.items()]),
        "### D.4 Side",
        table(
            ("Side", "As modifier of a site (CID 244)", "The breast itself (CID 6022)"),
            [(side, _written(LATERALITY_CODES[side]), _written(BREAST_CODES[side])) for side in LATERALITY_CODES],
        ),
        "### D.5 Title of the rejection note (CID 7010, 7011)",
        f"{_written(INCORRECT_LABEL)}: covers images with wrong labels (IHE IOCM).",
        f"### D.6 Private codes, coding scheme {CODING_SCHEME}",
        table(("Code", "Meaning"), [(each.value, each.meaning) for each in private]),
    )


def describe_character_sets() -> str:
    """What can be read, and what is written."""
    terms = sorted(term for term in python_encoding if term)
    return join(
        f"Read: {', '.join(f'`{term}`' for term in terms)}, and the default repertoire (ISO_IR 6); those of ISO 2022 with code extensions. "
        "A name falls back to the first character set at `^` and `=`. A value with a NUL inside counts as the default repertoire.",
        "Written: objects take over Specific Character Set (0008,0005) of the image that they speak of, and every text that comes from "
        "it, undecoded where nothing changes. Text of our own is of the default repertoire, so it fits each of them. An item of "
        "Contributing Equipment Sequence whose text does not fit (the name of a person who decided) declares `ISO_IR 192` for itself.",
    )


def _attributes(samples: tuple[Sample, Sample], kind: ObjectKind) -> Iterator[tuple[str, str, str, str]]:
    one, other = (sample.objects[kind] for sample in samples)
    for tag in sorted({*one.keys(), *other.keys()}):
        element = one[tag] if tag in one else other[tag]
        yield element.name, str(element.tag), element.VR, _origin(element, one, other, samples)


def _origin(element: DataElement, one: Dataset, other: Dataset, samples: tuple[Sample, Sample]) -> str:
    tag = element.tag
    if tag not in one or tag not in other:
        return "only where it applies"
    values = [built[tag].value for built in (one, other)]
    sources = [sample.source[tag].value if tag in sample.source else None for sample in samples]
    if values[0] != values[1]:
        return "as in the image" if values == sources else "generated"
    return "empty" if element.is_empty else _show(element)


def _show(element: DataElement) -> str:
    if element.VR == "SQ":
        (item, *_) = element.value
        return f'({item.CodeValue}, {item.CodingSchemeDesignator}, "{item.CodeMeaning}")' if "CodeMeaning" in item else "always the same"
    shown = "\\".join(map(str, element.value)) if element.VM > 1 else element.value
    return f"`{shown}`"


def _items(item: Dataset, way: tuple[tuple[str, str, str], ...]) -> Iterator[tuple[tuple[str, str, str], ...]]:
    """Every content item below one, as the way to it: relationship, value type, concept name."""
    here = (*way, (_relationship(item), str(item.get("ValueType") or "by reference"), _concept(item)))
    yield here
    for child in item.get("ContentSequence") or []:
        yield from _items(child, here)


def _in_order(ways: Mapping[tuple[Any, ...], None]) -> Iterator[tuple[Any, ...]]:
    """Depth first, siblings in the order in which they were met."""
    children: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for way in ways:
        children.setdefault(way[:-1], []).append(way)

    def below(way: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        for child in children.get(way, []):
            yield child
            yield from below(child)

    yield from below(())


def _relationship(item: Dataset) -> str:
    return str(item.get("RelationshipType") or "root")


def _concept(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return f'({names[0].CodeValue}, {names[0].CodingSchemeDesignator}, "{names[0].CodeMeaning}")' if names else ""


def _private_concepts(module: ModuleType) -> list[CodedConcept]:
    found: dict[str, CodedConcept] = {}
    for value in vars(module).values():
        for each in value.values() if isinstance(value, dict) else (value,):
            if isinstance(each, CodedConcept) and each.scheme_designator == CODING_SCHEME:
                found[each.value] = each
    return list(found.values())


def _code(code: Code) -> tuple[str, str, str]:
    return f"({code.value}, {code.scheme})", code.meaning, ", ".join(code.legacy)


def _written(code: Code) -> str:
    return f'({code.value}, {code.scheme}, "{code.meaning}")'


def _tag(keyword: str) -> str:
    found = tag_for_keyword(keyword)
    return f"{Tag(found)} {dictionary_VR(keyword)}" if found is not None else keyword
