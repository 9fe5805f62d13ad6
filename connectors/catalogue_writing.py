"""Writing into the catalogue, inside one transaction; statements are built once, because there are millions of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, exists, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from reread.connectors.catalogue_header import Header
from reread.connectors.catalogue_search import fold_names
from reread.connectors.catalogue_tables import INSTANCES, SERIES, STUDIES
from reread.connectors.ledger_holdings import Holding
from reread.connectors.query_keys import KEYS, Level
from reread.connectors.query_matching import fold

_OF_STUDY, _OF_SERIES, _OF_IMAGE = (
    tuple(key.keyword for key in KEYS.values() if key.level in levels and not key.computed)
    for levels in ((Level.PATIENT, Level.STUDY), (Level.SERIES,), (Level.IMAGE,))
)
_SERIES_OF_OBJECT = select(INSTANCES.c.series).where(INSTANCES.c.SOPInstanceUID == bindparam("uid"))
_REMOVE_OBJECT = delete(INSTANCES).where(INSTANCES.c.SOPInstanceUID == bindparam("uid"))
_REMOVE_NUMBER = (
    delete(INSTANCES)
    .where(INSTANCES.c.feed == bindparam("from_feed"), INSTANCES.c.number == bindparam("numbered"))
    .returning(INSTANCES.c.series)
)
_REMOVE_SERIES = (
    delete(SERIES)
    .where(SERIES.c.id == bindparam("series"), ~exists().where(INSTANCES.c.series == bindparam("series")))
    .returning(SERIES.c.study)
)
_REMOVE_STUDY = delete(STUDIES).where(
    STUDIES.c.id == bindparam("study"), ~exists().where(SERIES.c.study == bindparam("study"))
)
_ADD_OBJECT = insert(INSTANCES)


def _merging(table: Table, *key: str) -> Any:
    """Insert a row, or fill what is empty in the one that is there; gives its id."""
    names = [column.name for column in table.columns if column.name != "id"]
    statement = upsert(table).values({name: bindparam(name) for name in names})
    filled = {
        name: func.coalesce(func.nullif(table.c[name], ""), statement.excluded[name])
        for name in names
        if name not in key
    }
    return statement.on_conflict_do_update(index_elements=list(key), set_=filled).returning(table.c.id)


_MERGE_STUDY = _merging(STUDIES, "StudyInstanceUID", "patient_key")
_MERGE_SERIES = _merging(SERIES, "study", "SeriesInstanceUID")


class CatalogueWriter:
    """Adds and removes objects of one feed; lives as long as its transaction."""

    def __init__(self, connection: Connection, feed: str) -> None:
        self._connection = connection
        self._feed = feed
        # rows that were written in this transaction: most objects have the study and series of the one before
        self._rows: dict[tuple[str, ...], tuple[int, dict[str, str]]] = {}

    def add(self, holding: Holding, header: Header) -> None:
        """One object; it takes the place of another one under its UID. Empty values above it are filled from it."""
        values = header.values
        self._replace(values["SOPInstanceUID"])
        study = {name: values[name] for name in _OF_STUDY}
        study["patient_key"] = values["PatientID"] or f"study {values['StudyInstanceUID']}"
        study["folded_patient_id"] = fold(values["PatientID"])
        study["folded_patient_name"] = fold_names(values["PatientName"])
        study["folded_accession_number"] = fold(values["AccessionNumber"])
        study_id = self._merge(_MERGE_STUDY, ("study", study["StudyInstanceUID"], study["patient_key"]), study)
        series = {name: values[name] for name in _OF_SERIES} | {"study": str(study_id)}
        series_id = self._merge(_MERGE_SERIES, ("series", series["study"], series["SeriesInstanceUID"]), series)
        self._connection.execute(
            _ADD_OBJECT,
            {
                "series": series_id,
                "feed": self._feed,
                "number": holding.number,
                "path": holding.path,
                "transfer_syntax_uid": header.transfer_syntax_uid,
                **{name: values[name] for name in _OF_IMAGE},
            },
        )

    def remove(self, numbers: Iterable[int]) -> None:
        """Objects with these numbers, and series and studies that have none left."""
        for number in numbers:
            found = self._connection.execute(_REMOVE_NUMBER, {"from_feed": self._feed, "numbered": number})
            self._prune(found.scalars().all())

    def remove_all(self) -> None:
        """Everything of this feed."""
        numbers = select(INSTANCES.c.number).where(INSTANCES.c.feed == self._feed)
        self.remove(self._connection.execute(numbers).scalars().all())

    def _replace(self, sop_instance_uid: str) -> None:
        series = self._connection.execute(_SERIES_OF_OBJECT, {"uid": sop_instance_uid}).scalars().all()
        if series:
            self._connection.execute(_REMOVE_OBJECT, {"uid": sop_instance_uid})
            self._prune(series)

    def _prune(self, series: Iterable[int]) -> None:
        self._rows.clear()
        for number in series:
            study = self._connection.execute(_REMOVE_SERIES, {"series": number}).scalar()
            if study is not None:
                self._connection.execute(_REMOVE_STUDY, {"study": study})

    def _merge(self, statement: Any, key: tuple[str, ...], values: Mapping[str, str]) -> int:
        known = self._rows.get(key)
        if known is not None and not any(value and not known[1][name] for name, value in values.items()):
            return known[0]
        number = int(self._connection.execute(statement, dict(values)).scalar_one())
        before = known[1] if known is not None else values
        self._rows[key] = (number, {name: before[name] or value for name, value in values.items()})
        return number
