"""Whether a stored value answers a query key (PS3.4 C.2.2.2). Pure.

Values are text as it stands in the data set: several values are separated by a backslash, an empty text
means that there is none. Case does not matter anywhere (R3.154); of names, accents and the delimiters of
components neither (R4.153). Dates and times are matched each for itself, because no extended negotiation
takes place (R3.98): a query for 4 May to 6 May and 8 to 9 o'clock finds what was made between 8 and 9 on each
of the three days.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from reread.connectors.query_keys import KEYS, Level, Matching, Root

_DATE = re.compile(r"\d{8}")
_TIME = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?")
_ACCENTS = re.compile("[\u0300-\u036f]")
_DELIMITERS = re.compile(r"[\s^,]+")
_MICROSECONDS = 1_000_000
_DAY = 24 * 3600 * _MICROSECONDS


@dataclass(frozen=True, slots=True)
class Span:
    """From first to last, both included; None is open. Dates YYYYMMDD, times microseconds of the day."""

    first: str | int | None
    last: str | int | None


@dataclass(frozen=True, slots=True)
class Query:
    """What a C-FIND, C-MOVE or C-GET identifier asks for, all of it supported here."""

    root: Root
    level: Level
    keys: Mapping[str, str]
    """keyword to value, empty where anything will do; sequences are not among them"""
    codes: Mapping[str, str] | None = None
    """keys inside the item of Procedure Code Sequence; None if that was not asked for"""

    def is_answered_by(self, values: Mapping[str, str], codes: Sequence[Mapping[str, str]] = ()) -> bool:
        """Whether an entity with these values, by keyword, is what is looked for."""
        if self.codes is not None and not code_matches(self.codes, codes):
            return False
        return all(
            matches(KEYS[keyword].matching, asked, values.get(keyword, "")) for keyword, asked in self.keys.items()
        )


def is_universal(asked: str) -> bool:
    """Whether a key asks for everything: empty, or nothing but asterisks (PS3.4 C.2.2.2.3)."""
    return not asked.strip("* ")


def matches(matching: Matching, asked: str, stored: str) -> bool:
    """Whether one stored value answers one key; for sequences see `code_matches`.

    A key that is no date, time or range where it should be matches nothing: see `is_valid`.
    """
    if is_universal(asked):
        return True
    if matching is Matching.DATE:
        return _date_matches(asked, stored)
    if matching is Matching.TIME:
        return _time_matches(asked, stored)
    choices, values = asked.split("\\"), stored.split("\\")
    if matching is Matching.UID:
        return not {choice.strip(" \0") for choice in choices}.isdisjoint(value.strip(" \0") for value in values)
    one = {Matching.NAME: _name_matches, Matching.NUMBER: _number_matches}.get(matching, _text_matches)
    # several values of a text are not foreseen by the standard; any of them will do, as most archives have it
    return any(one(choice, value) for choice in choices for value in values)


def is_valid(matching: Matching, asked: str) -> bool:
    """Whether a key can be understood at all."""
    if is_universal(asked):
        return True
    if matching is Matching.DATE:
        return date_span(asked) is not None
    if matching is Matching.TIME:
        return time_span(asked) is not None
    if matching is Matching.UID:
        return all(re.fullmatch(r"[0-9.]{0,64}", part.strip(" \0")) for part in asked.split("\\"))
    return True


def code_matches(asked: Mapping[str, str], stored: Sequence[Mapping[str, str]]) -> bool:
    """Whether any item of a stored sequence answers every key of the asked-for item (PS3.4 C.2.2.2.6)."""
    wanted = {keyword: value for keyword, value in asked.items() if not is_universal(value)}
    if not wanted:
        return True
    return any(all(_text_matches(value, item.get(keyword, "")) for keyword, value in wanted.items()) for item in stored)


def fold(text: str) -> str:
    """A text as it is compared: compatible forms unified, case and outer spaces gone."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def fold_name(name: str) -> tuple[str, ...]:
    """The component groups of a person name as they are compared.

    >>> fold_name("Müller^Anna^^Dr.=山田^花子")
    ('muller anna dr.', '山田 花子')
    """
    return tuple(_fold_group(group) for group in name.split("="))


def date_span(asked: str) -> Span | None:
    """The days that a date key asks for; None if it is neither a date nor a range.

    >>> date_span("20260101-"), date_span("2026.01.02")
    (Span(first='20260101', last=None), Span(first='20260102', last='20260102'))
    """
    first, dash, last = asked.strip().replace(".", "").partition("-")
    parts = [first.strip(), last.strip()] if dash else [first.strip()] * 2
    if not any(parts) or not all(part == "" or _DATE.fullmatch(part) for part in parts):
        return None
    return Span(parts[0] or None, parts[1] or None)


def time_span(asked: str) -> Span | None:
    """The time of day that a time key asks for, in microseconds; a shorter time means all that begins with it.

    >>> time_span("0815")
    Span(first=29700000000, last=29759999999)
    """
    first, dash, last = asked.strip().replace(":", "").partition("-")
    parts = [first.strip(), last.strip()] if dash else [first.strip()] * 2
    ends = [_time_interval(part) if part else None for part in parts]
    if not any(parts) or any(part and end is None for part, end in zip(parts, ends, strict=True)):
        return None
    return Span(ends[0][0] if ends[0] else None, ends[1][1] if ends[1] else None)


def literal_prefix(asked: str) -> str:
    """What every match begins with, as `fold` gives it.

    >>> literal_prefix("Ab?d*")
    'ab'
    """
    return fold(re.split(r"[*?]", asked, maxsplit=1)[0].lstrip())


def has_wildcard(asked: str) -> bool:
    """Whether it holds * or ?."""
    return "*" in asked or "?" in asked


def _date_matches(asked: str, stored: str) -> bool:
    span, day = date_span(asked), stored.strip().replace(".", "")
    if span is None or not _DATE.fullmatch(day):
        return False
    return (span.first is None or day >= str(span.first)) and (span.last is None or day <= str(span.last))


def _time_matches(asked: str, stored: str) -> bool:
    span, interval = time_span(asked), _time_interval(stored.strip().replace(":", ""))
    if span is None or interval is None:
        return False
    first, last = int(span.first or 0), _DAY if span.last is None else int(span.last)
    if first > last:  # a range over midnight
        return interval[0] >= first or interval[0] <= last
    return first <= interval[0] <= last


def _time_interval(value: str) -> tuple[int, int] | None:
    found = _TIME.fullmatch(value)
    if found is None:
        return None
    hours, minutes, seconds, fraction = found.groups()
    if int(hours) > 23 or int(minutes or 0) > 59 or int(seconds or 0) > 60:
        return None
    start = ((int(hours) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)) * _MICROSECONDS
    start += int((fraction or "").ljust(6, "0"))
    width = next(
        width
        for part, width in (
            (fraction, 10 ** (6 - len(fraction or ""))),
            (seconds, _MICROSECONDS),
            (minutes, 60 * _MICROSECONDS),
            (hours, 3600 * _MICROSECONDS),
        )
        if part
    )
    return start, start + width - 1


def _text_matches(asked: str, stored: str) -> bool:
    return _pattern(fold(asked)).fullmatch(fold(stored)) is not None


def _number_matches(asked: str, stored: str) -> bool:
    try:
        return int(asked) == int(stored)
    except ValueError:
        return _text_matches(asked, stored)


def _name_matches(asked: str, stored: str) -> bool:
    values = fold_name(stored)
    groups = fold_name(asked)
    if len([group for group in groups if group]) == 1:
        # one group asked for: any group may answer, a workstation does not know which one holds what
        pattern = _name_pattern(next(group for group in groups if group))
        return any(pattern.fullmatch(value) for value in values)
    values += ("",) * (len(groups) - len(values))
    return all(
        is_universal(group) or _name_pattern(group).fullmatch(value)
        for group, value in zip(groups, values, strict=False)
    )


def _fold_group(group: str) -> str:
    decomposed = unicodedata.normalize("NFKD", group)
    bare = unicodedata.normalize("NFKC", _ACCENTS.sub("", decomposed)).casefold()
    return _DELIMITERS.sub(" ", bare).strip()


@lru_cache(maxsize=1024)
def _pattern(asked: str) -> re.Pattern[str]:
    return re.compile(_expression(asked), re.DOTALL)


@lru_cache(maxsize=1024)
def _name_pattern(group: str) -> re.Pattern[str]:
    """As `_pattern`, but an asterisk for a whole component also answers for a component that is not there."""
    expression, separator = "", ""
    for word in group.split(" "):
        if word.strip("*"):
            expression += separator + _expression(word)
            separator = " "
        else:
            expression += "(?: .*)?" if separator else "(?:.* )?"
    return re.compile(expression, re.DOTALL)


def _expression(asked: str) -> str:
    asked = re.sub(r"\*+", "*", asked)
    return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in asked)
