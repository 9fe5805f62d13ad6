"""`reread requeue`: an administrator puts back what failed or was given up."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from reread.analytics.errors import RereadError
from reread.deployments.terminal import SettingsFile, console


def requeue(
    *studies: str,
    all: Annotated[bool, Parameter(negative="")] = False,
    state: Annotated[list[str] | None, Parameter(negative="")] = None,
    reason: str = "",
    source: str = "",
    destination: str = "",
    since: str = "",
    until: str = "",
    again: Annotated[bool, Parameter(negative="")] = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    history: Annotated[bool, Parameter(negative="")] = False,
    settings: SettingsFile = None,
) -> int:
    """Put back what failed or was given up; the next night tries it again.

    Several conditions must all be met. What is in flight is refused. Who did it and when is kept in the ledger.

    Parameters
    ----------
    studies
        Study Instance UIDs; default: every study that meets the conditions.
    all
        Without any condition: everything that failed or was given up.
    state
        failed, partial, measured or delivered; may be repeated.
    reason
        Word of a failed study (docs/reference/reasons.md), or a part of the text that says why something failed.
    source
        Peer that the images came from, or import; it names the route.
    destination
        Only deliveries to this peer that were given up.
    since
        Failed at this time or later: 2026-11-20 or 2026-11-20T03:30, local time.
    until
        Failed before the end of this day, or before this time.
    again
        Measure also what was measured, where its route has an analysis or a version that is new.
    dry_run
        List what would be put back, and change nothing.
    history
        List what was put back before, by whom and when, and change nothing.
    """
    from reread.connectors.ledger_requeue import Selection
    from reread.deployments.settings import load_settings
    from reread.deployments.site_services import opened_site

    selection = Selection(
        studies=studies,
        states=_states(state or (), again),
        reason=reason,
        source=source,
        destination=destination,
        since=_moment(since, "since") if since else None,
        until=_moment(until, "until") if until else None,
        again=again,
    )
    if not history and not all and selection == Selection(again=again):
        raise RereadError("say what is to be put back: studies, --state, --reason, …, or --all; --dry-run lists it")
    site = load_settings(settings)
    if not site.ledger_url and not (site.data / "ledger.sqlite").exists():
        raise RereadError(f"no ledger in {site.data}; nothing has been received yet")
    with opened_site(site) as services:
        if history:
            for event in services.ledger.events():
                when = event.happened_at.astimezone().isoformat(sep=" ", timespec="seconds")
                _say(f"{when} {event.actor} {event.action} study {event.study_instance_uid}, {event.detail}")
            return 0
        found = services.ledger.requeue(selection, _actor(), dry_run=dry_run)
    put_back = [item for item in found if not item.refused]
    if dry_run:
        for item in put_back:
            _say(f"study {item.study_instance_uid}, {item.was}: {item.sentence}")
    for item in found:
        if item.refused:
            _say(f"refused study {item.study_instance_uid}, {item.was}: {item.refused}")
    sums = (
        (sum(item.measure for item in put_back), "to be measured"),
        (sum(len(item.forms) for item in put_back), "forms to be written"),
        (sum(item.deliveries for item in put_back), "deliveries to be sent"),
    )
    _say(_sentence(len(put_back), len(found) - len(put_back), sums, dry_run))
    return 1 if len(put_back) < len(found) else 0


def _say(line: str) -> None:
    console.print(escape(line), soft_wrap=True, highlight=False)


def _sentence(count: int, refused: int, sums: Sequence[tuple[int, str]], dry_run: bool) -> str:
    parts = ", ".join(f"{number} {what}" for number, what in sums if number)
    text = f"{count} studies {'would be ' if dry_run else ''}put back{': ' if parts else ''}{parts}"
    return f"{text}; {refused} refused" if refused else text


def _states(words: Sequence[str], again: bool) -> tuple[str, ...]:
    for word in words:
        if word not in ("failed", "partial", "measured", "delivered"):
            raise RereadError(f"--state {word}: one of failed, partial, measured, delivered")
        if word == "delivered" and not again:
            raise RereadError("nothing of a delivered study failed; with --again it is measured by what is new")
    return tuple(words)


def _moment(text: str, name: str) -> datetime:
    """Local time where none is named; of a day that ends a span its end."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RereadError(f"--{name} {text}: a day such as 2026-11-20, or a time such as 2026-11-20T03:30") from None
    if name == "until" and len(text) <= len("2026-11-20"):
        moment += timedelta(days=1)
    return moment.astimezone()


def _actor() -> str:
    """The account that called us."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without a name, as in a container
        return f"uid {os.getuid()}"
