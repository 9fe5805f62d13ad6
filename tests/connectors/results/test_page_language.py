"""Words of pages: every language has every word, and numbers come out as the language writes them."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from reread.analytics.errors import SettingsInvalid
from reread.analytics.pictures_text import unwritable
from reread.analytics.records import FindingKind, Laterality, Nature
from reread.connectors.reports.codes import COMPOSITIONS
from reread.connectors.results.page_language import Words, _table, languages, words


def test_ten_languages_english_first():
    assert languages() == ("en", "de", "fr", "es", "it", "nl", "pt", "sv", "ja", "zh")


@pytest.mark.parametrize("language", languages())
def test_every_language_has_every_word_with_its_numbers(language):
    table, found = _table(), words(language)
    assert set(table) == {field.name for field in fields(Words)} - {"language"}
    for name, of_language in table.items():
        assert getattr(found, name) == of_language[language] != ""
        assert set(re.findall(r"{\w+}", of_language[language])) == set(re.findall(r"{\w+}", of_language["en"])), name


@pytest.mark.parametrize("language", languages())
def test_every_word_can_be_drawn(language):
    found = words(language)
    for field in fields(Words):
        assert unwritable(getattr(found, field.name)) == "", field.name


def test_regions_are_ignored_and_unknown_languages_named():
    assert words("de-CH") is not None
    assert words("pt_BR") == words("pt")
    with pytest.raises(SettingsInvalid, match=r"'tlh'.*en, de"):
        words("tlh")


def test_numbers():
    assert words("de").number(-12.34, 1) == "−12,3"
    assert words("en").number(3.04, 1, signed=True) == "+3.0"
    assert words("en").number(-0.001, 1, signed=True) == "0.0"
    assert words("fr").number(0.5, 1) == "0,5"


def test_things_have_names():
    german = words("de")
    assert german.breast(Laterality.LEFT) == "Linke Brust"
    assert german.finding(FindingKind.MASS, Nature.DISTORTION) == "Architekturstörung"
    assert german.finding(FindingKind.CALCIFICATION, Nature.MASS) == german.cluster
    assert words().composition("x") == ""
    for letter, code in COMPOSITIONS.items():
        assert german.meaning(code.value, "") == german.composition(letter) != ""
        assert words().meaning(code.value, "") == code.meaning  # English is the standard's own
    assert german.meaning("1", "as it is") == "as it is"
