"""PS3.16 TID 4000 and the templates that it includes, row by row as the standard's tables have them, and a checker of content trees.

Independent of the code that builds the tree: rows are written down here once more, with their conditions. The templates are not
extensible and their order is significant (PS3.16 6.1), so an item that no row expects, or one in the wrong place, is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

CONTAINS, INFERRED_FROM, SELECTED_FROM = "CONTAINS", "INFERRED FROM", "SELECTED FROM"
HAS_PROPERTIES, HAS_CONCEPT_MOD, HAS_ACQ_CONTEXT = "HAS PROPERTIES", "HAS CONCEPT MOD", "HAS ACQ CONTEXT"
MANY = 10_000
PERCENT = ("%", 0.0, 100.0)


@dataclass(frozen=True)
class Seen:
    """What a condition may look at: the item that holds the row, the row's image where there is one, the whole tree."""

    parent: Dataset
    sources: Mapping[str, Dataset]

    @property
    def value(self) -> str:
        return value_of(self.parent)

    @property
    def image(self) -> Dataset:
        return self.sources[self.parent.ReferencedSOPSequence[0].ReferencedSOPInstanceUID]

    def has(self, *keywords: str) -> bool:
        return any(keyword in self.image and not self.image[keyword].is_empty for keyword in keywords)


Need = str | Callable[[Seen], str]
"""M, U, or N where a condition forbids the row; MC and UC are functions that answer one of these."""


@dataclass(frozen=True)
class Row:
    """One row of a template. A reference is what the tables call a relationship R-..."""

    number: str
    relationship: str
    value_type: str
    name: str
    need: Need = "M"
    most: int = 1
    values: frozenset[str] = frozenset()
    unit: tuple[str, float, float] | None = None
    graphic: frozenset[str] = frozenset()
    reference: bool = False
    children: tuple[Row | Include, ...] = ()


@dataclass(frozen=True)
class Include:
    """A row that includes a template; its relationship is at the including row."""

    number: str
    template: Callable[[str], tuple[Row | Include, ...]]
    relationship: str = ""
    need: Need = "M"
    most: int = 1


def cid(number: int) -> frozenset[str]:
    """Code values of a context group."""
    return frozenset(code.value for code in getattr(codes, f"cid{number}").concepts.values())


def only(value: str, need: str) -> Callable[[Seen], str]:
    """Needed where the parent has this value, forbidden elsewhere."""
    return lambda seen: need if seen.value == value else "N"


def unless(values: set[str], need: str) -> Callable[[Seen], str]:
    return lambda seen: "N" if seen.value in values else need


def from_image(*keywords: str) -> Callable[[Seen], str]:
    return lambda seen: "M" if seen.has(*keywords) else "N"


COMPOSITION, GEOMETRY, NIPPLE, REGION, QUALITY, NON_LESION = "129715009", "111100", "24142002", "111099", "111101", "111102"


def tid1204(_: str) -> tuple[Row | Include, ...]:
    return (Row("1", HAS_CONCEPT_MOD, "CODE", "121049", children=(Row("2", HAS_CONCEPT_MOD, "CODE", "121046", "U"),)),)


def tid4000() -> Row:
    return Row("1", "", "CONTAINER", "111036", children=(
        Include("2", tid1204),
        Row("3", CONTAINS, "CONTAINER", "111028", children=(Include("4", tid4020, CONTAINS, most=MANY),)),
        Include("5", tid4001, CONTAINS),
        Row("6", CONTAINS, "CODE", "111064", values=cid(6042), children=(
            Include("7", tid4015, INFERRED_FROM, unless({"111225"}, "M")),)),
        Row("8", CONTAINS, "CODE", "111065", values=cid(6042), children=(
            Include("9", tid4016, INFERRED_FROM, unless({"111225"}, "M")),)),
    ))  # fmt: skip


def tid4001(relationship: str) -> tuple[Row | Include, ...]:
    return (
        Row("1", relationship, "CODE", "111017", values=cid(6047), children=(
            Include("2", tid4002, HAS_PROPERTIES, "U"),
            Include("3", tid4003, INFERRED_FROM, lambda seen: "M" if seen.value in ("111242", "111244") else "N", MANY),
        )),
    )  # fmt: skip


def tid4002(relationship: str) -> tuple[Row | Include, ...]:
    side = Row("2", HAS_CONCEPT_MOD, "CODE", "272741003", "U", values=cid(6022))
    return (
        Row("1", relationship, "CODE", "111005", "U", MANY, children=(side,)),
        Row("3", relationship, "CODE", "111023", "U", MANY, children=(side,)),
        Row("5", relationship, "TEXT", "111033", "U"),
        Row("6", relationship, "CODE", "111053", "U", MANY, children=(side,)),
        Include("11", tid4019, relationship, "M", MANY),
    )


def tid4003(relationship: str) -> tuple[Row | Include, ...]:
    return (
        Row("1", relationship, "CONTAINER", "111034", children=(
            Row("2", HAS_CONCEPT_MOD, "CODE", "111056", values=cid(6034)),
            Include("3", tid4002, CONTAINS, "U"),
            Include("5", tid4006, CONTAINS, "M", MANY),
        )),
    )  # fmt: skip


def tid4006(relationship: str) -> tuple[Row | Include, ...]:
    return (
        Row("1", relationship, "CODE", "111059", values=cid(6014), children=(
            Row("2", HAS_CONCEPT_MOD, "CODE", "111056", values=cid(6034)),
            Include("4", tid4108, "HAS OBS CONTEXT", "U"),
            Include("5", tid4019, HAS_PROPERTIES),
            Row("6", HAS_PROPERTIES, "NUM", "111012", "U", unit=PERCENT),
            Row("7", HAS_PROPERTIES, "NUM", "111047", unless({COMPOSITION, GEOMETRY, NIPPLE, REGION, QUALITY, NON_LESION}, "U"),
                unit=PERCENT),
            Include("8", tid4021, HAS_PROPERTIES, unless({COMPOSITION, GEOMETRY, QUALITY}, "M")),
            Include("9", tid4007, HAS_PROPERTIES, only(COMPOSITION, "M")),
            Include("17", tid4013, HAS_PROPERTIES, only(REGION, "M")),
            Row("18", INFERRED_FROM, "IMAGE", "", only(QUALITY, "M"), reference=True),
            Include("21", tid4014, HAS_PROPERTIES, only(QUALITY, "M"), MANY),
        )),
    )  # fmt: skip


def tid4007(relationship: str) -> tuple[Row | Include, ...]:
    # Laterality is a post-coordination of the concept (PS3.16 6.2.4), not a row of the template.
    side = Row("6.2.4", HAS_CONCEPT_MOD, "CODE", "272741003", "U", values=cid(6022))
    return (Row("1", relationship, "CODE", "129715009", values=cid(6000), children=(side,)),)


def tid4013(relationship: str) -> tuple[Row | Include, ...]:
    return (Row("1", relationship, "TEXT", "111058"),)


def tid4014(relationship: str) -> tuple[Row | Include, ...]:
    return (Row("1", relationship, "CODE", "111052", values=cid(6041)),)


def _performed(well: str, badly: str, name: str, group: int) -> Callable[[str], tuple[Row | Include, ...]]:
    def run(relationship: str) -> tuple[Row | Include, ...]:
        return (
            Row("1", relationship, "CODE", name, values=cid(group), children=(
                Include("2", tid4019, HAS_PROPERTIES),
                Row("4", HAS_PROPERTIES, "IMAGE", "", most=MANY, reference=True),
            )),
        )  # fmt: skip

    def template(relationship: str) -> tuple[Row | Include, ...]:
        succeeded = Include("2", run, CONTAINS, most=MANY)
        failed = Include("4", run, CONTAINS, most=MANY)
        return (
            Row(
                "1", relationship, "CONTAINER", well, lambda seen: "M" if seen.value in ("111222", "111223") else "N", children=(succeeded,)
            ),
            Row("3", relationship, "CONTAINER", badly, lambda seen: "M" if seen.value in ("111224", "111223") else "N", children=(failed,)),
        )

    return template


tid4015 = _performed("111063", "111025", "111022", 6014)
tid4016 = _performed("111062", "111024", "111004", 6043)


def tid4019(relationship: str) -> tuple[Row | Include, ...]:
    return (
        Row("1", relationship, "TEXT", "111001"),
        Row("2", relationship, "TEXT", "111003"),
        Row("3", relationship, "TEXT", "111002", "U", MANY),
    )


def tid4020(relationship: str) -> tuple[Row | Include, ...]:
    spacing = from_image("ImagerPixelSpacing", "PixelSpacing")
    return (
        Row("1", relationship, "IMAGE", "", children=(
            Row("2", HAS_ACQ_CONTEXT, "CODE", "111027", from_image("ImageLaterality"), values=cid(6022)),
            Row("3", HAS_ACQ_CONTEXT, "CODE", "111031", from_image("ViewCodeSequence"), values=cid(4014), children=(
                Row("4", HAS_CONCEPT_MOD, "CODE", "111032", "U", MANY, values=cid(4015)),)),
            Row("5", HAS_ACQ_CONTEXT, "TEXT", "111044", from_image("PatientOrientation")),
            Row("6", HAS_ACQ_CONTEXT, "TEXT", "111043", from_image("PatientOrientation")),
            Row("7", HAS_ACQ_CONTEXT, "DATE", "111060", from_image("StudyDate")),
            Row("8", HAS_ACQ_CONTEXT, "TIME", "111061", from_image("StudyTime")),
            Row("9", HAS_ACQ_CONTEXT, "DATE", "111018", from_image("ContentDate")),
            Row("10", HAS_ACQ_CONTEXT, "TIME", "111019", from_image("ContentTime")),
            Row("11", HAS_ACQ_CONTEXT, "NUM", "111026", spacing, unit=("mm", 0.0, 10.0)),
            Row("12", HAS_ACQ_CONTEXT, "NUM", "111066", spacing, unit=("mm", 0.0, 10.0)),
        )),
    )  # fmt: skip


def tid4021(relationship: str) -> tuple[Row | Include, ...]:
    image = Row("2", SELECTED_FROM, "IMAGE", "", reference=True)
    return (
        Row("1", relationship, "SCOORD", "111010", graphic=frozenset({"POINT"}), children=(image,)),
        Row("3", relationship, "SCOORD", "111041", "U", graphic=frozenset({"POLYLINE", "CIRCLE", "ELLIPSE"}), children=(image,)),
    )


def tid4108(relationship: str) -> tuple[Row | Include, ...]:
    return (Row("1", relationship, "TEXT", "112039"), Row("2", relationship, "UIDREF", "112040", "U"))


def value_of(item: Dataset) -> str:
    """Code value of a CODE, '' of anything else."""
    return str(item.ConceptCodeSequence[0].CodeValue) if "ConceptCodeSequence" in item else ""


def find_faults(root: Dataset, sources: Mapping[str, Dataset]) -> list[str]:
    """Everything about a content tree that TID 4000 does not allow, each as a line; empty where the tree follows it."""
    template = root.get("ContentTemplateSequence", [Dataset()])[0]
    faults = [] if (template.get("MappingResource"), template.get("TemplateIdentifier")) == ("DCMR", "4000") else ["no template named"]
    row = tid4000()
    if not _fits(row, root):
        return [*faults, "the root is no Mammography CAD Report"]
    return [*faults, *_judge_item(row, root, Judged(root, sources), "4000")]


@dataclass(frozen=True)
class Judged:
    """The tree under judgement: references are looked up in it."""

    root: Dataset
    sources: Mapping[str, Dataset]

    def at(self, position: list[int]) -> Dataset | None:
        item = self.root
        for number in position[1:]:
            children = item.get("ContentSequence", [])
            if not 0 < number <= len(children):
                return None
            item = children[number - 1]
        return item


def _judge_item(row: Row, item: Dataset, tree: Judged, path: str) -> Iterator[str]:
    """Value of an item, then its children against the rows below its own."""
    here = f"{path}:{row.number}"
    if row.reference:
        target = tree.at(list(item.ReferencedContentItemIdentifier))
        library = tree.root.ContentSequence[1].ContentSequence
        if target is None or not any(target is entry for entry in library):
            yield f"{here}: the reference does not lead to an image of the library"
        return
    if row.values and value_of(item) not in row.values:
        yield f"{here}: {value_of(item)!r} is not in the context group"
    if row.unit:
        unit, least, most = row.unit
        measured = item.MeasuredValueSequence[0]
        if measured.MeasurementUnitsCodeSequence[0].CodeValue != unit or not least <= float(measured.NumericValue) <= most:
            yield f"{here}: wrong unit or value out of range"
    if row.graphic and item.GraphicType not in row.graphic:
        yield f"{here}: {item.GraphicType}"
    if row.value_type == "TEXT" and not item.TextValue:
        yield f"{here}: empty text"
    children = list(item.get("ContentSequence", []))
    faults: list[str] = []
    taken = _match(row.children, children, 0, Seen(item, tree.sources), tree, here, faults)
    yield from faults
    if taken < len(children):
        yield f"{here}: no row for {_describe(children[taken])} as child {taken + 1}"


def _match(
    rows: tuple[Row | Include, ...], children: list[Dataset], at: int, seen: Seen, tree: Judged, path: str, faults: list[str]
) -> int:
    """Match children from `at` on against rows in their order; answers how far it came."""
    for row in rows:
        need = row.need if isinstance(row.need, str) else row.need(seen)
        inside = row.template(row.relationship) if isinstance(row, Include) else (row,)
        count = 0
        while need != "N" and count < row.most and at < len(children) and _begins(inside, children[at]):
            count += 1
            if isinstance(row, Include):
                before = at
                at = _match(inside, children, at, seen, tree, f"{path}/{row.number}", faults)
                if at == before:
                    break
            else:
                faults.extend(_judge_item(row, children[at], tree, path))
                at += 1
        if need == "M" and not count:
            faults.append(f"{path}:{row.number} is missing")
    return at


def _begins(rows: tuple[Row | Include, ...], item: Dataset) -> bool:
    """Tell whether an item can be the first one of these rows."""
    return any(_fits(row, item) if isinstance(row, Row) else _begins(row.template(row.relationship), item) for row in rows)


def _fits(row: Row, item: Dataset) -> bool:
    if item.get("RelationshipType", "") != row.relationship:
        return False
    if row.reference:
        return "ReferencedContentItemIdentifier" in item
    name = item.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in item else ""
    return (item.get("ValueType"), name) == (row.value_type, row.name)


def _describe(item: Dataset) -> str:
    name = item.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in item else ""
    return f"{item.get('RelationshipType')} {item.get('ValueType')} {name!r}"
