"""What stands on the page of a case, asked of the tables in SQL; pseudonyms only, no patient data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from reread.analytics.errors import RereadError
from reread.analytics.schema import TABLES
from reread.connectors.results.forms import EarlierDensity
from reread.connectors.warehouse import VIEWS, Answer, QueryFailed, Warehouse, view_sql

_HUNG = "CASE view WHEN 'CC' THEN 1 WHEN 'MLO' THEN 2 ELSE 3 END, view, laterality DESC"
"""R CC, L CC, R MLO, L MLO, others"""

Row = Mapping[str, Any]
Query = Callable[[str], Answer]


class CaseNotFound(RereadError):
    """No study with this UID and no woman with this pseudonym is in the tables."""


@dataclass(frozen=True, slots=True, eq=False)
class CaseFacts:
    """The newest result of one study; rows are keyed by the columns of the tables."""

    study: Row
    images: tuple[Row, ...]
    """R CC, L CC, R MLO, L MLO, then others; what was not measured last"""
    density: Mapping[str, Row]
    """SOP Instance UID → row"""
    quality: Mapping[str, Row]
    findings: tuple[Row, ...]
    """at an operating point: by view, then falling score"""
    history: tuple[Row, ...]
    """the newest result of every study of the woman by this algorithm, oldest first; this one among them"""


def tables_at(folder: Path) -> Query:
    """Ask the tables of a folder: what ``reread measure`` wrote, or the warehouse of a site.

    Raises
    ------
    CaseNotFound
        The folder has neither.
    """
    if (folder / "studies.parquet").is_file():
        return lambda sql: _ask_flat(folder, sql)
    for warehouse in (folder / "warehouse", folder):
        if Warehouse(warehouse).catalogue_path.is_file():
            return Warehouse(warehouse).query
    raise CaseNotFound(f"no tables in {folder}: name the --out of `reread measure`, or the data folder of a site")


def _ask_flat(folder: Path, sql: str) -> Answer:
    with closing(duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})) as connection:
        try:
            for name in TABLES:
                place = str(folder.resolve() / f"{name}.parquet").replace("'", "''")
                connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{place}')")
            for name in VIEWS:
                connection.execute(f"CREATE VIEW {name} AS {view_sql(name)}")
            cursor = connection.execute(sql)
            return Answer(tuple(column[0] for column in cursor.description or ()), tuple(cursor.fetchall()))
        except duckdb.Error as error:
            raise QueryFailed(str(error)) from error


def case_facts(query: Query, key: str) -> CaseFacts:
    """Gather the facts of one case.

    Parameters
    ----------
    key
        Study Instance UID, or the pseudonym of a woman for her newest study.

    Raises
    ------
    CaseNotFound
        Nothing has this key.
    """
    if not re.fullmatch(r"[0-9A-Za-z._-]{1,64}", key):
        raise CaseNotFound("that is neither a Study Instance UID nor a pseudonym")
    found = _rows(
        query,
        f"""SELECT * FROM current_studies WHERE study_instance_uid = '{key}' OR woman = '{key}'
        ORDER BY study_date DESC NULLS LAST, recorded_at DESC, study_instance_uid LIMIT 1""",
    )
    if not found:
        raise CaseNotFound(f"no study and no woman {key} in the tables; `reread sql` lists what is there")
    (study,) = found
    this = " AND ".join(
        f"{name} = '{study[name]}'" for name in ("study_instance_uid", "study_revision", "algorithm", "run_id")
    )
    images = _rows(
        query,
        f"""SELECT * FROM images WHERE {this}
        ORDER BY status <> 'measured', {_HUNG}, sop_class_uid, source""",
    )
    return CaseFacts(
        study=study,
        images=images,
        density={row["sop_instance_uid"]: row for row in _rows(query, f"SELECT * FROM density WHERE {this}")},
        quality={row["sop_instance_uid"]: row for row in _rows(query, f"SELECT * FROM quality WHERE {this}")},
        findings=_rows(
            query,
            f"""SELECT * FROM findings WHERE {this} AND operating_point IS NOT NULL
            ORDER BY {_HUNG}, sop_instance_uid,
            score DESC, kind, finding_index""",
        ),
        history=_rows(
            query,
            f"""SELECT * FROM current_studies WHERE woman = '{study["woman"]}' AND algorithm = '{study["algorithm"]}'
            AND percent_density IS NOT NULL ORDER BY study_date NULLS FIRST, study_instance_uid""",
        ),
    )


def earlier_densities(query: Query, woman: str, before: date, algorithm: str) -> tuple[EarlierDensity, ...]:
    """What is known of a woman's examinations before a day, oldest first: the history on her density page."""
    rows = _rows(
        query,
        f"""SELECT * FROM current_studies WHERE woman = '{_plain(woman)}' AND algorithm = '{_plain(algorithm)}'
        AND percent_density IS NOT NULL AND study_date < DATE '{before.isoformat()}'
        ORDER BY study_date, study_instance_uid""",
    )
    return tuple(earlier_density(row) for row in rows)


def earlier_density(row: Row) -> EarlierDensity:
    """From a row of ``current_studies`` that has a date and a density."""
    return EarlierDensity(
        study_date=row["study_date"].strftime("%Y%m%d"),
        percent_density=row["percent_density"],
        category=row["category"] or "",
        right=row["percent_density_right"],
        left=row["percent_density_left"],
        volumetric_percent=row["volumetric_percent"],
        version=f"{row['algorithm']} {row['version']}",
    )


def _plain(text: str) -> str:
    return text.replace("'", "''")


def _rows(query: Query, sql: str) -> tuple[Row, ...]:
    answer = query(sql)
    return tuple(dict(zip(answer.columns, row, strict=True)) for row in answer.rows)
