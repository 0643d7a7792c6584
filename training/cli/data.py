"""Commands on data: index, split, cached crops, synthetic mammograms."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from training.cli.entry import app
from training.cli.options import DATA, Chosen, Data, takes_run
from training.stages.options import read_shape


@app.command("index")
def show_index(names: Annotated[list[str] | None, typer.Argument(help="reader[:folder]; all that are there by default")] = None,
               data: Data = DATA) -> None:  # fmt: skip
    """Count what the readers find, and list what they skipped.

    [dim]python -m training index cbis-ddsm:/archive/CBIS-DDSM[/]
    """
    from training.data.index import READERS, locate, summarise

    table = Table("data set", "images", "patients", "views", "sides", "density", "pathology", "lesions")
    for name in names or READERS:
        try:
            reader, folder = locate(data, name)
        except FileNotFoundError:
            if names:
                raise
            continue
        index = reader(folder)
        counts = [
            " ".join(f"{k or '-'}:{v}" for k, v in sorted(Counter(getattr(row, key) or "" for row in index.rows).items()))
            for key in ("view", "laterality", "density", "pathology")
        ]
        lesions = sum(len(row.rois) for row in index.rows)
        table.add_row(name, str(len(index.rows)), str(len({row.patient for row in index.rows})), *counts, str(lesions))
        for line in summarise(index.skipped):
            Console(stderr=True).print(f"{name}: {line}", style="yellow", markup=False, highlight=False)
    if not table.row_count:
        raise ValueError(f"no data set below {data}: name its folder with --data, or a set as reader:folder")
    (Console() if sys.stdout.isatty() else Console(width=160)).print(table)


@app.command("split")
def make_split(
    out: Annotated[Path, typer.Argument(help="CSV file to write; folds get -1 to -5 behind the name")],
    data: Data = DATA,
    datasets: Annotated[str, typer.Option(help="reader[:folder], several with commas")] = "rsna-bcd-640,mini-mias",
    rule: Annotated[str, typer.Option(help="70/10/20, 80/10/10, 85/15, 5:1:1, k-fold, ...")] = "72/8/20",
    seed: int = 20261121,
) -> None:
    """Assign the patients (never images) to train, validation and test, the same share of machines and cancers to each.

    [dim]python -m training split splits/own.csv --datasets table:/archive --rule 70/10/20[/]
    """
    from training.data.index import read_index
    from training.data.splits import k_folds, split_patients, write_split
    from training.stages.parts import FOLD_RULE, FOLDS

    rows = read_index(data, datasets.split(","))
    if rule == FOLD_RULE:
        for number, fold in enumerate(k_folds(rows, FOLDS, seed), start=1):
            write_split(out.with_name(f"{out.stem}-{number}{out.suffix}"), fold)
        return
    split = split_patients(rows, seed, rule)
    write_split(out, split)
    Console().print(", ".join(f"{count} patients {part}" for part, count in Counter(split.values()).items()))


@app.command("cache")
@takes_run("split", "fold", "shape")
def build_crops(chosen: Chosen) -> None:
    """Decode and cut an experiment's samples once, as `train` would do; a killed build continues where it stopped."""
    crops = chosen.new_run().gather().crops
    Console().print(f"{crops.shape[0]} samples of {'x'.join(map(str, crops.shape[1:]))}")


@app.command("synthetic")
def make_synthetic(
    out: Annotated[Path, typer.Argument(help="folder to write; reader `synthetic` reads it")],
    patients: Annotated[int, typer.Option(min=1, help="four pictures each")] = 60,
    seed: int = 0,
    size: Annotated[str, typer.Option(help="ROWSxCOLUMNS")] = "640x512",
    dicom: Annotated[bool, typer.Option("--dicom", help="DICOM as a hospital sends it, instead of PNG")] = False,
    layout: Annotated[
        Literal["synthetic", "cbis-ddsm"], typer.Option(help="cbis-ddsm: films, crops, masks and tables as TCIA hands them out")
    ] = "synthetic",
) -> None:
    """Draw synthetic mammograms with known labels and lesions, to try everything without any data.

    [dim]python -m training synthetic DATA/synthetic --patients 60[/]

    [dim]python -m training synthetic DATA/cbis-ddsm --layout cbis-ddsm[/]
    """
    from training.data.synthetic import write_synthetic
    from training.data.synthetic_cbis import write_synthetic_cbis

    rows, columns = read_shape(size)
    if layout == "cbis-ddsm":
        write_synthetic_cbis(out, patients, seed, (rows, columns))
    else:
        write_synthetic(out, patients, seed, (rows, columns), dicom)
