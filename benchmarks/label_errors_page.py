"""docs/results/label-errors.md, rendered from label-errors.json: no figure on the page was typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_COLUMNS = ("noticed", "settled", "open", "named wrongly", "unsure", "missed", "harm")
_INTRODUCTION = """\
# Label errors put into real studies

`{benchmark}` at commit {commit}; {data}; labeler {labeler}, whose labels below a confidence of {view} (view) and {laterality} (side) are
"unsure". Intervals are 95 % (Wilson). The images of one study are not independent of each other, so the intervals are a little too narrow.

* **noticed**: the difference is in the ledger and in the reports. **settled**: with the right kind and a correction that a person may
  approve. **open**: reported, but nobody may apply it, because no second evidence supports it (a wrong label and a mirrored image
  look the same), or the evidence disagrees. **named wrongly**: a correction is on offer, and its kind or its labels are wrong.
* **unsure**: not noticed because a label is below confidence. **missed**: the networks agreed with the wrong label.
* **harm**: a study in which some image has a correction on offer that would write a wrong label, or an orientation that is wrong.
* "of one image": every image of every study had the error in turn. The rows of whole studies count studies of both breasts.
  "detectors tell": every header says with FieldOfViewHorizontalFlip whether its image was flipped. A header that contradicts itself and
  a view code that is not understood are **open** by design: they are reported and never corrected.
"""
_ABOUT_49 = """\
On machine 49, all images of 27 of 62 studies contradict their labels in the data set itself before anything is seeded, and several images
that the set calls CC show the whole pectoral muscle, as exaggerated views do, and are read as MLO. There, an error seeded into a mirrored
study can make it look ordinary (missed): no reading of a side from the orientation of the breast can do better. These rows are what a
hospital with such a machine would see.
"""
_ABOUT_CHECK = """\
The networks never saw the patients above, but the rules did. In the first run there was harm, in 20 of 258 seeds with fewer views and in 76
of 796 on machine 49: repeated views of one breast, and exaggerated views read as MLO. It led to three rules: the contralateral image
counts only where one reading completes the four views, a view is contradicted only with evidence, and a sibling that may be mirrored
still counts for its breast. The rules were therefore tuned to the zeros above. These are other patients, examined once, after the last
rule; the labeler was tuned on them, but not trained. The one seed with harm here is none: the set calls an image of machine 210 L CC,
its lead marker says L MLO, and that was the offered correction.
"""
_ABOUT_MARKERS = """\
Pictures of 640 x 640 pixels: letters of most machines are 8 pixels high or less there, or tilted or in two lines, and are not read; all
that are read come from a few machines. The reader's limits were chosen on the training part. In the full resolution of a detector the same
letters have four to six times as many pixels; how often they are read there has not been measured, for want of such images.
"""


def render(figures: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    labeler = figures["labeler"]
    blocks = [
        _INTRODUCTION.format(
            benchmark=figures["benchmark"],
            commit=figures["commit"],
            data=figures["data"],
            labeler=f"{labeler['name']} {labeler['version']}",
            **{head: labeler["thresholds"][head] for head in ("view", "laterality")},
        )
    ]
    for group, errors in figures["errors"].items():
        counts = figures["counts"][group]
        blocks.append(f"## {group[:1].upper()}{group[1:]}: {counts['studies']} studies, {counts['images']} images\n")
        if group.startswith("machine"):
            blocks.append(_ABOUT_49)
        rows = [(error, each["noticed"]["of"], *(_share(each[column]) for column in _COLUMNS)) for error, each in errors.items()]
        blocks.append(_table(("seeded error", "n", *_COLUMNS), rows))
        quiet = figures["no error"][group]
        alarms = [(name, _share(each)) for name, each in quiet.items() if name != "verdicts"]
        verdicts = ", ".join(f"{verdict} {count}" for verdict, count in quiet["verdicts"].items() if count)
        blocks.append(_table(("false alarms, nothing seeded", "share"), alarms))
        blocks.append(f"Verdicts on these studies: {verdicts}.\n")
    blocks.append("## Below confidence\n")
    blocks.append("".join(f"* {name}: {count}\n" for name, count in figures["unsure"].items()))
    blocks += ["## Patients that the rules were not made with\n", _ABOUT_CHECK, _check(figures["check"])]
    blocks += ["## Burned-in markers\n", _ABOUT_MARKERS, _markers(figures["markers"])]
    return "\n".join(blocks)


def _check(check: Mapping[str, Any]) -> str:
    columns = ("noticed", "settled", "open", "named wrongly", "harm")
    rows = [
        (f"{group}, {error}", *(_share(each[column]) for column in columns))
        for group, errors in check["errors"].items()
        for error, each in errors.items()
        if each["noticed"]["of"]
    ]
    quiet = [(group, *(_share(each[name]) for name in each if name != "verdicts")) for group, each in check["no error"].items()]
    head = ("nothing seeded", "images reported", "images with a correction on offer", "studies reported")
    return "\n".join((_table(("seeded error", *columns), rows), _table(head, quiet)))


def _markers(machines: Mapping[str, Mapping[str, int]]) -> str:
    columns = ("images", "read", "right", "read mirrored", "right mirrored")
    rows = [(machine, *(row[column] for column in columns)) for machine, row in machines.items()]
    rows.append(("all", *(sum(row[column] for row in machines.values()) for column in columns)))
    return _table(("machine", *columns), rows)


def _share(each: Mapping[str, Any]) -> str:
    if each["share"] is None:
        return "none"
    low, high = each["wilson95"]
    return f"{each['count']}/{each['of']} = {100 * each['share']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [f"| {' | '.join(map(str, row))} |" for row in (head, *rows)]
    lines.insert(1, "|" + "---|" * (lines[0].count("|") - 1))
    return "\n".join(lines) + "\n"
