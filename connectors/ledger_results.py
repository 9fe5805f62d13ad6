"""The part of the ledger that knows what was written of each study, so that a new report names the one it replaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import and_, insert, select

from reread.connectors.ledger_store import LedgerStore
from reread.connectors.ledger_tables import RESULTS, STUDIES, WRITTEN

_R, _S, _W = RESULTS.c, STUDIES.c, WRITTEN.c
_STUDIES_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class WrittenResult:
    """One object that we wrote."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    revision: int
    algorithm: str
    form: str
    key: str
    """tells it from the other objects of its form in the study"""
    variant: str
    """of the options that it was written with"""
    path: str
    """relative to the data folder"""


class ResultBook(LedgerStore):
    """One row for each object that we wrote; in the order of their first writing."""

    def note_written(self, results: Sequence[WrittenResult]) -> None:
        """Note objects, all in one transaction; those that were noted before stay as they are."""
        if not results:
            return
        with self._write() as connection:
            for item in results:
                uid = item.sop_instance_uid
                if connection.execute(select(_R.number).where(_R.sop_instance_uid == uid)).first() is None:
                    connection.execute(
                        insert(RESULTS).values(sop_instance_uid=uid, path=item.path, written_at=self._now())
                    )
                if connection.execute(select(_W.revision).where(_W.sop_instance_uid == uid)).first() is None:
                    values = {name: value for name, value in asdict(item).items() if name != "path"}
                    connection.execute(insert(WRITTEN).values(**values))

    def written_of(self, study_instance_uids: Sequence[str]) -> Mapping[tuple[str, str], tuple[WrittenResult, ...]]:
        """By study and woman what was written, oldest first."""
        found: defaultdict[tuple[str, str], list[WrittenResult]] = defaultdict(list)
        joined = (
            select(WRITTEN, _R.path, _S.woman)
            .join(RESULTS, _R.sop_instance_uid == _W.sop_instance_uid)
            .join(STUDIES, and_(_S.study_instance_uid == _W.study_instance_uid, _S.revision == _W.revision))
            .order_by(_R.number)
        )
        with self._read() as connection:
            uids = list(dict.fromkeys(study_instance_uids))
            for start in range(0, len(uids), _STUDIES_PER_QUERY):
                these = _W.study_instance_uid.in_(uids[start : start + _STUDIES_PER_QUERY])
                for row in connection.execute(joined.where(these)).mappings():
                    values = {name: row[name] for name in WrittenResult.__slots__}
                    found[row["study_instance_uid"], row["woman"]].append(WrittenResult(**values))
        return {key: tuple(items) for key, items in found.items()}
