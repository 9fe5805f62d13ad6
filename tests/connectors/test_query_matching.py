"""Matching of query keys, PS3.4 C.2.2.2; rows R3.128 to R3.155, R4.152, R4.153, R4.160 to R4.203."""

from __future__ import annotations

import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reread.connectors import query_matching
from reread.connectors.query_keys import KEYS, LEVELS, UNIQUE, Level, Matching, Root, is_answered
from reread.connectors.query_matching import (
    Query,
    code_matches,
    date_span,
    fold,
    fold_name,
    is_universal,
    is_valid,
    literal_prefix,
    matches,
    time_span,
)

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
DAYS = st.dates().map(lambda day: day.strftime("%Y%m%d").zfill(8))
TIMES = st.times().map(lambda time: time.strftime("%H%M%S.%f"))


@pytest.mark.parametrize(
    ("matching", "asked", "stored", "expected"),
    [
        (Matching.TEXT, "P1", "p1", True),  # R3.154
        (Matching.TEXT, "P1", "P12", False),
        (Matching.TEXT, "P*", "p12", True),
        (Matching.TEXT, "*2", "p12", True),
        (Matching.TEXT, "P?", "P1", True),
        (Matching.TEXT, "P?", "P12", False),
        (Matching.TEXT, "P?", "P", False),
        (Matching.TEXT, "[P]1", "P1", False),
        (Matching.TEXT, "A.1", "AB1", False),
        (Matching.TEXT, "", "anything", True),
        (Matching.TEXT, "*", "", True),
        (Matching.TEXT, "?*", "", False),
        (Matching.TEXT, "MG", "CR\\MG", True),
        (Matching.TEXT, "CT\\MG", "MG", True),
        (Matching.TEXT, "M*", "CT\\PT", False),
        (Matching.NAME, "doe^john", "Doe^John", True),
        (Matching.NAME, "DOE JOHN", "Doe^John^^^", True),  # R4.153
        (Matching.NAME, "Doe, John", "Doe^John", True),
        (Matching.NAME, "Doe", "Doe^John", False),
        (Matching.NAME, "Doe*", "Doering^John", True),
        (Matching.NAME, "Doe^*", "Doering^John", False),
        (Matching.NAME, "Doe^*", "Doe^John", True),
        (Matching.NAME, "Doe^*", "Doe", True),
        (Matching.NAME, "*^John", "Doe^John", True),
        (Matching.NAME, "Doe^*^Q*", "Doe^John^Quincy", True),
        (Matching.NAME, "Doe^J?hn", "Doe^John", True),
        (Matching.NAME, "muller*", "Müller^Anna", True),
        (Matching.NAME, "山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        (Matching.NAME, "=山田^太郎", "Yamada^Tarou=山田^太郎", True),
        (Matching.NAME, "Yamada*=鈴木*", "Yamada^Tarou=山田^太郎", False),
        (Matching.NAME, "が*", "か^1", False),  # an accent mark of another script is a letter
        (Matching.NUMBER, "3", "03", True),
        (Matching.NUMBER, "3", "13", False),
        (Matching.NUMBER, "1*", "13", True),
        (Matching.UID, "1.2\\1.3", "1.3", True),
        (Matching.UID, "1.2", "1.20", False),
        (Matching.UID, "1.2\0", "1.2", True),
        (Matching.DATE, "20260105", "20260105", True),
        (Matching.DATE, "2026.01.05", "20260105", True),
        (Matching.DATE, "20260101-20260131", "20260131", True),
        (Matching.DATE, "20260101-", "20251231", False),
        (Matching.DATE, "-20251231", "20251231", True),
        (Matching.DATE, "-20251231", "", False),
        (Matching.DATE, "-20251231", "yesterday", False),
        (Matching.TIME, "0815", "081559.999", True),
        (Matching.TIME, "0815", "081600", False),
        (Matching.TIME, "08-09", "095959", True),
        (Matching.TIME, "08:15:00", "081500", True),
        (Matching.TIME, "2300-0100", "003000", True),
        (Matching.TIME, "2300-0100", "120000", False),
        (Matching.TIME, "0000-235959", "", False),
        (Matching.TIME, "*", "", True),
    ],
)
def test_values(matching, asked, stored, expected):
    assert matches(matching, asked, stored) is expected


@pytest.mark.parametrize(
    ("matching", "asked"),
    [
        (Matching.DATE, "2026"),
        (Matching.DATE, "20260101-2026"),
        (Matching.DATE, "-"),
        (Matching.TIME, "25"),
        (Matching.TIME, "8"),
        (Matching.TIME, "0860"),
        (Matching.UID, "1.2.*"),
        (Matching.UID, "1.2.3.x"),
    ],
)
def test_what_cannot_be_understood(matching, asked):
    assert not is_valid(matching, asked)


def test_codes():
    stored = [
        {"CodeValue": "A1", "CodingSchemeDesignator": "99X"},
        {"CodeValue": "B2", "CodingSchemeDesignator": "SRT"},
    ]
    assert code_matches({"CodeValue": "a1"}, stored)
    assert code_matches({"CodeValue": "?2", "CodingSchemeDesignator": "SRT"}, stored)
    assert not code_matches({"CodeValue": "A1", "CodingSchemeDesignator": "SRT"}, stored), "never across items"
    assert code_matches({"CodeValue": ""}, []) and not code_matches({"CodeValue": "A1"}, [])


def test_a_query_needs_all_of_its_keys():
    query = Query(Root.STUDY, Level.STUDY, {"PatientID": "p*", "StudyDate": "2026010?"}, {"CodeValue": "C"})
    values = {"PatientID": "P1", "StudyDate": "20260101"}
    assert not query.is_answered_by(values, [{"CodeValue": "C"}]), "a date has no wildcards"
    query = Query(Root.STUDY, Level.STUDY, {"PatientID": "p*", "StudyDate": ""}, {"CodeValue": "C"})
    assert query.is_answered_by(values, [{"CodeValue": "C"}]) and not query.is_answered_by(values, [])


@given(st.text(st.characters(categories=("L", "N")), max_size=12))
def test_every_text_matches_itself_and_its_prefixes(plain):
    assert matches(Matching.TEXT, plain, plain) and matches(Matching.TEXT, plain.swapcase(), plain.swapcase().upper())
    assert matches(Matching.TEXT, f"{plain}*", plain) and matches(Matching.TEXT, f"*{plain}*", f"x{plain}y")
    assert matches(Matching.NAME, plain, plain)


@given(TEXTS, TEXTS)
def test_a_match_begins_with_the_literal_prefix(asked, stored):
    if not is_universal(asked) and "\\" not in asked + stored and matches(Matching.TEXT, asked, stored):
        assert fold(stored).startswith(literal_prefix(asked))


@given(TEXTS, TEXTS)
def test_a_name_that_matches_holds_the_literal_parts(asked, stored):
    if not is_universal(asked) and "\\" not in asked + stored and matches(Matching.NAME, asked, stored):
        literal = max(re.split(r"[*? =]", "=".join(fold_name(asked))), key=len)
        assert literal in "=".join(fold_name(stored))


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from(Matching))
def test_nothing_raises(asked, stored, matching):
    if matching is not Matching.SEQUENCE:
        assert matches(matching, asked, stored) in (True, False)
        assert is_valid(matching, asked) in (True, False)


@given(DAYS, DAYS, DAYS)
def test_date_ranges(first, last, day):
    assert matches(Matching.DATE, f"{first}-{last}", day) is (first <= day <= last)
    assert matches(Matching.DATE, f"{first}-", day) is (first <= day)
    assert matches(Matching.DATE, f"-{last}", day) is (day <= last)
    assert date_span(f"{first}-{last}") == query_matching.Span(first, last)


@given(TIMES, TIMES, TIMES)
def test_time_ranges(first, last, time):
    inside = first <= time <= last if first <= last else time >= first or time <= last
    assert matches(Matching.TIME, f"{first}-{last}", time) is inside


@given(TIMES, st.integers(1, 6))
def test_a_shorter_time_means_its_interval(time, length):
    short = time.replace(".", "")[: 2 * ((length + 1) // 2)]
    assert matches(Matching.TIME, short, time) and time_span(short) is not None


def test_examples_in_docstrings():
    assert doctest.testmod(query_matching).failed == 0


def test_the_table_of_keys():
    assert len({key.tag for key in KEYS.values()}) == len(KEYS)
    assert Root.STUDY.levels == (Level.STUDY, Level.SERIES, Level.IMAGE) and Root.PATIENT.levels == LEVELS
    assert is_answered(KEYS["PatientName"], Level.IMAGE) and not is_answered(KEYS["Modality"], Level.STUDY)
    assert all(KEYS[keyword].level is level for level, keyword in UNIQUE.items())
    # every key of the rows R3.128 to R3.152 and R4.160 to R4.203
    rows = "0020000D 00100020 00100010 00100030 00100040 00200010 00081030 00080061 00080020 00080030 00080050 00080090"
    rows += " 00081032 00201206 00201208 0020000E 00080060 0008103E 00200011 00201209 00080018 00200013 00080016"
    rows += " 00080021 00080031 00080008 00540400 00280010 00280011 00280008"
    assert {int(tag, 16) for tag in rows.split()} <= {key.tag for key in KEYS.values()}
