"""A report as a page: the same blocks as Markdown and as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Table:
    """Cells are text; the first column is aligned left."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A PNG beside the page."""

    file: str
    caption: str


Block = Heading | Paragraph | Table | Picture

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0;font-size:13px}td,th{border:1px solid #ccc;padding:.25rem .5rem;text-align:left}
th{background:#f3f3f3}img{max-width:100%;height:auto}figcaption{font-size:13px;color:#555}figure{margin:1rem 0}"""


def to_markdown(blocks: Sequence[Block]) -> str:
    """Pictures are links to the files beside the page."""
    parts = []
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"{'#' * level} {text}")
            case Paragraph(text):
                parts.append(text)
            case Table(columns, rows):
                lines = [_line(columns), "|" + "---|" * len(columns), *(_line(row) for row in rows)]
                parts.append("\n".join(lines))
            case Picture(file, caption):
                parts.append(f"![{caption}]({file})")
    return "\n\n".join(parts) + "\n"


def to_html(blocks: Sequence[Block], folder: Path, title: str) -> str:
    """One file: styles and pictures (read from `folder`) are inside."""
    parts = []
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"<h{level}>{html.escape(text)}</h{level}>")
            case Paragraph(text):
                parts.append(f"<p>{html.escape(text)}</p>")
            case Table(columns, rows):
                head = "".join(f"<th>{html.escape(cell)}</th>" for cell in columns)
                body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
                parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
            case Picture(file, caption):
                data = base64.b64encode((folder / file).read_bytes()).decode("ascii")
                image = f'<img alt="{html.escape(caption)}" src="data:image/png;base64,{data}">'
                parts.append(f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>")
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
