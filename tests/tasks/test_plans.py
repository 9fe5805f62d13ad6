"""The plan file: what is written comes back, and nobody else may read it."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from made_nights import night_plan

from reread.analytics.errors import SettingsInvalid
from reread.connectors.completeness import ClosingPolicy, ClosingRules
from reread.connectors.mammograms import ReadLimits
from reread.connectors.outbox import OutboxPolicy
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.reports.report_options import CadReportOptions, CodeProfile
from reread.connectors.results.authoring import DEFAULT_FORMATS
from reread.connectors.results.recipients import Recipient
from reread.tasks.plans import Folders, Route, load_plan


def rich_plan(data: Path):
    peers = (
        Peer("pacs", "PACS", "pacs.example.org", 104),
        Peer("archive", "ARCHIVE", "10.0.0.7", 11112, frozenset({PeerRole.DESTINATION}), commits=False),
    )
    return replace(
        night_plan(data, *peers),
        ledger_url="postgresql+psycopg://reread:secret@db/ledger",
        routes=(
            Route(
                "pacs",
                ("archive",),
                ("mammography-cad-sr",),
                special=(Recipient("archive", ("overlay",), CadReportOptions(CodeProfile.LEGACY, outlines=False)),),
            ),
        ),
        language="de",
        limits=ReadLimits(max_pixels=1234, max_file_bytes=99),
        outbox=OutboxPolicy(retry_interval_s=1.5, retry_duration_s=2.5),
        closing=ClosingPolicy(
            ClosingRules(0.25, 3.0), {"pacs": ClosingRules(expected_views=frozenset({"RCC", "LMLO"}))}
        ),
    )


def test_round_trip(tmp_path):
    plan = rich_plan(tmp_path / "data")
    assert load_plan(plan.save()) == plan


def test_only_the_owner_may_read_it(tmp_path):
    path = rich_plan(tmp_path).save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)  # an older file that was opened up
    rich_plan(tmp_path).save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_left_over_part_with_wide_rights_does_not_widen_the_plan(tmp_path):
    part = Folders(tmp_path).plan.with_suffix(".part")
    part.write_text("left by a crash")
    part.chmod(0o644)
    path = rich_plan(tmp_path).save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not part.exists()


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", b'{"folders": {"data": 1}}'])
def test_a_missing_or_broken_plan_says_what_writes_one(tmp_path, content):
    path = tmp_path / "night-plan.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsInvalid, match="reread night"):
        load_plan(path)


def test_everything_lies_in_the_data_folder(tmp_path):
    folders = Folders(tmp_path)
    places = [getattr(folders, name) for name in vars(Folders) if isinstance(vars(Folders)[name], property)]
    assert len(places) == len(set(places)) == 8
    assert all(place.parent == tmp_path for place in places)


def test_a_source_without_route_keeps_its_results_here(tmp_path):
    plan = rich_plan(tmp_path)
    assert plan.route_of("pacs").destinations == ("archive",)
    assert plan.route_of("unknown") == Route("unknown", (), tuple(map(str, DEFAULT_FORMATS)))
