"""Commands that work on files: label them without a server, or send them to one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from service.cli.console import EXIT_BAD_FILE, err, out, with_progress
from service.file_names import print_name
from service.settings import Settings

if TYPE_CHECKING:
    from service.label_files import FileAnswer


def label(
    paths: Annotated[list[Path], typer.Argument(help="files and folders: DICOM, PNG, JPEG", metavar="PATH...")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line on standard output")] = False,
    film: Annotated[
        bool | None, typer.Option("--film/--no-film", help="analyse digitised film too [default: MAMMOTRIAGE_ANALYSE_FILM]")
    ] = None,
) -> None:
    """Label files without any server. Each file gets a line; if one fails, the exit status is 1."""
    from service.analyse.runner import Analyser
    from service.label_files import find_images, label_file
    from service.logs import configure_logging

    settings = Settings()
    configure_logging(as_json=False, level=logging.ERROR)  # warnings of pydicom may quote patient data
    analyser = Analyser(settings.model_dir, settings.provider, settings.allow_cpu_fallback, max_pixels=settings.max_pixels)
    files = list(find_images(paths))
    answers: list[FileAnswer] = []
    failed = 0
    for path in with_progress(files, "labelling"):
        answer = label_file(path, analyser, settings.analyse_film if film is None else film)
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


def send(
    folder: Annotated[Path, typer.Argument(exists=True, help="folder (or file) of DICOM images")],
    host: Annotated[str | None, typer.Option(help="[default: MAMMOTRIAGE_DICOM_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="[default: MAMMOTRIAGE_DICOM_PORT]")] = None,
    ae_title: Annotated[str | None, typer.Option(help="AE title to call [default: MAMMOTRIAGE_AE_TITLE]")] = None,
    calling: Annotated[str, typer.Option(help="AE title to call with")] = "MAMMOSEND",
) -> None:
    """C-STORE a folder of DICOM files to the configured listener. Each file that was not stored is named; then the exit status is 1."""
    from service.file_names import list_files
    from service.logs import configure_logging
    from service.storage_scu import Peer, send_files

    settings = Settings()
    configure_logging(as_json=False, level=logging.CRITICAL)  # each failure is printed below, in one line
    here = "127.0.0.1" if settings.dicom_host == "0.0.0.0" else settings.dicom_host
    peer = Peer(host or here, port or settings.dicom_port, ae_title or settings.ae_title, calling)
    files = [folder] if folder.is_file() else list_files(folder)
    refused = 0
    for sent in with_progress(send_files(files, peer), "sending", len(files)):
        if sent.error:
            refused += 1
            err.print(f"{print_name(sent.path)}: {sent.error}", highlight=False, markup=False, soft_wrap=True)
    out.print(f"{len(files) - refused} of {len(files)} files stored by {peer.ae_title} at {peer.host}:{peer.port}")
    if refused or not files:
        raise typer.Exit(EXIT_BAD_FILE)


def _label_table(answers: Iterable[FileAnswer]) -> Table:
    table = Table(Column("file", overflow="fold"), "status", "declared", "pixels", "density", "score", "note")
    for answer in answers:
        pixels = f"{answer.laterality.value}-{answer.view.value}" if answer.view and answer.laterality else ""
        against = ", ".join(f"{each.label}: {each.declared} declared, {each.pixels} seen" for each in answer.disagreements)
        table.add_row(
            Text(print_name(Path(answer.path))),
            answer.status,
            f"{answer.declared.laterality}-{answer.declared.view}",
            pixels,
            answer.density.value if answer.density else "",
            f"{answer.cancer.score:.3f}" if answer.cancer else "",
            answer.reason.text if answer.reason else against,
        )
    return table
