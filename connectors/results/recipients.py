"""Who gets the results of a study, and which variants of its objects have to be written for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reread.analytics.errors import AuthoringFailed
from reread.connectors.reports.report_options import CAD_SR_OPTIONS, VIEWER_OPTIONS, CadReportOptions
from reread.connectors.results.forms import AuthoredObject, EarlierDensity, Form
from reread.connectors.results.page_language import ENGLISH

_OPTIONS, _LANGUAGE, _HISTORY = "options", "language", "history"
_EVERYTHING = frozenset({_OPTIONS, _LANGUAGE, _HISTORY})


@dataclass(frozen=True, slots=True)
class Recipient:
    """One destination, or (with the name "") the folder of results."""

    name: str
    formats: tuple[str, ...]
    """names of forms"""
    options: CadReportOptions = field(default_factory=CadReportOptions)


@dataclass(frozen=True, slots=True)
class Writing:
    """What is to be written of one study; small, it travels to the workers."""

    recipients: tuple[Recipient, ...]
    language: str = ENGLISH
    earlier: Mapping[str, tuple[EarlierDensity, ...]] = field(default_factory=dict)
    """algorithm → the woman's earlier examinations, oldest first"""
    predecessors: Mapping[str, tuple[AuthoredObject, ...]] = field(default_factory=dict)
    """algorithm → what was written of the study before, oldest first"""


@dataclass(frozen=True, slots=True, eq=False)
class Authored:
    """What was written, and what could not be."""

    objects: tuple[AuthoredObject, ...]
    causes: Mapping[str, Exception] = field(default_factory=dict)
    """name of a form → why it, or some of its objects, could not be written"""

    @property
    def problems(self) -> tuple[tuple[str, str], ...]:
        """Form and cause in words; of an error that is not ours the kind alone, its text may quote a header."""
        return tuple(
            (form, str(error) if isinstance(error, AuthoringFailed) else type(error).__name__)
            for form, error in self.causes.items()
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a form is written, and for whom."""

    form: str
    options: CadReportOptions
    language: str
    refers_to: frozenset[str]
    """forms of the same recipients that its objects may name"""
    of_forms: Mapping[str, str]
    """form → suffix of its name in UIDs; for the form itself and those in `refers_to`"""
    destinations: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its options; "" for the defaults."""
        return self.options.variant


def variants_of(forms: Mapping[str, Form], recipients: Sequence[Recipient], language: str) -> Iterator[Variant]:
    """Each form once for every distinct thing that recipients want of it, in the order of `forms`."""
    for name, form in forms.items():
        groups: dict[str, list[Recipient]] = {}
        for recipient in recipients:
            if name in recipient.formats:
                groups.setdefault(_suffix(form, forms, recipient, language), []).append(recipient)
        for group in groups.values():
            first = group[0]
            referred = _referred(form, first)
            yield Variant(
                form=name,
                options=_options(form, first),
                language=language if _LANGUAGE in _depends_on(form) else ENGLISH,
                refers_to=referred,
                of_forms={each: _suffix(forms[each], forms, first, language) for each in (name, *sorted(referred))},
                destinations=tuple(recipient.name for recipient in group if recipient.name),
            )


def show_history(forms: Mapping[str, Form], recipients: Sequence[Recipient]) -> bool:
    """Whether anything that they want shows earlier examinations."""
    wanted = {name for recipient in recipients for name in recipient.formats}
    return any(_HISTORY in _depends_on(form) for name, form in forms.items() if name in wanted)


def _depends_on(form: Form) -> frozenset[str]:
    return getattr(form, "depends_on", _EVERYTHING)


def _referred(form: Form, recipient: Recipient) -> frozenset[str]:
    return frozenset(getattr(form, "refers_to", ())) & frozenset(recipient.formats)


def _options(form: Form, recipient: Recipient) -> CadReportOptions:
    named = _depends_on(form)
    return recipient.options.of((CAD_SR_OPTIONS if _OPTIONS in named else frozenset()) | (VIEWER_OPTIONS & named))


def _suffix(form: Form, forms: Mapping[str, Form], recipient: Recipient, language: str) -> str:
    """What tells the objects of a variant from those of another; "" for one with nothing special."""
    spoken = f"@{language}" if _LANGUAGE in _depends_on(form) and language != ENGLISH else ""
    named = "".join(
        f"+{each}{_suffix(forms[each], forms, recipient, language)}" for each in sorted(_referred(form, recipient))
    )
    return _options(form, recipient).variant + spoken + named
