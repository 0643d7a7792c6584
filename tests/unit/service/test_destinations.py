"""The file of destinations: what it says is what the service gets, and what is wrong in it is named by line and key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from service.destinations import ArchiveApi, Destination, Rule, Source, Tls, Webhook, WebService
from service.destinations.file import read_destinations
from service.destinations.toml_lines import line_of, locate
from service.domain.findings import CorrectionKind, ObjectKind, Priority
from service.domain.policy import Action, CorrectionPolicy
from service.errors import DestinationsInvalid
from service.settings import Settings
from service.stack import as_environment

EXAMPLE = Path(__file__).parents[3] / "docs" / "destinations.example.toml"

PACS = """\
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "10.0.0.5"
port = 104
"""


@pytest.fixture(autouse=True)
def _only_ours(clean_environment: pytest.MonkeyPatch) -> None:
    """No setting of this machine reaches these tests."""


def written(folder: Path, text: str) -> Path:
    path = folder / "destinations.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaints(folder: Path, text: str) -> list[str]:
    """What is said of a file, without its path."""
    path = written(folder, text)
    with pytest.raises(DestinationsInvalid) as caught:
        read_destinations(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def test_the_example_says_what_it_is_said_to_say(tmp_path: Path) -> None:
    for name in ("archive.password", "cloud.token", "webhook.secret"):
        (tmp_path / name).write_text(f"the {name}\n")
    copy = written(tmp_path, EXAMPLE.read_text(encoding="utf-8"))
    file = read_destinations(copy)
    by_name = {each.name: each for each in file.destinations}
    assert list(by_name) == ["pacs", "archive", "cloud"]
    assert by_name["pacs"].tls is not None
    assert by_name["pacs"].tls.ca == tmp_path / "tls/hospital-ca.pem"
    archive = by_name["archive"]
    assert archive.archive is not None
    assert archive.archive.password == "the archive.password"
    assert archive.corrections.mode == "archive-api"
    assert archive.corrections.view_unknown is Action.OFF
    assert by_name["cloud"].dicomweb is not None
    assert by_name["cloud"].dicomweb.token == "the cloud.token"
    assert by_name["cloud"].objects == (ObjectKind.CAD, ObjectKind.REPORT)
    assert [rule.to for rule in file.rules] == [(), ("pacs", "cloud"), ("pacs", "archive")]
    assert file.rules[1].priority is Priority.URGENT
    assert [(each.calling_ae, each.mixed_patients) for each in file.sources] == [("TELERAD*", "refuse"), ("*", "hold")]
    assert file.webhooks[0].secret == "the webhook.secret"


@pytest.mark.parametrize("kind", [Destination, Tls, CorrectionPolicy, WebService, ArchiveApi, Rule, Source, Webhook])
def test_the_example_names_every_key(kind: type[BaseModel]) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    keys = [field.alias or name for name, field in kind.model_fields.items()]
    assert [key for key in keys if not re.search(rf"(?m)(^|[{{ ]|\.){key}(_file)? =|^\[+\w+\.{key}\]", text)] == []


def test_a_destination_needs_no_more_than_an_address(tmp_path: Path) -> None:
    (destination,) = read_destinations(written(tmp_path, PACS)).destinations
    assert destination == Destination(name="pacs", ae_title="PACS", host="10.0.0.5", port=104)
    chosen = {kind: getattr(destination.corrections, kind.value.replace("-", "_")) for kind in CorrectionKind}
    assert chosen == {
        CorrectionKind.MISSING: Action.AUTO,
        CorrectionKind.CONTRADICTS: Action.APPROVE,
        CorrectionKind.MIRRORED: Action.REPORT,
        CorrectionKind.SIDES_SWAPPED: Action.REPORT,
        CorrectionKind.VIEW_UNKNOWN: Action.REPORT,
        CorrectionKind.HEADER_CONTRADICTS_ITSELF: Action.REPORT,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PACS + 'prot = 1\n', '6: destination "pacs", prot: unknown key (did you mean port?)'),
        (PACS.replace("104", "104000"), '5: destination "pacs", port: must be'),
        (PACS.replace("104", '"x"'), '5: destination "pacs", port: must be'),
        (PACS.replace('host = "10.0.0.5"\n', ""), '1: destination "pacs": ae_title, host and port belong together'),
        ('[[destination]]\nae_title = "A"\nhost = "h"\nport = 1\n', "1: destination 1, name: is missing"),
        (PACS + '[destination.corrections]\nmissing = "auto"\ncontradict = "auto"\n',
         '8: destination "pacs", corrections.contradict: unknown key (did you mean contradicts?)'),
        (PACS + '[destination.corrections]\nmode = "overwriting"\n', '7: destination "pacs", corrections.mode: must be'),
        (PACS + 'corrections = {mode = "archive-api"}\n', '1: destination "pacs": corrections.mode "archive-api" needs archive'),
        (PACS + 'objects = [\n  "sr",\n  "corrected",\n]\n', '1: destination "pacs": objects: corrected cannot be chosen'),
        (PACS + 'read_back = "dicomweb"\n', '1: destination "pacs": read_back "dicomweb" needs dicomweb'),
        (PACS + '[destination.tls]\ncert = "c.pem"\n', '6: destination "pacs", tls: cert and key belong together'),
        (PACS + "\n" + PACS, '8: destination "pacs", name: two destinations have the same name'),
        (PACS + '[[rule]]\nstation = "X"\nto = ["pacs", "pax"]\n', "8: rule 1, to: no destination is named 'pax'"),
        ('[[rule]]\nstation = "X"\n', "1: rule 1, to: is missing"),
        ('\n[[webhook]]\nname = "w"\nurl = "ftp://x"\n', '4: webhook "w", url: '),
        ('[destination]\nname = "a"\n', "1: destination: write one table for each, [[destination]]"),
        ('# nothing\ndestinations = []\n', "2: destinations: unknown key (did you mean destination?)"),
        ('[[destination]]\nname = "a\n', "2: Illegal character"),
        ('[[destination]]\nname "a"\n', "2: Expected '='"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    (complaint,) = complaints(tmp_path, text)
    assert complaint.startswith(expected)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = PACS + "prot = 1\n[[rule]]\n[[webhook]]\nurl = 3\n"
    assert [each.partition(":")[0] for each in complaints(tmp_path, text)] == ["6", "7", "8", "9"]


def test_secrets_come_from_files_of_their_own(tmp_path: Path) -> None:
    service = 'dicomweb = {url = "https://x/dicom-web", user = "me", password_file = "pw"}\n'
    text = f'[[destination]]\nname = "web"\n{service}'
    assert complaints(tmp_path, text)[0].startswith(f'3: destination "web", dicomweb.password_file: {tmp_path}/pw cannot be read')
    (tmp_path / "pw").write_text("\n")
    assert complaints(tmp_path, text)[0].endswith("/pw is empty")
    (tmp_path / "pw").write_text("geheim\n")
    (destination,) = read_destinations(written(tmp_path, text)).destinations
    assert destination.dicomweb is not None
    assert destination.dicomweb.password == "geheim"
    assert "geheim" not in repr(destination)
    both = text.replace("password_file", 'password = "x", password_file')
    assert "cannot be combined with password" in complaints(tmp_path, both)[0]


def test_no_complaint_quotes_a_secret(tmp_path: Path) -> None:
    text = '[[webhook]]\nname = "w"\nurl = "https://x"\nsecret = ["geheim"]\n' + PACS + 'dicomweb = {url = "u", password = 4711}\n'
    text += '[[webhook]]\nname = "v"\nurl = "https://me:geheim@x/y"\n'
    said = complaints(tmp_path, text)
    assert len(said) == 4
    assert not any(word in line for line in said for word in ("geheim", "4711"))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DestinationsInvalid, match=r"nowhere\.toml: cannot be read \(No such file"):
        read_destinations(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe4\n")
    with pytest.raises(DestinationsInvalid, match="is not UTF-8"):
        read_destinations(tmp_path / "latin.toml")


def test_lines_are_found_past_strings_comments_and_arrays() -> None:
    text = (
        "title = '''\n[[not]]\na = 1\n''' # [[nor]]\n"  # 1 to 4
        "\n[[a]]\n\"b.c\" = 1\nd.e = [\n  1, # ]\n  \"]\",\n]\nf = { g = 1 }\n"  # 5 to 12
        "[[a.h]]\n[[a.h]]\n  i = \"\"\"x\n\\\"\"\"y\"\"\"\"\n[[a]]\n[ a . j ]\nk = 0"  # 13 to 19
    )  # fmt: skip
    assert locate(text) == {
        ("title",): 1,
        ("a", 0): 6,
        ("a", 0, "b.c"): 7,
        ("a", 0, "d", "e"): 8,
        ("a", 0, "f"): 12,
        ("a", 0, "h", 0): 13,
        ("a", 0, "h", 1): 14,
        ("a", 0, "h", 1, "i"): 15,
        ("a", 1): 17,
        ("a", 1, "j"): 18,
        ("a", 1, "j", "k"): 19,
    }
    assert line_of(("a", 0, "f", "g"), locate(text)) == 12
    assert line_of(("z",), locate(text)) == 1


VALUES = (
    "1",
    '"x"',
    "'y'",
    "[1, 2]",
    "[\n 1, # ]\n 2\n]",
    '"""\n[[a]]\n"""',
    "'''\nb = 1\n'''",
    "{ c = 1, d = [2] }",
    '"\\"#["',
    "true # e = 2",
)
BETWEEN = ("", "\n", "# [[a]]\n", "\n# f = 'g\n\n")


@given(st.lists(st.tuples(st.sampled_from(BETWEEN), st.sampled_from(["[[t]]", "[[u.v]]", "key"]), st.sampled_from(VALUES)), max_size=12))
def test_lines_are_those_that_were_written(parts: list[tuple[str, str, str]]) -> None:
    text = ""
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    expected: dict[tuple[str | int, ...], int] = {}
    for number, (before, what, value) in enumerate(parts):
        text += before
        line = text.count("\n") + 1
        if what == "key":
            expected[(*table, f"k{number}")] = line
            text += f"k{number} = {value}\n"
            continue
        name = tuple(what.strip("[]").split("."))
        counts[name] = counts.get(name, -1) + 1
        table = (*name, counts[name])
        expected[table] = line
        text += f"{what}\n"
    tomllib.loads(text)
    assert locate(text) == expected


def test_the_settings_read_the_file_that_they_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, PACS + '[[rule]]\nto = ["pacs"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAMMOTRIAGE_DESTINATIONS_FILE", "destinations.toml")
    settings = Settings()
    assert [each.name for each in settings.destinations] == ["pacs"]
    assert settings.rules == (Rule(to=("pacs",)),)
    assert settings.destinations_file == tmp_path / "destinations.toml"


def test_a_child_process_is_given_the_file_and_no_password(tmp_path: Path) -> None:
    path = written(tmp_path, '[[webhook]]\nname = "w"\nurl = "https://x"\nsecret = "geheim"\n' + PACS)
    variables = as_environment(Settings(destinations_file=path, data_dir=tmp_path))
    assert variables["MAMMOTRIAGE_DESTINATIONS_FILE"] == str(path)
    assert not any("geheim" in value for value in variables.values())
    assert {"MAMMOTRIAGE_DESTINATIONS", "MAMMOTRIAGE_RULES", "MAMMOTRIAGE_WEBHOOKS"}.isdisjoint(variables)


def test_file_and_variable_are_not_mixed(tmp_path: Path) -> None:
    path = written(tmp_path, PACS)
    peer = Destination(name="other", ae_title="A", host="h", port=1)
    with pytest.raises(ValidationError, match="write everything into the file"):
        Settings(destinations_file=path, destinations=(peer,))


def test_an_empty_variable_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAMMOTRIAGE_DESTINATIONS_FILE", "")
    assert Settings().destinations_file is None
    assert Settings().destinations == ()
