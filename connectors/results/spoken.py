"""A structured report in the language of a site: meanings of codes where there are words for them, and the language.

Codes and units stay; so does every meaning for which the site's language has no word here.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from reread.connectors.reports import codes as c
from reread.connectors.reports.code_profiles import modern_value
from reread.connectors.results.page_language import ENGLISH, Words


def speak(document: Dataset, said: Words) -> None:
    """Change the meanings in a content tree, and what it says of its language (TID 1204); English stays as it is."""
    if said.language != ENGLISH:
        _speak(document, said)


def _speak(item: Dataset, said: Words) -> None:
    for keyword in ("ConceptNameCodeSequence", "ConceptCodeSequence"):
        for code in item.get(keyword, ()):
            code.CodeMeaning = said.meaning(modern_value(str(code.CodeValue)), str(code.CodeMeaning))
    concepts = item.get("ConceptNameCodeSequence")
    if concepts and str(concepts[0].CodeValue) == c.LANGUAGE.value:
        (language,) = item.ConceptCodeSequence
        language.CodeValue, language.CodeMeaning = said.language, said.language_name
        # the words are of no country's own
        if "ContentSequence" in item:
            del item.ContentSequence
    for child in item.get("ContentSequence", ()):
        _speak(child, said)
