"""The conformance statement as text: it says what services, peers and tables say, and changes with them."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import house
from printed_statement import Printed
from pydicom.datadict import tag_for_keyword

from reread.connectors.completeness import ClosingRule
from reread.connectors.conformance import NOTICE, statement
from reread.connectors.conformance_contexts import context_tables
from reread.connectors.conformance_facts import (
    Delivered,
    Facts,
    Parameter,
    ServiceFacts,
    facts_of_entity,
    facts_of_services,
)
from reread.connectors.conformance_reading import attributes_read
from reread.connectors.conformance_services import ACTIVITIES, CLOSING_RULES
from reread.connectors.conformance_written import written_objects
from reread.connectors.gatekeeper import REJECTIONS
from reread.connectors.listener import ListenerSettings
from reread.connectors.negotiation import STANDARD_ORDER
from reread.connectors.outbox import OutboxPolicy
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.results.authoring import ResultFormat, known_forms
from reread.connectors.results.recipients import Recipient
from reread.connectors.services import Offer, StatusMeaning
from reread.connectors.statement_text import Bullets, Figure, Section, Table, as_html, as_markdown, place
from reread.connectors.store_statuses import STORE_STATUSES

EXPLICIT, IMPLICIT, LOSSLESS, RLE = (f"1.2.840.10008.1.2{end}" for end in (".1", "", ".4.70", ".5"))
CT = "1.2.840.10008.5.1.4.1.1.2"
SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999, frozenset({PeerRole.SOURCE}))
READER = Peer("reader", "READER", "127.0.0.1", 11998, frozenset({PeerRole.QUERY, PeerRole.DESTINATION}))


@pytest.fixture(scope="module")
def facts(tmp_path_factory) -> Facts:
    root = tmp_path_factory.mktemp("site")
    with house(root, SENDER, READER) as node:
        services, entity = facts_of_services(node.listener.node.services), facts_of_entity(node.listener)
    return Facts(
        version="1.2.3",
        listener=ListenerSettings(peers=(SENDER, READER)),
        processes="one process",
        entity=entity,
        services=services,
        delivered=(Delivered("sender", (Recipient("reader", (ResultFormat.CAPTURE, ResultFormat.OVERLAY)),)),),
        outbox=OutboxPolicy(),
        move_timeout_s=600.0,
        commitment_wait_s=1.0,
        modality="MG",
        parameters=(Parameter("a.b", "a | b", "1", "2"),),
        peer_parameters=(),
        written=written_objects(root / "written"),
    )


def printed(facts: Facts) -> Printed:
    return Printed(as_markdown(statement(facts)))


def test_every_service_is_printed_with_its_statuses_and_contexts(facts):
    text = printed(facts)
    assert len(facts.services) == 9
    for service in facts.services:
        assert text.statuses(service.name) == {status.code for status in service.statuses}
        table = text.table(f"presentation contexts that are accepted: {service.name}")
        assert set(table.column("UID")) == {offer.abstract_syntax for offer in service.offers}
    assert NOTICE in text.text


def test_every_service_has_its_prose_and_every_rule_its_sentence(facts):
    assert set(ACTIVITIES) == {service.name for service in facts.services}
    assert set(CLOSING_RULES) == set(ClosingRule)


def test_rejections_are_those_of_the_gatekeeper(facts):
    rows = printed(facts).table("A-ASSOCIATE-RJ").where()
    triples = [tuple(int(row[head].split()[0]) for head in ("result", "source", "reason")) for row in rows]
    assert triples == [(item.result, item.source, item.reason) for item in REJECTIONS]
    assert [row["when"] for row in rows] == [item.meaning for item in REJECTIONS]


def test_no_status_is_printed_that_only_peers_send(facts):
    assert printed(facts).statuses("Storage") == {code for code, status in STORE_STATUSES.items() if status.sent}


def test_a_made_service_is_printed_and_its_changes_are_seen(facts):
    """It has no prose here, and is in every table all the same."""
    made = ServiceFacts(
        "Tea", ("N-GET",), (Offer("1.2.3.4", (RLE, EXPLICIT)),), (StatusMeaning(0xC123, "failure", "no tea"),)
    )
    before = printed(replace(facts, services=(*facts.services, made)))
    (context,) = [item for item in before.contexts("SENDER") if item.abstract_syntax == "1.2.3.4"]
    assert (context.syntaxes, context.our_role, context.negotiation) == ((RLE, EXPLICIT), "SCP", "none")
    assert before.statuses("Tea") == {0xC123}
    assert ("Tea", "N-GET", "1", "SCP") in [row for table in before.tables for row in table.rows]
    changed = replace(
        made,
        offers=(Offer("1.2.3.5", (LOSSLESS,), peer_scu=False, peer_scp=True),),
        statuses=(StatusMeaning(0x0000, "success", "tea"),),
    )
    after = printed(replace(facts, services=(*facts.services, changed)))
    assert after.statuses("Tea") == {0x0000}
    assert "1.2.3.4" not in {item.abstract_syntax for item in after.contexts("SENDER")}
    (context,) = [item for item in after.contexts("SENDER") if item.abstract_syntax == "1.2.3.5"]
    assert (context.syntaxes, context.our_role) == ((LOSSLESS,), "SCU")
    assert context.negotiation == "SCP/SCU role selection"


def test_storage_contexts_depend_on_role_and_order_of_the_caller(facts):
    picky = replace(
        SENDER,
        name="picky",
        ae_title="PICKY",
        transfer_syntaxes=("1.2.3.9", IMPLICIT),
        refused_transfer_syntaxes=(RLE,),
    )
    text = printed(replace(facts, listener=replace(facts.listener, peers=(SENDER, READER, picky))))

    def stored(ae_title: str) -> set[tuple[str, ...]]:
        return {
            item.syntaxes for item in text.contexts(ae_title) if item.abstract_syntax == CT and item.our_role == "SCP"
        }

    assert stored("SENDER") == {STANDARD_ORDER}
    assert stored("READER") == {()}
    rest = tuple(uid for uid in STANDARD_ORDER if uid not in (IMPLICIT, RLE))
    assert stored("PICKY") == {("1.2.3.9", IMPLICIT, *rest)}


def test_without_any_peer_the_tables_are_those_of_a_default_one(facts):
    assert context_tables(facts.services, ()).choices == {}
    alone = printed(replace(facts, listener=replace(facts.listener, peers=())))
    assert alone.table("callers that are accepted").rows == ()


def test_services_that_are_not_offered_are_not_printed(facts):
    without = tuple(service for service in facts.services if "C-FIND" not in service.operations)
    text = printed(replace(facts, services=without))
    assert any(table.caption == "keys of queries" for table in printed(facts).tables)
    assert not any(table.caption == "keys of queries" for table in text.tables)
    assert "Answers to queries" not in text.text


def test_only_formats_that_a_route_sends_are_proposed(facts):
    table = printed(facts).table("presentation contexts that are proposed: C-STORE")
    forms = known_forms()
    classes = {uid for name in (ResultFormat.CAPTURE, ResultFormat.OVERLAY) for uid in forms[name].sop_class_uids}
    assert set(table.column("UID")) == classes
    # copies of images may be compressed; a sheet never is
    assert len({row["transfer syntaxes"] for row in table.where(UID=ResultFormat.OVERLAY.sop_class_uid)}) > 5
    nowhere = replace(facts, delivered=(Delivered("sender", (Recipient("", tuple(ResultFormat)),)),))
    assert "No route sends results." in printed(nowhere).text


def test_written_objects_are_described_as_they_are(facts):
    assert [item.form for item in facts.written] == list(ResultFormat)
    report, capture = facts.written[:2]
    values = {attribute.tag: attribute for attribute in capture.attributes}
    assert values[0x00080016].value == f"fixed: {ResultFormat.CAPTURE.sop_class_uid}"
    assert (values[0x00100010].presence, values[0x00100010].value) == (
        "always, may be empty",
        "copied from an image of the study",
    )
    assert values[0x00080018].value == "made for each object"
    assert (values[0x00081030].presence, values[0x00081030].module) == ("where it applies", "general study")
    assert {attribute.usage for attribute in report.attributes if attribute.module == "sr document content"} == {"M"}
    assert all(attribute.tag >> 16 & 1 == 0 for item in facts.written for attribute in item.attributes)
    assert any("111017, DCM" in concept for _, _, concept, _ in report.content)
    assert capture.content == ()


def test_attributes_that_are_read_are_found_in_the_code():
    read = dict(attributes_read(False))
    for keyword in (
        "ImageLaterality",
        "ViewCodeSequence",
        "RescaleSlope",
        "PatientID",
        "PerformedProcedureStepEndDate",
    ):
        assert tag_for_keyword(keyword) in read, keyword
    for keyword in ("StationName", "PerformedProcedureStepEndDateTime", "AffectedSOPInstanceUID", "WindowCenter"):
        assert tag_for_keyword(keyword) not in read, keyword
    assert "queries" in dict(attributes_read(True))[0x00081010]  # Station Name


def test_no_place_of_this_machine_and_no_patient_is_in_it(facts):
    text = printed(facts).text
    assert str(Path.cwd()) not in text and "/tmp" not in text
    assert "PatientName " not in text and "2.25.100" not in text


@given(cells=st.lists(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1), min_size=1))
def test_whatever_stands_in_a_cell_is_read_as_it_was(cells):
    heads = tuple(f"h{number}" for number in range(len(cells)))
    (table,) = Printed(as_markdown(place("title", (Table("caption", heads, (tuple(cells),)),)))).tables
    assert table.rows == (tuple(cells),)


def test_a_row_of_another_length_is_no_table():
    with pytest.raises(ValueError, match="1 cells under 2 heads"):
        Table("caption", ("a", "b"), (("c",),))


def test_numbers_of_sections_and_tables():
    inner = Section("Inner", Table("one", ("a",), ()), Section("Deep", "text"))
    text = as_markdown(
        place("All", ("first", Section("Outer", Bullets(("x", "y")), inner), Section("Next", Figure("-->"))))
    )
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# All",
        "## 1 Outer",
        "### 1.1 Inner",
        "#### 1.1.1 Deep",
        "## 2 Next",
    ]
    assert "Table 1: one" in text and "* x\n* y" in text and "```text\n-->\n```" in text


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self._open = False

    def handle_starttag(self, tag, attrs):
        self._open = tag == "td"
        if self._open:
            self.cells.append("")

    def handle_endtag(self, tag):
        self._open = False

    def handle_data(self, data):
        if self._open:
            self.cells[-1] += data


def test_html_has_the_same_cells(facts):
    pieces = statement(facts)
    reader = _Cells()
    page = as_html(pieces)
    reader.feed(page)
    reader.close()
    assert reader.cells == [cell for piece in pieces for row in piece.rows for cell in row]
    assert NOTICE in page and "<script" not in page and "http" not in page
