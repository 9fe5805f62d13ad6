"""`reread check`: are these files what the standard asks for?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

from cyclopts import Parameter

if TYPE_CHECKING:
    from reread.connectors.reports.object_checking import CheckedFile
    from reread.connectors.reports.violations import Violation

BROKEN, UNREADABLE = 1, 2


def check(*files: Path, as_json: Annotated[bool, Parameter(name="--json")] = False, strict: bool = False) -> int:
    """Check structured reports, presentation states and secondary captures against the standard.

    Exit code 1: something is against the standard. 2: a file cannot be read.

    Parameters
    ----------
    files
        Files and folders. Images among them are not checked: they tell the size and header that a report refers to.
    as_json
        One JSON document instead of lines.
    strict
        Notices count as violations too.
    """
    from reread.connectors.reports.object_checking import check_files

    missing = [path for path in files if not path.exists()]
    found = list(check_files(path for path in files if path.exists()))
    if not files:
        sys.stderr.write("reread: no file or folder given\n")
        return UNREADABLE
    if as_json:
        document = {"files": [_record(item) for item in found], "missing": [str(path) for path in missing]}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        for item in found:
            _print(item, sys.stdout)
        for path in missing:
            sys.stdout.write(f"{path}: no such file or folder\n")
    if missing or any(item.error for item in found):
        return UNREADABLE
    return BROKEN if any(item.violations or (strict and item.notices) for item in found) else 0


def _print(item: CheckedFile, out: TextIO) -> None:
    if item.error:
        out.write(f"{item.path}: cannot be read: {item.error}\n")
    elif item.kind in ("image", "other"):
        out.write(f"{item.path}: {item.kind}, not checked\n")
    elif not item.violations and not item.notices:
        out.write(f"{item.path}: {item.kind}, ok\n")
    else:
        counted = f"{len(item.violations)} violations" if len(item.violations) != 1 else "1 violation"
        out.write(f"{item.path}: {item.kind}, {counted}\n")
        for word, found in (("", item.violations), ("notice ", item.notices)):
            for violation in found:
                out.write(f"  {word}{violation.rule}  {_place(violation)}\n      {violation.detail}\n")


def _place(violation: Violation) -> str:
    return f"{'.'.join(map(str, violation.path))}  {violation.where}".strip()


def _record(item: CheckedFile) -> dict[str, object]:
    return {
        "file": str(item.path),
        "kind": item.kind,
        "error": item.error or None,
        "violations": [_said(violation) for violation in item.violations],
        "notices": [_said(violation) for violation in item.notices],
    }


def _said(violation: Violation) -> dict[str, str]:
    return {
        "rule": violation.rule,
        "path": ".".join(map(str, violation.path)),
        "where": violation.where,
        "detail": violation.detail,
    }
