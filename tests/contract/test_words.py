"""No retired word comes back: the dictionary of docs/decisions/0013, and the plain English of CONTRIBUTING.md."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

EXEMPT = re.compile(
    r"^(docs/decisions/|docs/results|CHANGELOG\.md|tests/contract/test_words\.py|service/store/migrations/"
    r"|tests/integration/store/test_migrations\.py|tests/support/older_ledger\.py|LICENSE|docs/dicom-conformance\.md)"
)
"""The dictionary itself, the history of the project, and migrations with their tests, which must read what older versions wrote."""

TEXT = re.compile(r"\.(py|md|js|html|css|toml|yml|yaml|cff|cfg)$|Makefile|Dockerfile")

NAMES = (
    # store
    "Chronicle", "Troubles", "troubled_deliveries", "Workshop", "greet_worker", "dismiss_worker", "Standing", "standings", "Tallies",
    "Produce", "StoredObject", "Intake", "InstanceStore", "ReturnDesk", "Tray", "take_object", "touched_at", "changed_at",
    "decided_why", "released_why", "right_value", "destination_states", "webhook_states",
    # domain
    "Testimony", "hear_side", "Ruling", "Rulings", "flip_horizontal", "rotate_degrees", "out_of_scope", "never_automatic", "obstacle",
    "field_of_view_told", "field_of_view_flipped",
    # jobs
    "run_beside", "look_by_night", "_keep_told", "give_way", "broom",
    # deliver and report
    "_Try", "Sought", "EventNotTaken", "as_dialect", "dialect_uid", "DIALECTS", "Road", "mend_orientation", "NothingElseMayChange",
    # api and web
    "Door", "Guard", "who_asks", "refuse_foreign", "refuse_borrowed_browser", "give_password", "overlook", "Night", "_Remembered",
    "take_in", "Shells",
    # states
    "not-analysed", "left-out", "not-applied", "NOT_ANALYSED", "LEFT_OUT", "NOT_APPLIED", "UNDOING", "UNSETTLED",
    # settings
    "sign_in_off_anywhere", "delivery_tries", "archive_max_instance_bytes", "quiet_seconds", "zoo_dir", "MAMMOTRIAGE_ZOO_DIR",
    "MAMMOTRIAGE_FILM", "MAMMOTRIAGE_QUIET_SECONDS", "MAMMOTRIAGE_DELIVERY_TRIES",
    # training
    "Material", "condensed",
    # one spelling of each DICOM keyword
    "study_uid", "sop_uid",
)  # fmt: skip

PROSE = ("whoever", "told", "stands", "lies", "somebody", "what becomes of")


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if TEXT.search(name) and not EXEMPT.search(name) and (ROOT / name).is_file()]


def _found(words: tuple[str, ...], flags: int = 0) -> list[str]:
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])", flags)
    return [
        f"{name}:{number}: {match[0]}"
        for name in _tracked()
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if "INSERT INTO" not in line  # a test that writes into the schema of an older version
        for match in pattern.finditer(line)
    ]


@pytest.mark.parametrize(("words", "flags"), [(NAMES, 0), (PROSE, re.IGNORECASE)], ids=["names", "prose"])
def test_no_retired_word_is_used(words: tuple[str, ...], flags: int) -> None:
    found = _found(words, flags)
    assert not found, "see docs/decisions/0013-the-words-of-the-field.md and CONTRIBUTING.md:\n" + "\n".join(found[:60])


def test_the_search_finds_a_retired_word_where_there_is_one() -> None:
    assert len(_tracked()) > 400, "the list of tracked files is read"
    assert any(hit.endswith(": ledger") for hit in _found(("ledger",))), "a word that is in use is found"
