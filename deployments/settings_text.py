"""The settings as text: an example with every field, and what is in force."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reread.deployments.settings import PeerGroup, Role, RouteGroup, Settings

_LISTS: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
    "peers": (
        PeerGroup,
        {
            "name": "pacs",
            "ae_title": "PACS",
            "host": "pacs.example.org",
            "port": 104,
            "roles": [Role.SOURCE.value, Role.DESTINATION.value],
        },
    ),
    "routes": (RouteGroup, {"source": "pacs", "destinations": ["pacs"]}),
}
# between user and host, or as a parameter behind the question mark
_PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*(?=@)|((?:[?&]|^)(?:ssl)?(?:password|passwd|pwd)=)[^&]*", re.IGNORECASE)


def example_text() -> str:
    """A TOML file with every field, its default and its meaning; `site.example.toml` is this text."""
    lines = [
        "# Reread settings. Copy to site.toml, keep what you change, delete the rest: defaults apply.",
        "# Every field can be set in the environment too: REREAD_LISTENER__PORT=11113",
        "",
    ]
    groups: list[tuple[str, type[BaseModel], str]] = []
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            groups.append((name, kind, field.description or ""))
        elif name not in _LISTS:
            lines += _field(name, field, field.default)
    for name, group, meaning in groups:
        lines += [f"# {meaning}", f"[{name}]"]
        for inner, field in group.model_fields.items():
            lines += _field(inner, field, field.default)
    for name, (group, sample) in _LISTS.items():
        lines += [f"# {Settings.model_fields[name].description} Repeat the block for each.", f"[[{name}]]"]
        nested: list[str] = []
        for inner, field in group.model_fields.items():
            if isinstance(field.default, BaseModel):
                nested += [f"# {field.description}", f"[{name}.{inner}]"]
                for deeper, below in type(field.default).model_fields.items():
                    nested += _field(deeper, below, below.default)
            else:
                lines += _field(inner, field, sample.get(inner, field.default))
        lines += nested  # TOML: the tables of an entry come after its values
    return "\n".join(lines).rstrip() + "\n"


def resolved_text(settings: Settings) -> str:
    """The settings in force as TOML; a password in a URL is masked."""
    lines, groups = [], []
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            groups.append((f"[{name}]", value))
        elif name in _LISTS:
            groups += [(f"[[{name}]]", item) for item in value]
        else:
            lines.append(f"{name} = {literal(value)}")
    for title, group in groups:
        values = {name: getattr(group, name) for name in type(group).model_fields}
        lines += ["", title]
        lines += [f"{name} = {literal(value)}" for name, value in values.items() if not isinstance(value, BaseModel)]
        for name, inner in values.items():
            if isinstance(inner, BaseModel):
                lines += ["", f"[{title.strip('[]')}.{name}]"]
                lines += [f"{key} = {literal(getattr(inner, key))}" for key in type(inner).model_fields]
    return "\n".join(lines)


def _field(name: str, field: FieldInfo, value: Any) -> list[str]:
    meaning = " ".join((field.description or "").split())
    return [*(f"# {line}" for line in wrap(meaning, 100)), f"{name} = {literal(value)}", ""]


def literal(value: Any) -> str:
    """A TOML value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Enum):
        return literal(value.value)
    if isinstance(value, frozenset):
        return literal(sorted(value))
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, str | Path):
        text = _PASSWORD.sub(r"\1\2***", str(value))
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    raise TypeError(f"no TOML for {type(value).__name__}")
