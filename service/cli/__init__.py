"""The command line. The only place that reads settings from the environment; everything below gets values."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from sqlalchemy.engine import make_url

from models.errors import ModelsError
from service.domain.errors import ServiceError
from service.settings import Settings

if TYPE_CHECKING:
    from service.offline import FileAnswer

app = typer.Typer(
    name="mammotriage",
    help="Labels 2D mammograms from their pixels, compares them with the DICOM header, and orders the worklist. No medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
WIDTH_WITHOUT_TERMINAL = 140
out = Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)
err = Console(stderr=True)

Item = TypeVar("Item")

EXIT_BAD_FILE, EXIT_CANNOT_RUN = 1, 2


def wait_for_signal() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set: parts stop by it instead of dying in the middle of something."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


@app.command()
def serve() -> None:
    """Run the whole stack in the foreground: embedded Redis (unless MAMMOTRIAGE_REDIS_URL is set), listener, API, worker, sweeper."""
    from service.bootstrap import Stack
    from service.logs import configure_logging

    settings = Settings()
    configure_logging(settings.log_json)
    stop = wait_for_signal()
    with Stack(settings) as stack:
        stack.wait_until_ready()
        out.print(f"[bold]mammotriage[/] {settings.ae_title} listens for C-STORE on {settings.dicom_host}:{settings.dicom_port}")
        out.print(f"API      {settings.public_api_url}/api/v1/studies   documentation {settings.public_api_url}/docs")
        out.print(f"ready?   {settings.public_api_url}/readyz   metrics {settings.public_api_url}/metrics")
        out.print(f"broker   {stack.settings.redis_url}   data {settings.data_dir}")
        for destination in settings.destinations:
            out.print(f"results go to {destination.name}: {destination.ae_title} at {destination.host}:{destination.port}")
        if not settings.destinations:
            out.print("results go nowhere: set MAMMOTRIAGE_DESTINATIONS to write them back")
        out.print("Ctrl-C stops it")
        stop.wait()
        out.print("stopping")


@app.command()
def listener() -> None:
    """Receive by C-STORE until stopped."""
    from service.jobs.queues import Publisher
    from service.logs import configure_logging
    from service.receive.accept import ReceiveContext
    from service.receive.listener import Listener
    from service.store.instances import InstanceStore
    from service.store.ledger import Ledger

    settings = Settings()
    configure_logging(settings.log_json)
    stop = wait_for_signal()
    publish = Publisher(settings.redis_url).analyse
    part = Listener(ReceiveContext(InstanceStore(settings.data_dir), Ledger(settings.ledger_url), settings, publish), settings)
    part.start()
    stop.wait()
    part.stop()


@app.command()
def api() -> None:
    """Answer HTTP until stopped."""
    import uvicorn

    from service.api.app import create_app
    from service.api.readiness import make_probe
    from service.jobs.queues import Publisher
    from service.logs import configure_logging
    from service.store.instances import InstanceStore
    from service.store.ledger import Ledger

    settings = Settings()
    configure_logging(settings.log_json)
    ledger, publish = Ledger(settings.ledger_url), Publisher(settings.redis_url).analyse
    application = create_app(settings, ledger, InstanceStore(settings.data_dir), publish, make_probe(settings, ledger))
    uvicorn.run(
        application, host=settings.http_host, port=settings.http_port, log_config=None, access_log=False, timeout_graceful_shutdown=10
    )


@app.command()
def worker() -> None:
    """Analyse, conclude and deliver what the queues name, until stopped."""
    from service.jobs.worker import run_worker
    from service.logs import configure_logging

    settings = Settings()
    configure_logging(settings.log_json)
    run_worker(settings)


@app.command()
def sweeper() -> None:
    """Put back on the queues what the ledger holds as unfinished, until stopped."""
    from service.jobs.context import open_context
    from service.jobs.sweeper import run_sweeper
    from service.logs import configure_logging

    settings = Settings()
    configure_logging(settings.log_json)
    run_sweeper(open_context(settings), wait_for_signal())


@app.command()
def migrate() -> None:
    """Bring the ledger's database to this version's schema; does nothing where it already is."""
    from service.store.migrate import migrate as bring_up

    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    bring_up(settings.ledger_url)


@app.command()
def health(part: Annotated[str, typer.Argument(help="listener, api, worker or sweeper")]) -> None:
    """Ask one part of the stack whether it works (exit status 0) or not (1): for container health checks."""
    from service.api.readiness import NotReady, check_part

    try:
        check_part(part, Settings())
    except NotReady as error:
        err.print(str(error), markup=False)
        raise typer.Exit(1) from None


@app.command()
def label(
    paths: Annotated[list[Path], typer.Argument(help="files and folders: DICOM, PNG, JPEG", metavar="PATH...")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line on standard output")] = False,
    film: Annotated[bool | None, typer.Option("--film/--no-film", help="analyse digitised film too [default: MAMMOTRIAGE_FILM]")] = None,
) -> None:
    """Label files without any server. A file that fails gets its line, and exit status 1 at the end."""
    from service.analyse.runner import Analyser
    from service.logs import configure_logging
    from service.offline import find_images, label_file

    settings = Settings()
    configure_logging(as_json=False, level=logging.ERROR)  # what pydicom warns of may quote the data
    analyser = Analyser(settings.zoo_dir, settings.provider, settings.allow_cpu_fallback, max_pixels=settings.max_pixels)
    files = list(find_images(paths))
    answers: list[FileAnswer] = []
    failed = 0
    for path in _with_progress(files, "labelling"):
        answer = label_file(path, analyser, settings.film if film is None else film)
        failed += answer.status == "failed"
        if as_json:
            sys.stdout.write(answer.model_dump_json() + "\n")
            sys.stdout.flush()
        else:
            answers.append(answer)
    if not as_json:
        out.print(_label_table(answers))
    if failed:
        raise typer.Exit(EXIT_BAD_FILE)


@app.command()
def send(
    folder: Annotated[Path, typer.Argument(exists=True, help="folder (or file) of DICOM images")],
    host: Annotated[str | None, typer.Option(help="[default: MAMMOTRIAGE_DICOM_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="[default: MAMMOTRIAGE_DICOM_PORT]")] = None,
    ae_title: Annotated[str | None, typer.Option(help="AE title to call [default: MAMMOTRIAGE_AE_TITLE]")] = None,
    calling: Annotated[str, typer.Option(help="AE title to call with")] = "MAMMOSEND",
) -> None:
    """C-STORE a folder of DICOM files to the configured listener."""
    from service.logs import configure_logging
    from service.sender import Peer, find_dicom, send_files

    settings = Settings()
    configure_logging(as_json=False, level=logging.CRITICAL)  # each failure is said below, in one line
    here = "127.0.0.1" if settings.dicom_host == "0.0.0.0" else settings.dicom_host
    peer = Peer(host or here, port or settings.dicom_port, ae_title or settings.ae_title, calling)
    files = find_dicom(folder)
    refused = 0
    for sent in _with_progress(send_files(files, peer), "sending", len(files)):
        if sent.error:
            refused += 1
            err.print(f"{sent.path}: {sent.error}", highlight=False, markup=False)
    out.print(f"{len(files) - refused} of {len(files)} files stored by {peer.ae_title} at {peer.host}:{peer.port}")
    if refused or not files:
        raise typer.Exit(EXIT_BAD_FILE)


@app.command()
def models() -> None:
    """The models in the zoo, each file proved by its sha256."""
    from models.registry import Registry

    settings = Settings()
    registry = Registry(settings.zoo_dir) if settings.zoo_dir else Registry()
    table = Table("model", "version", "task", "input", "recipe", "calibration", "sha256", "licence")
    for manifest in registry.manifests():
        registry.load(manifest.name, manifest.version)
        table.add_row(
            manifest.name,
            manifest.version,
            manifest.task,
            f"{manifest.rows}x{manifest.columns}",
            manifest.recipe,
            manifest.calibration.kind,
            manifest.sha256[:12],
            manifest.licence,
        )
    out.print(table)


@app.command("settings")
def show_settings() -> None:
    """Every setting: its variable, its value now, what it is for. Passwords in addresses are not shown."""
    settings = Settings()
    table = Table(Column("variable", no_wrap=True), "value", "set", "what it is for")
    for name, value in settings.model_dump(mode="json").items():
        shown = make_url(value).render_as_string() if name in {"database_url", "redis_url"} and value else str(value)
        is_set = "yes" if name in settings.model_fields_set else ""
        table.add_row(f"MAMMOTRIAGE_{name.upper()}", "" if value is None else shown, is_set, Settings.model_fields[name].description)
    out.print(table)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave the stack serving at the end, until Ctrl-C")] = False,
    folder: Annotated[Path, typer.Option("--output", help="where results are written; emptied first")] = Path("demo-output"),
) -> None:
    """Send two real four-view cases through the whole stack on loopback and show what comes back."""
    from service.demo import run_demo
    from service.logs import configure_logging

    configure_logging(as_json=False, level=logging.WARNING)
    run_demo(folder, (lambda: wait_for_signal().wait()) if keep else None, out)


def _with_progress(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Go through items with a bar on standard error, where that is a terminal."""
    if not err.is_terminal:
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        yield from progress.track(items, total=total, description=what)


def _label_table(answers: Iterable[FileAnswer]) -> Table:
    table = Table("file", "status", "declared", "pixels", "density", "score", "note")
    for answer in answers:
        pixels = f"{answer.laterality.value}-{answer.view.value}" if answer.view and answer.laterality else ""
        against = ", ".join(f"{each.label}: {each.declared} declared, {each.pixels} seen" for each in answer.disagreements)
        table.add_row(
            answer.path,
            answer.status,
            f"{answer.declared.laterality}-{answer.declared.view}",
            pixels,
            answer.density.value if answer.density else "",
            f"{answer.cancer.score:.3f}" if answer.cancer else "",
            answer.reason.text if answer.reason else against,
        )
    return table


def main() -> None:
    """Run a command. What the caller can mend is said in one line, not in a traceback."""
    try:
        app()
    except ValidationError as error:
        for each in error.errors():
            err.print(f"MAMMOTRIAGE_{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}", markup=False)
        sys.exit(EXIT_CANNOT_RUN)
    except (ServiceError, ModelsError) as error:
        err.print(f"{error.code}: {error}", markup=False)
        sys.exit(EXIT_CANNOT_RUN)
