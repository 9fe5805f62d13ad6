"""The printed conformance statement against a running listener of the same settings, row by row."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from printed_statement import Printed, PrintedContext
from pynetdicom import AE, build_context, build_role

from reread.analytics.errors import SettingsInvalid
from reread.connectors.ledger import open_ledger
from reread.connectors.listener import Listener
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.spool import Spool
from reread.deployments.cli import app
from reread.deployments.settings import Settings, load_settings
from reread.deployments.site_plan import listener_settings_of
from reread.deployments.statements import conformance_text, facts_of

PLAIN = """
[limits]
min_free_disk_gib = 0.001
low_disk_gib = 0.001
[[peers]]
name = "sender"
ae_title = "SENDER"
host = "127.0.0.1"
port = 11999
roles = ["source"]
[[peers]]
name = "reader"
ae_title = "READER"
host = "127.0.0.1"
port = 11998
roles = ["query", "destination"]
[[routes]]
source = "sender"
destinations = ["reader"]
"""
STRICT = """
ae_title = "STRICT"
[listener]
when_full = "hold"
max_held = 1
hold_s = 1.0
max_associations = 5
unknown_classes = "refuse"
extra_ae_titles = ["RR_MULTIPATIENT"]
tls_certificate = "{node}.pem"
tls_key = "{node}.key"
tls_client_authorities = "{authority}"
quiet_s = 77
[limits]
min_free_disk_gib = 0.001
low_disk_gib = 0.001
[[peers]]
name = "sender"
ae_title = "SENDER"
host = "127.0.0.1"
port = 11999
roles = ["source"]
max_associations = 4
transfer_syntaxes = ["1.2.826.0.1.3680043.9.3811.7", "JPEG2000Lossless", "ImplicitVRLittleEndian"]
refused_transfer_syntaxes = ["RLELossless", "JPEGBaseline8Bit"]
tls_names = ["sender.example.org"]
[[peers]]
name = "other"
ae_title = "OTHER"
host = "127.0.0.1"
port = 11998
roles = ["source", "destination"]
expected_views = ["RCC", "LCC"]
"""
UNPRINTED_SYNTAX, UNPRINTED_CLASS = "1.2.840.10008.1.2.4.94", "1.2.840.10008.5.1.4.31"
PRIVATE_CLASS = "1.2.826.0.1.3680043.9.3811.77.1"
MOST = 128


@dataclass
class Site:
    """A running listener and what is printed of its settings."""

    settings: Settings
    listener: Listener
    printed: Printed
    tls: tuple[ssl.SSLContext, str] | None
    titles: tuple[str, ...]
    """calling AE titles of its peers"""

    def associate(self, contexts: Sequence[Any], calling: str, roles: Sequence[Any] = (), called: str = "") -> Any:
        return AE(calling).associate(
            "127.0.0.1",
            self.listener.port,
            contexts=list(contexts),
            ae_title=called or self.settings.ae_title,
            ext_neg=list(roles),
            tls_args=self.tls,
        )


@pytest.fixture(scope="module", params=["plain", "strict"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("site")
    text, tls, titles = PLAIN, None, ("SENDER", "READER")
    if request.param == "strict":
        authority = Authority(root / "pki")
        node = authority.issue("node", "127.0.0.1")
        caller = authority.issue("caller", "sender.example.org")
        text = STRICT.format(node=str(node.certificate).removesuffix(".pem"), authority=authority.file)
        context = ssl.create_default_context(cafile=str(authority.file))
        context.load_cert_chain(caller.certificate, caller.key)
        tls, titles = (context, "127.0.0.1"), ("SENDER", "OTHER")
    file = root / "site.toml"
    file.write_text(f'data = "{root / "data"}"\n' + text if text is PLAIN else text)
    settings = load_settings(file)
    with open_ledger(f"sqlite:///{root / 'ledger.sqlite'}") as ledger:
        wanted = replace(listener_settings_of(settings), port=0)
        with Listener(wanted, Spool(root / "spool"), ledger, Pseudonyms.load_or_create(root / "key")) as listener:
            yield Site(settings, listener, Printed(conformance_text(settings)), tls, titles)


def negotiated(site: Site, calling: str, proposals: Sequence[tuple[PrintedContext, Sequence[str]]]) -> list[str | int]:
    """For each proposal the transfer syntax that was accepted, or the result of the refused context."""
    found: list[str | int] = []
    for start in range(0, len(proposals), MOST):
        batch = proposals[start : start + MOST]
        contexts = [build_context(row.abstract_syntax, list(syntaxes)) for row, syntaxes in batch]
        scp = dict.fromkeys(row.abstract_syntax for row, _ in batch if row.our_role == "SCU")
        association = site.associate(contexts, calling, [build_role(uid, scu_role=False, scp_role=True) for uid in scp])
        answers: dict[int, str | int] = {}
        for context in association.accepted_contexts:
            wants_scp = batch[context.context_id // 2][0].our_role == "SCU"
            assert (context.as_scu, context.as_scp) == (not wants_scp, wants_scp)
            answers[context.context_id // 2] = str(context.transfer_syntax[0])
        for context in association.rejected_contexts:
            answers[context.context_id // 2] = context.result
        association.release()
        found += [answers[number] for number in range(len(batch))]
    return found


def rows_of(site: Site, calling: str) -> Iterator[list[PrintedContext]]:
    """Each printed row once, those with role selection apart: one association has one pair of roles for a class."""
    rows = list(dict.fromkeys(site.printed.contexts(calling)))
    for role in ("SCP", "SCU"):
        yield [row for row in rows if row.our_role == role]


def check(site: Site, calling: str, proposals: list[tuple[PrintedContext, Sequence[str], str | int]]) -> None:
    answers = negotiated(site, calling, [(row, syntaxes) for row, syntaxes, _ in proposals])
    wrong = [
        (row.abstract_syntax, row.our_role, list(syntaxes)[:3], expected, answer)
        for (row, syntaxes, expected), answer in zip(proposals, answers, strict=True)
        if answer != expected
    ]
    assert wrong == []


def test_each_row_is_negotiated_as_printed(site):
    """All of its list in the wrong order, something that is not in the list, and both."""
    for calling in site.titles:
        for rows in rows_of(site, calling):
            proposals: list[tuple[PrintedContext, Sequence[str], str | int]] = []
            for row in rows:
                if not row.syntaxes:
                    proposals.append((row, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"], 3))
                    continue
                proposals.append((row, row.syntaxes[::-1], row.syntaxes[0]))
                proposals.append((row, [UNPRINTED_SYNTAX], 4))
                proposals.append((row, [UNPRINTED_SYNTAX, row.syntaxes[-1]], row.syntaxes[-1]))
            if calling == "SENDER":
                assert len(rows) > 0
            check(site, calling, proposals)


def test_the_order_of_each_list_is_the_printed_one(site):
    for calling in site.titles:
        for rows in rows_of(site, calling):
            seen: dict[tuple[str, ...], PrintedContext] = {}
            for row in rows:
                seen.setdefault(row.syntaxes, row)
            check(
                site,
                calling,
                [(row, [low, high], high) for row in seen.values() for high, low in pairwise(row.syntaxes)],
            )


@pytest.mark.slow
def test_every_printed_class_takes_every_printed_syntax_and_no_other(site):
    """The whole product of classes and transfer syntaxes, one context for each."""
    everything = sorted({uid for title in site.titles for row in site.printed.contexts(title) for uid in row.syntaxes})
    for rows in rows_of(site, "SENDER"):
        check(
            site,
            "SENDER",
            [
                (row, [uid], (uid if uid in row.syntaxes else 4) if row.syntaxes else 3)
                for row in rows
                for uid in (*everything, UNPRINTED_SYNTAX)
            ],
        )


def test_what_is_not_printed_is_not_accepted(site):
    printed = {row.abstract_syntax for row in site.printed.contexts("SENDER")}
    assert not printed & {UNPRINTED_CLASS, PRIVATE_CLASS}
    takes_unknown = "Storage classes that are not in the table are accepted too" in site.printed.text
    assert takes_unknown != ("Storage classes that are not in the table are not accepted." in site.printed.text)
    contexts = [
        build_context(uid, ["1.2.840.10008.1.2"]) for uid in (UNPRINTED_CLASS, PRIVATE_CLASS, "1.2.840.10008.1.1")
    ]
    association = site.associate(contexts, "SENDER")
    accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
    association.release()
    assert accepted == {"1.2.840.10008.1.1"} | ({PRIVATE_CLASS} if takes_unknown else set())


def test_the_association_says_of_itself_what_is_printed(site):
    values = dict(site.printed.table("associations that the entity accepts").rows)
    association = site.associate([build_context("1.2.840.10008.1.1")], "SENDER")
    acceptor = association.acceptor
    assert values["maximum length of a PDU that we take"] == f"{acceptor.maximum_length} bytes"
    assert values["implementation class UID"] == acceptor.implementation_class_uid
    assert values["implementation version name"] == acceptor.implementation_version_name
    assert values["application context name"] == acceptor.primitive.application_context_name
    assert not acceptor.asynchronous_operations or acceptor.asynchronous_operations == (1, 1)
    assert not acceptor.sop_class_extended
    association.release()


def test_called_titles_and_parameters_are_printed(site):
    local = site.printed.table("local AE titles").column("AE title")
    assert local == [site.settings.ae_title, *site.settings.listener.extra_ae_titles]
    for title in local:
        association = site.associate([build_context("1.2.840.10008.1.1")], "SENDER", called=title)
        assert association.is_established
        association.release()
    (row,) = site.printed.table("parameters").where(parameter="listener.quiet_s")
    assert (row["default"], row["in force"]) == ("120.0", str(site.settings.listener.quiet_s))
    remote = site.printed.table("remote AE titles").where()
    assert [row["AE title"] for row in remote] == list(site.titles)


def test_what_a_strict_site_prints(site):
    if site.tls is None:
        assert "The listener has no TLS certificate" in site.printed.text
        assert "No parameter of a single peer differs" in site.printed.text
        return
    assert "Every caller has to show a certificate that one of our authorities signed." in site.printed.text
    (full,) = site.printed.table("A-ASSOCIATE-RJ").where(when="too many associations are open")
    assert "with 5 open, a requestor waits without an answer; it is rejected after 1 s" in full["at this site"]
    (row,) = site.printed.table("callers that are accepted").where(peer="sender")
    assert row["certificate"] == "names one of: sender.example.org"
    (row,) = site.printed.table("values of the closing rules by source").where(source="other")
    assert (row["quiet time"], row["expected views"]) == ("77 s", "LCC, RCC")
    (row,) = site.printed.table("parameters").where(parameter="listener.tls_key")
    assert row["in force"] == "set"
    assert ".pem" not in site.printed.text and ".key" not in site.printed.text
    differing = site.printed.table("parameters of single peers").where(peer="sender")
    assert {row["parameter"] for row in differing} == {
        "max_associations",
        "transfer_syntaxes",
        "refused_transfer_syntaxes",
        "tls_names",
    }


def test_the_data_folder_is_not_touched(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text(f'data = "{tmp_path / "data"}"\n{PLAIN}')
    settings = load_settings(file)
    text = conformance_text(settings)
    assert sorted(tmp_path.iterdir()) == [file]
    assert str(tmp_path) not in text
    assert text == conformance_text(settings)
    assert conformance_text(settings, html=True).startswith("<!DOCTYPE html>")


def test_the_command(tmp_path, capsys):
    file, page = tmp_path / "site.toml", tmp_path / "conformance.html"
    file.write_text(PLAIN)
    assert app(["conformance", "--settings", str(file)], result_action="return_value") == 0
    assert capsys.readouterr().out == conformance_text(load_settings(file))
    more = ["--html", "--out", str(page)]
    assert app(["conformance", "--settings", str(file), *more], result_action="return_value") == 0
    assert page.read_text("utf-8") == conformance_text(load_settings(file), html=True)


def test_a_certificate_that_is_not_there_is_a_clear_error(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text(STRICT.format(node=tmp_path / "none", authority=tmp_path / "none.pem"))
    with pytest.raises(SettingsInvalid, match="cannot be used"):
        facts_of(load_settings(file))


def test_the_example_settings_are_in_the_reference(tmp_path):
    root = Path(__file__).parents[2]
    page = (root / "docs" / "reference" / "conformance.md").read_text("utf-8")
    assert page.endswith(conformance_text(load_settings(root / "deployments" / "site.example.toml")))
