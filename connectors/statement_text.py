"""A document of sections, paragraphs, lists and tables, written as Markdown or as HTML.

Texts are plain: no markup. Sections and tables are numbered when they are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of short sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """Text that stands as it is, in letters of one width."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ValueError if a row has another length than its head."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.heads):
                raise ValueError(f"table {self.caption!r}: {len(row)} cells under {len(self.heads)} heads: {row}")


class Section:
    """A title and what is below it: paragraphs (texts), lists, figures, tables and further sections."""

    def __init__(self, title: str, *parts: str | Bullets | Figure | Table | Section) -> None:
        self.title = title
        self.parts = parts


@dataclass(frozen=True, slots=True)
class Placed:
    """One piece of the document in reading order, with its numbers."""

    kind: str
    """heading, paragraph, bullets, figure or table"""
    text: str = ""
    number: str = ""
    level: int = 0
    """of a heading; 1 is the title of the document"""
    items: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def place(title: str, parts: tuple[str | Bullets | Figure | Table | Section, ...]) -> tuple[Placed, ...]:
    """Everything in reading order, numbered."""
    tables = iter(range(1, 1_000_000))

    def below(inner: tuple[str | Bullets | Figure | Table | Section, ...], number: str, level: int) -> Iterator[Placed]:
        section = 0
        for part in inner:
            if isinstance(part, Section):
                section += 1
                own = f"{number}{section}"
                yield Placed("heading", part.title, own, level)
                yield from below(part.parts, f"{own}.", level + 1)
            elif isinstance(part, Table):
                yield Placed("table", part.caption, str(next(tables)), heads=part.heads, rows=part.rows)
            elif isinstance(part, Bullets):
                yield Placed("bullets", items=part.items)
            elif isinstance(part, Figure):
                yield Placed("figure", part.text)
            else:
                yield Placed("paragraph", part)

    return Placed("heading", title, "", 1), *below(parts, "", 2)


def as_markdown(pieces: tuple[Placed, ...]) -> str:
    """The document as Markdown with tables (GitHub's dialect)."""
    blocks = []
    for piece in pieces:
        if piece.kind == "heading":
            blocks.append(
                f"{'#' * min(piece.level, 6)} {f'{piece.number} ' if piece.number else ''}{_plain(piece.text)}"
            )
        elif piece.kind == "paragraph":
            blocks.append(_plain(piece.text))
        elif piece.kind == "bullets":
            blocks.append("\n".join(f"* {_plain(item)}" for item in piece.items))
        elif piece.kind == "figure":
            blocks.append(f"```text\n{piece.text}\n```")
        else:
            rows = (piece.heads, ("---",) * len(piece.heads), *piece.rows)
            lines = ["| " + " | ".join(map(_plain, row)) + " |" for row in rows]
            blocks.append(f"Table {piece.number}: {_plain(piece.text)}\n\n" + "\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def as_html(pieces: tuple[Placed, ...]) -> str:
    """The document as one HTML file that needs nothing else."""
    environment = Environment(
        loader=PackageLoader("reread.connectors", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("statement.html").render(pieces=pieces)


def _plain(text: str) -> str:
    text = " ".join(text.split())
    for sign in ("\\", "`", "*", "|", "<"):
        text = text.replace(sign, "\\" + sign)
    return text
