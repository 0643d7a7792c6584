"""`mammotriage destinations check`: what a site learns of its peers before the first study."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.uid import ComprehensiveSRStorage, MammographyCADSRStorage, SecondaryCaptureImageStorage

from service.cli.checkup import FIND, GET, check_destination
from service.destinations import Destination
from tests.integration.cli.test_settings import run_cli
from tests.support.faulty_scp import Fault, FaultyScp, running_scp
from tests.support.orthanc import Orthanc
from tests.support.ports import free_port

US = "MAMMOTRIAGE"


def test_a_real_archive_answers_and_tells_what_it_takes(orthanc: Orthanc) -> None:
    api = {"kind": "orthanc", "url": orthanc.url}
    found = check_destination(orthanc.destination(archive=api, corrections={"mode": "archive-api"}, commitment=True), US)
    assert (found.answers, found.problems) == (True, [])
    assert found.takes[str(MammographyCADSRStorage)]
    assert found.takes[FIND]
    assert found.takes[GET]
    assert not any("left out" in remark for remark in found.remarks)
    wrong = check_destination(orthanc.destination(archive={"kind": "orthanc", "url": f"http://127.0.0.1:{free_port()}"}), US)
    assert not wrong.answers
    assert "no answer over HTTP" in wrong.problems[0]


def test_what_a_peer_does_not_take_is_foreseen(tmp_path: Path) -> None:
    taken = (str(ComprehensiveSRStorage), str(SecondaryCaptureImageStorage))
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.NO_SOP_CLASS, taken=taken)) as pacs:
        destination = pacs.destination(objects=("cad-sr", "sr", "sc", "gsps"), corrections={"rejection_note": True})
        found = check_destination(destination, US)
    assert found.answers
    assert found.remarks == [
        "does not take Mammography CAD SR Storage: cad-sr will be left out",
        "does not take Comprehensive 3D SR Storage: sr goes as Comprehensive SR Storage",
        "does not take Grayscale Softcopy Presentation State Storage: gsps will be left out",
        "does not take Digital Mammography X-Ray Image Storage - For Presentation: corrected will be left out",
        "does not take Key Object Selection Document Storage: kos will be left out",
        "offers no storage commitment",
    ]


def test_a_peer_that_is_away_or_called_by_a_wrong_name_is_a_problem(tmp_path: Path) -> None:
    away = check_destination(Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=free_port()), US)
    assert (away.answers, len(away.problems)) == (False, 1)
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.WRONG_AE)) as pacs:
        called = check_destination(pacs.destination(), US)
    assert not called.answers
    assert "AE title" in called.problems[0]


def test_the_command_checks_the_file_then_every_peer(tmp_path: Path) -> None:
    file = tmp_path / "destinations.toml"
    with running_scp(FaultyScp(tmp_path / "pacs", Fault.NONE)) as pacs:
        one = f'[[destination]]\nname = "pacs"\nae_title = "{pacs.ae_title}"\nhost = "127.0.0.1"\nport = {pacs.port}\n'
        file.write_text(one)
        well = run_cli("destinations", "check", MAMMOTRIAGE_DESTINATIONS_FILE=str(file))
        assert well.returncode == 0, well.stderr
        assert "destinations 1, rules 0, webhooks 0" in well.stderr
        assert "pacs: FAULTY at 127.0.0.1" in well.stdout
        assert "Mammography CAD SR Storage" in well.stdout
        file.write_text(one + f'[[destination]]\nname = "web"\ndicomweb = {{url = "http://127.0.0.1:{free_port()}", token = "geheim"}}\n')
        one_away = run_cli("destinations", "check", "--file", str(file), "--json")
        assert one_away.returncode == 1
        assert {each["name"]: each["answers"] for each in map(json.loads, one_away.stdout.splitlines())} == {"pacs": True, "web": False}
        assert run_cli("destinations", "check", "pacs", "--file", str(file)).returncode == 0
        assert "geheim" not in one_away.stdout + one_away.stderr
    file.write_text(one.replace("port", "prot"))
    wrong = run_cli("destinations", "check", "--file", str(file), "--offline")
    assert wrong.returncode == 2
    assert f"{file}:5: " in wrong.stderr


@pytest.mark.parametrize("status", [0, 1])
def test_health_of_the_file_needs_no_peer(tmp_path: Path, status: int) -> None:
    file = tmp_path / "destinations.toml"
    file.write_text('[[destination]]\nname = "pacs"\nae_title = "PACS"\nhost = "nowhere.example"\nport = 104\n')
    arguments = ("--offline",) if status == 0 else ()
    assert run_cli("destinations", "check", *arguments, MAMMOTRIAGE_DESTINATIONS_FILE=str(file)).returncode == status
