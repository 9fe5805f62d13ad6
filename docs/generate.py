"""The reference pages, made from the code: `python -m docs.generate`, or with `--check` to see whether one is stale.

Nothing in `docs/reference/` is written by hand. `tests/test_reference.py` runs the check.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import resources
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, get_args, get_origin
from unittest import mock

import pyarrow as pa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reread.analytics.measurement import MammographyAnalysis, Parameters
from reread.analytics.reasons import Reason
from reread.analytics.schema import TABLES
from reread.analytics.schema_reports import REPORT_TABLES
from reread.analytics.simulation_tables import TRUTH_TABLES
from reread.connectors.warehouse import REPORT_VIEWS, VIEWS, Warehouse
from reread.deployments.cli import app
from reread.deployments.model_settings import InputGroup, ModelGroup, OutputGroup
from reread.deployments.settings import PeerGroup, RouteGroup, Settings, load_settings
from reread.deployments.statements import conformance_text

FOLDER = Path(__file__).parent / "reference"
EXAMPLE = Path(__file__).parents[1] / "deployments" / "site.example.toml"
_HEAD = "<!-- made by `python -m docs.generate`; edit the code, not this page -->\n\n"
_LISTS: dict[str, type[BaseModel]] = {"peers": PeerGroup, "routes": RouteGroup}


def settings_page() -> str:
    """Every field of the settings."""
    lines = [
        "# Settings",
        "",
        "One TOML file and the environment. The environment wins over the file, the file over the defaults.",
        "The file is the one given by `--settings`, else the one named by `REREAD_SETTINGS`, else `site.toml` in the",
        "current folder if it is there. `reread config example` prints a file with every field; `reread config check`",
        "prints what is in force. An unknown field is an error.",
        "",
        "## Top level",
        "",
    ]
    single: list[tuple[str, FieldInfo]] = []
    groups: list[tuple[str, type[BaseModel], bool]] = []
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if name in _LISTS:
            groups.append((name, _LISTS[name], True))
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            groups.append((name, kind, False))
        else:
            single.append((name, field))
    lines += _settings_table(single, "REREAD_")
    for name, group, repeated in groups:
        lines += ["", f"## `[[{name}]]`" if repeated else f"## `[{name}]`", "", inspect.getdoc(group) or "", ""]
        if repeated:
            variable = f"REREAD_{name.upper()}"
            lines += [f"A block for each. In the environment the whole list is one JSON value, `{variable}`.", ""]
        lines += _settings_table(list(group.model_fields.items()), "" if repeated else f"REREAD_{name.upper()}__")
    lines += ["", "## The file of a model", "", "Each file in `models`: [Own model](../how-to/own-model.md)."]
    fields = [item for item in ModelGroup.model_fields.items() if item[0] not in ("input", "output")]
    lines += ["", *_settings_table(fields, "")]
    for title, part in (("input", InputGroup), ("output", OutputGroup)):
        lines += ["", f"### `[{title}]`", "", inspect.getdoc(part) or "", ""]
        lines += _settings_table(list(part.model_fields.items()), "")
    return _page(lines)


def _settings_table(members: Sequence[tuple[str, FieldInfo]], prefix: str) -> list[str]:
    heads = ["field", "type", "default", "meaning", *(["environment"] if prefix else [])]
    rows = []
    for name, field in members:
        default = "required" if field.is_required() else f"`{_value(field.default)}`"
        row = [f"`{name}`", f"{_kind(field.annotation)}{_bounds(field)}", default, field.description or ""]
        rows.append([*row, f"`{prefix}{name.upper()}`"] if prefix else row)
    return _table(heads, rows)


def _kind(annotation: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0])
    if origin in (tuple, frozenset):
        return f"list of {_kind(inner[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    words = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path"}
    return words.get(annotation, str(annotation))


def _bounds(field: FieldInfo) -> str:
    signs = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
    found = [f"{sign} {getattr(rule, name)}" for name, sign in signs for rule in field.metadata if hasattr(rule, name)]
    return f", {', '.join(found)}" if found else ""


def _value(value: Any) -> str:
    if isinstance(value, Enum):
        return _value(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | frozenset):
        parts = sorted(value) if isinstance(value, frozenset) else value
        return "[" + ", ".join(_value(part) for part in parts) + "]"
    return f'"{value}"' if isinstance(value, str | Path) else repr(value)


def tables_page() -> str:
    """Every table and view of the warehouse."""
    lines = [
        "# Tables and views",
        "",
        "The warehouse is a folder of Parquet files, `DATA/warehouse`, and `catalogue.duckdb`, which holds a view for",
        "each table and the views below. How to ask it: [Ask with SQL](../how-to/ask-with-sql.md).",
        "",
        "## Tables",
        "",
        "One row per finding, image, image and study; every row names algorithm, version, parameters and run.",
        "A reread adds rows and never changes one. The tables `reported_…` hold what structured reports of other",
        "products say: [Compare with another CAD](../how-to/compare-with-another-cad.md).",
    ]
    meanings: dict[str, str] = {}
    for name, schema in {**TABLES, **REPORT_TABLES}.items():
        lines += ["", f"### `{name}`", ""]
        rows = []
        for column in schema:
            unit, meaning = (column.metadata[key].decode() for key in (b"unit", b"meaning"))
            meanings.setdefault(column.name, f"{meaning} ({unit})" if unit else meaning)
            rows.append([f"`{column.name}`", _arrow(column.type), unit, meaning, "yes" if column.nullable else "no"])
        lines += _table(["column", "type", "unit", "meaning", "may be null"], rows)
    lines += ["", "## Views", "", "Meanings are given where the column comes from a table unchanged."]
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder))
        warehouse.prepare()
        for name in (*VIEWS, *REPORT_VIEWS):
            comment, sql = _view_text(name)
            lines += ["", f"### `{name}`", "", comment, ""]
            answer = warehouse.query(f"DESCRIBE {name}")
            rows = [[f"`{row[0]}`", str(row[1]), meanings.get(str(row[0]), "")] for row in answer.rows]
            lines += [*_table(["column", "type", "meaning"], rows), "", "```sql", sql, "```"]
    return _page(lines)


def simulation_page() -> str:
    """The truth tables of `reread simulate`."""
    lines = [
        "# Truth of simulations",
        "",
        "`reread simulate` writes `truth/` with these tables, each as Parquet and as CSV (lists as JSON).",
        "How to use them: [Simulate](../how-to/simulate.md).",
    ]
    for name, schema in TRUTH_TABLES.items():
        rows = [
            [
                f"`{column.name}`",
                _arrow(column.type),
                *(column.metadata[key].decode() for key in (b"unit", b"meaning")),
                "yes" if column.nullable else "no",
            ]
            for column in schema
        ]
        lines += ["", f"## `{name}`", "", *_table(["column", "type", "unit", "meaning", "may be null"], rows)]
    return _page(lines)


def _view_text(name: str) -> tuple[str, str]:
    text = resources.files("reread.analytics").joinpath(f"views/{name}.sql").read_text("utf-8").strip()
    lines = text.splitlines()
    comment = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    return " ".join(comment), "\n".join(line for line in lines if not line.startswith("--"))


def _arrow(kind: pa.DataType) -> str:
    return f"list of {kind.value_type}" if pa.types.is_list(kind) else str(kind)


def cli_page() -> str:
    """Every command, from the command line's own help."""
    # the program's name in usage lines follows sys.argv[0], which is ours and not the command line's
    with mock.patch.object(sys, "argv", ["reread"]):
        text = app.generate_docs(output_format="markdown", usage_name="reread")
    kept = text.split("## Table of Contents", 1)
    if len(kept) == 2:  # Markdown viewers make their own
        text = kept[0] + kept[1][kept[1].index("**Commands**") :]
    lines = [line.rstrip() for line in text.splitlines()]
    return _page(["# Command line", *lines[1:], "", *_EXITS])


_EXITS = (
    "## Exit codes",
    "",
    "| code | meaning |",
    "| --- | --- |",
    "| 0 | done |",
    "| 1 | done, but something failed: a study, a source, a delivery, a check of `doctor` |",
    "| 2 | nothing done: an argument, the settings, a path, a query or a store cannot be used; stderr says which |",
)


def reasons_page() -> str:
    """Every named reason."""
    lines = [
        "# Reasons",
        "",
        "Why an object was not measured. The word stands in the ledger, in the column `reason` of the table `images`",
        "and in the view `problems`; the sentence is what a person reads. The list is closed.",
        "",
    ]
    return _page([*lines, *_table(["word", "meaning"], [[f"`{item.value}`", item.sentence] for item in Reason])])


def parameters_page() -> str:
    """Every parameter of the built-in analysis."""
    analysis = MammographyAnalysis()
    lines = [
        "# Parameters",
        "",
        f"The parameters of the built-in analysis, `{analysis.name}` {analysis.version}, with their default values.",
        f"Parameters digest of these defaults: `{analysis.parameters_digest}`, as in the column `parameters_digest`.",
        "Lengths carry their unit in the name; levels are fractions of the full pixel range.",
        "How they were chosen: [Accuracy](../accuracy.md).",
    ]
    defaults = Parameters()
    alone = [item for item in fields(defaults) if not is_dataclass(getattr(defaults, item.name))]
    meanings = _attribute_docstrings(Parameters)
    rows = [[f"`{item.name}`", f"`{getattr(defaults, item.name)}`", meanings.get(item.name, "")] for item in alone]
    lines += ["", *_table(["parameter", "value", "meaning"], rows)]
    for group in fields(defaults):
        if group not in alone:
            lines += _parameter_group(group.name, getattr(defaults, group.name))
    return _page(lines)


def _parameter_group(name: str, part: Any) -> list[str]:
    """One group of parameters, then the groups in it."""
    meanings = _attribute_docstrings(type(part))
    inner = [item.name for item in fields(part) if is_dataclass(getattr(part, item.name))]
    rows = [
        [f"`{item.name}`", f"`{getattr(part, item.name)}`", meanings.get(item.name, "")]
        for item in fields(part)
        if item.name not in inner
    ]
    lines = ["", f"## `{name}`", "", inspect.getdoc(type(part)) or "", ""]
    lines += _table(["parameter", "value", "meaning"], rows)
    for below in inner:
        lines += _parameter_group(f"{name}.{below}", getattr(part, below))
    return lines


def conformance_page() -> str:
    """The conformance statement of the example settings."""
    return _HEAD + conformance_text(load_settings(EXAMPLE))


def _attribute_docstrings(kind: type) -> dict[str, str]:
    """The string under each field; Python itself does not keep it."""
    (definition,) = ast.parse(dedent(inspect.getsource(kind))).body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(f"{kind.__name__} is no class")
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            found[field.target.id] = " ".join(str(ast.literal_eval(below.value)).split())
    return found


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"

    return [line(heads), line(["---"] * len(heads)), *(line(row) for row in rows)]


def _page(lines: Sequence[str]) -> str:
    return _HEAD + "\n".join(lines).rstrip() + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "tables.md": tables_page,
    "cli.md": cli_page,
    "reasons.md": reasons_page,
    "parameters.md": parameters_page,
    "simulation.md": simulation_page,
    "conformance.md": conformance_page,
}


def stale_pages(folder: Path = FOLDER) -> list[str]:
    """Names of the pages that are missing or differ from what the code says now."""
    return [
        name
        for name, make in PAGES.items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != make()
    ]


def write_pages(folder: Path = FOLDER) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), "utf-8")


def main() -> int:
    """0: written or up to date; 1: a page is stale."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description="Make the reference pages.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pages lie")
    options = parser.parse_args()
    if not options.check:
        write_pages(options.folder)
        return 0
    stale = stale_pages(options.folder)
    for name in stale:
        sys.stderr.write(f"docs/reference/{name} is stale: run `python -m docs.generate`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
