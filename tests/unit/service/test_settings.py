from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.domain.findings import ObjectKind
from service.settings import Settings


@pytest.fixture(autouse=True)
def _only_ours(clean_environment: pytest.MonkeyPatch) -> None:
    """No setting of this machine reaches these tests."""


def test_destinations_come_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = {"name": "pacs", "ae_title": "ORTHANC", "host": "orthanc", "port": 4242, "objects": ["sr"]}
    monkeypatch.setenv("MAMMOTRIAGE_DESTINATIONS", json.dumps([peer, {**peer, "name": "other", "objects": ["gsps", "sc"]}]))
    first, second = Settings().destinations
    assert (first.name, first.port, first.objects) == ("pacs", 4242, (ObjectKind.REPORT,))
    assert second.objects == (ObjectKind.MARKS, ObjectKind.HEATMAP)


def test_the_ledger_is_a_file_of_the_data_folder_unless_told_otherwise(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).ledger_url == f"sqlite:///{tmp_path}/ledger.sqlite"
    assert Settings(database_url="postgresql://db/x").ledger_url == "postgresql://db/x"


def test_the_data_folder_does_not_move_with_the_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings(data_dir=Path("data")).data_dir == tmp_path / "data"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"destinations": [{"name": "a", "ae_title": "A", "host": "h", "port": 1}] * 2}, "same name"),
        ({"destinations": [{"name": "a", "ae_title": "A" * 17, "host": "h", "port": 1}]}, "ae_title"),
        ({"rules": [{"to": ["nobody"]}]}, "no destination is named 'nobody'"),
        ({"reconcile_hour": 24}, "reconcile_hour"),
        ({"tls_cert": "c.pem"}, "belong together"),
        ({"tls_ca": "ca.pem"}, "needs tls_cert"),
        ({"provider": "quantum"}, "provider"),
        ({"ae_title": ""}, "ae_title"),
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Settings.model_validate(values)
