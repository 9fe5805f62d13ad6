"""`reread case`: the page of one case, and its pictures, without a PACS."""

from __future__ import annotations

from pathlib import Path

from reread.connectors.results.case_page import case_page, write_case_page, write_case_pictures
from reread.connectors.results.case_page_facts import case_facts, tables_at
from reread.connectors.results.page_language import words


def case(
    key: str,
    *,
    out: Path,
    data: Path | None = None,
    png: Path | None = None,
    language: str = "en",
    settings: Path | None = None,
) -> int:
    """Write one HTML page of a case: views with marks, density, findings, history, quality; no network needed.

    Parameters
    ----------
    key
        Study Instance UID, or a pseudonym for the newest study of a woman.
    out
        The page.
    data
        Folder that `reread measure` wrote, or a data folder; default: that of the settings.
    png
        Folder that also gets every view as PNG, without and with marks.
    language
        Of the page: en, de, fr, es, it, nl, pt, sv, ja or zh.
    settings
        TOML file; default: $REREAD_SETTINGS, else site.toml if it is there.
    """
    import sys

    said = words(language)
    folder = data or _data_folder(settings)
    facts = case_facts(tables_at(folder), key)
    pictures = folder / "pictures"
    write_case_page(case_page(facts, pictures, said), out)
    written = [out, *(write_case_pictures(facts, pictures, png) if png else ())]
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0


def _data_folder(settings: Path | None) -> Path:
    from reread.deployments.settings import load_settings

    return load_settings(settings).data
