"""Closing what is complete: evidence from the ledger, views from headers, verdicts from `completeness`.

Anybody may call it at any time, from several processes: a revision that got an image in between stays open,
one that another process closed is left alone. The receiver never waits for it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from reread.analytics.errors import InputError
from reread.connectors.careful_reading import read_careful_header
from reread.connectors.completeness import (
    Announcement,
    ArchiveCount,
    CaseEvidence,
    ClosingPolicy,
    ClosingRules,
    Verdict,
    decide,
    decide_cohort,
)
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_cases import CaseImage, OpenCase
from reread.connectors.ledger_records import StudyRevision
from reread.connectors.ledger_store import Clock, seconds, utc_now
from reread.connectors.mammogram_header import check_kind, geometry

LOG = logging.getLogger(__name__)

_CLOSED_AT_ONCE = 100
"""Studies in one transaction: arriving objects wait for it, some 60 ms."""

_VIEW_TAGS = [
    "SOPClassUID",
    "Modality",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "ViewCodeSequence",
    "ViewPosition",
    "BodyPartExamined",
    "PatientOrientation",
    "ImageLaterality",
    "Laterality",
    "AnatomicRegionSequence",
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
    "ImageComments",
    "PatientName",
    "PatientID",
]


class CaseCloser:
    """Closes studies and cohorts that are complete.

    Parameters
    ----------
    ledger
        Where the evidence is, and the verdict goes.
    policy
        The site's rules.
    spool
        Root of the spool, for the headers of images; None: the rule of expected views is not asked.
    clock
        Tells now; must be the ledger's.
    """

    def __init__(
        self, ledger: Ledger, policy: ClosingPolicy | None = None, spool: Path | None = None, clock: Clock = utc_now
    ) -> None:
        self._ledger = ledger
        self._policy = policy or ClosingPolicy()
        self._spool = spool
        self._clock = clock

    def close(self) -> tuple[StudyRevision, ...]:
        """Close every study and every cohort that is complete now."""
        cases = self._ledger.open_cases()
        closed = self._close_cases(cases)
        return closed + self._close_cohorts(cases)

    def close_study(self, study_instance_uid: str) -> tuple[StudyRevision, ...]:
        """Close the open revisions of one study that are complete now; announcements of a closed one are answered."""
        cases = self._ledger.open_cases(study_instance_uid)
        if not cases:
            self._ledger.settle_announcements(study_instance_uid)
        return self._close_cases(cases)

    def archive_reported(self, study_instance_uid: str, count: ArchiveCount) -> tuple[StudyRevision, ...]:
        """An archive said how much it has: close what that completes, or remember what is missing (R3.238)."""
        if count.is_short:
            self._ledger.book_archive_count(study_instance_uid, count.archive, count.stated)
        else:
            self._ledger.forget_archive_count(study_instance_uid, count.archive)
        return self._close_cases(self._ledger.open_cases(study_instance_uid), count=count)

    def import_ended(self, study_instance_uid: str, sentence: str) -> tuple[StudyRevision, ...]:
        """An import that held this study is over."""
        return self._close_cases(self._ledger.open_cases(study_instance_uid), imported=sentence)

    def _close_cases(
        self, cases: Sequence[OpenCase], *, count: ArchiveCount | None = None, imported: str = ""
    ) -> tuple[StudyRevision, ...]:
        now = seconds(self._clock())
        complete: list[tuple[OpenCase, Verdict]] = []
        for case in cases:
            rules = self._policy.of(case.sources)
            views, earlier = self._views(case, rules)
            others = tuple(item for item in case.archive_counts if count is None or item.archive != count.archive)
            evidence = CaseEvidence(
                case.last_arrival_at,
                case.announcements,
                others if count is None else (*others, count),
                views,
                earlier,
                case.cohort,
                imported,
                case.opened_at,
            )
            verdict = decide(evidence, rules, now)
            if verdict.complete:
                complete.append((case, verdict))
        closed: list[StudyRevision] = []
        for start in range(0, len(complete), _CLOSED_AT_ONCE):
            closed += self._ledger.close_cases(complete[start : start + _CLOSED_AT_ONCE])
        if closed:
            LOG.info("%d studies are complete", len(closed))
        return tuple(closed)

    def _close_cohorts(self, cases: Sequence[OpenCase]) -> tuple[StudyRevision, ...]:
        announced: defaultdict[int | None, list[Announcement]] = defaultdict(list)
        for case in cases:
            announced[case.cohort] += case.announcements
        now = seconds(self._clock())
        closed: list[StudyRevision] = []
        for cohort in self._ledger.open_cohorts():
            rules = self._policy.of([cohort.source])
            verdict = decide_cohort(cohort.last_arrival_at, announced[cohort.number], rules, now)
            if verdict.complete:
                closed += self._ledger.close_cohort(cohort, verdict)
                LOG.info("cohort %d is complete", cohort.number)
        return tuple(closed)

    def _views(self, case: OpenCase, rules: ClosingRules) -> tuple[frozenset[str], frozenset[str]]:
        """The views of the revision and those of the revisions before it; each header is read once."""
        if not rules.expected_views or self._spool is None or case.cohort is not None:
            return frozenset(), frozenset()
        images = self._ledger.case_images(case)
        seen: dict[int, str] = {}
        for image in images:
            if image.view is None and (view := self._view(image)) is not None:
                seen[image.number] = view
        self._ledger.book_views(seen)
        named = [(image.revision, image.view or seen.get(image.number, "")) for image in images]
        return (
            frozenset(view for _, view in named if view),
            frozenset(view for revision, view in named if view and revision < case.revision),
        )

    def _view(self, image: CaseImage) -> str | None:
        assert self._spool is not None
        try:
            return view_of_file(self._spool / image.path)
        except OSError:  # lost, or not there yet: looked at again
            return None


def view_of_file(path: Path) -> str:
    """Side and view of a mammogram that can be measured, as "RMLO", from its header alone; "" if it is none.

    Raises
    ------
    OSError
        The file cannot be opened.
    """
    with path.open("rb") as file, quiet_reading():
        try:
            dataset = read_careful_header(file, tags=_VIEW_TAGS, count_items=False)
            check_kind(dataset)
            found = geometry(dataset, 1)
        except InputError:
            return ""
        except Exception:  # a header that pydicom cannot read: it will be a named failure when it is measured
            return ""
    return f"{found.laterality.value}{found.view.value}"
