"""A conformance statement as a reader has it: the printed Markdown, taken apart again."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CAPTION = re.compile(r"Table (\d+): (.*)")


@dataclass(frozen=True)
class PrintedTable:
    """One table, cells as they are read."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, head: str) -> list[str]:
        return [row[self.heads.index(head)] for row in self.rows]

    def where(self, **wanted: str) -> list[dict[str, str]]:
        rows = [dict(zip(self.heads, row, strict=True)) for row in self.rows]
        return [row for row in rows if all(row[head] == value for head, value in wanted.items())]


@dataclass(frozen=True)
class PrintedContext:
    """One row of a table of presentation contexts, with what its list names."""

    abstract_syntax: str
    our_role: str
    negotiation: str
    syntaxes: tuple[str, ...]
    """empty: not accepted from this caller"""


class Printed:
    """A whole statement."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tables = tuple(_tables(text))

    def table(self, caption: str) -> PrintedTable:
        """The table of that caption, else the one whose caption begins so."""
        exact = [table for table in self.tables if table.caption == caption]
        (found,) = exact or [table for table in self.tables if table.caption.startswith(caption)]
        return found

    def statuses(self, service: str) -> frozenset[int]:
        (found,) = [
            t for t in self.tables if t.caption.startswith("statuses of") and t.caption.endswith(f": {service}")
        ]
        return frozenset(int(code, 16) for code in found.column("status"))

    def contexts(self, ae_title: str) -> list[PrintedContext]:
        """What a caller may propose, by the word of every table of presentation contexts."""
        found = []
        for table in self.tables:
            if not table.caption.startswith("presentation contexts that are accepted"):
                continue
            for row in table.where():
                syntaxes = self._syntaxes(row["transfer syntaxes"], ae_title)
                found.append(PrintedContext(row["UID"], row["our role"], row["extended negotiation"], syntaxes))
        return found

    def _syntaxes(self, name: str, ae_title: str) -> tuple[str, ...]:
        if name.startswith("C"):
            (row,) = self.table("lists that depend on the calling peer").where(
                **{"choice": name, "calling AE title": ae_title}
            )
            name = row["list"]
        if name == "not accepted":
            return ()
        rows = self.table("lists of transfer syntaxes").where(list=name)
        assert [row["order"] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
        return tuple(row["UID"] for row in rows)


def _tables(text: str) -> list[PrintedTable]:
    found = []
    for block, below in zip(text.split("\n\n"), text.split("\n\n")[1:], strict=False):
        caption = _CAPTION.fullmatch(block.strip())
        if caption is not None:
            heads, _, *rows = (_cells(line) for line in below.strip().splitlines())
            found.append(PrintedTable(_read(caption[2]), heads, tuple(rows)))
    return found


def _cells(line: str) -> tuple[str, ...]:
    return tuple(_read(cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1])


def _read(text: str) -> str:
    return re.sub(r"\\([\\`*|<])", r"\1", text)
