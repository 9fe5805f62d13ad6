"""What the conformance statement prints of rejections, statuses, keys and our own requests, provoked for real."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import POLICY, House, free_port, house
from made_dicom import MAMMOGRAM, made, write
from made_messages import begun, ended, modality, study_content
from printed_statement import Printed
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)
from raw_sender import A_ASSOCIATE_RJ, RawSender, associate_rq, part10_pieces

from reread.analytics.errors import ArchiveRefused
from reread.connectors.archive import FoundInstance, StudyQuery
from reread.connectors.commitment import CommitmentResult as Result
from reread.connectors.commitment import Reference, request_dataset, result_dataset
from reread.connectors.conformance import statement
from reread.connectors.conformance_facts import Delivered, Facts, facts_of_entity, facts_of_services
from reread.connectors.dimse import DimseArchive
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.listener import ListenerSettings
from reread.connectors.outbox import OutboxPolicy
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.pixel_decoding import COMPRESSED
from reread.connectors.results.authoring import WRITTEN_TRANSFER_SYNTAX, ResultFormat, known_forms
from reread.connectors.results.recipients import Recipient
from reread.connectors.services import UNCOMPRESSED
from reread.connectors.statement_text import as_markdown

SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999, frozenset({PeerRole.SOURCE}))
STATION = Peer("ws", "WS", "127.0.0.1", 11998, frozenset({PeerRole.QUERY, PeerRole.DESTINATION}))
EXPLICIT = "1.2.840.10008.1.2.1"
FIND, PATIENT_FIND = StudyRootQueryRetrieveInformationModelFind, PatientRootQueryRetrieveInformationModelFind
MOVE, GET = StudyRootQueryRetrieveInformationModelMove, StudyRootQueryRetrieveInformationModelGet


def printed(node: House, *peers: Peer) -> Printed:
    """The statement of a running node."""
    facts = Facts(
        version="0",
        listener=ListenerSettings(peers=peers),
        processes="one process",
        entity=facts_of_entity(node.listener),
        services=facts_of_services(node.listener.node.services),
        delivered=(Delivered("sender", (Recipient("ws", tuple(ResultFormat)),)),),
        outbox=OutboxPolicy(),
        move_timeout_s=600.0,
        commitment_wait_s=1.0,
        modality="MG",
        parameters=(),
        peer_parameters=(),
        written=(),
    )
    return Printed(as_markdown(statement(facts)))


def associate(node: House, title: str = "SENDER", *classes: str, called: str = "REREAD", roles: Any = ()) -> Any:
    contexts = [build_context(uid, [EXPLICIT]) for uid in classes or (Verification,)]
    return AE(title).associate("127.0.0.1", node.listener.port, contexts=contexts, ae_title=called, ext_neg=list(roles))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    root = tmp_path_factory.mktemp("site")
    policy = replace(
        POLICY,
        max_object_bytes=200_000,
        refuse_lossy=True,
        required_tags=(0x00081090,),
        enabled_devices=frozenset({"SN1"}),
    )
    with house(root, SENDER, STATION, data=root, policy=policy) as opened:
        yield opened


# --- associations that are rejected


def test_every_printed_rejection_can_be_had_and_no_other(tmp_path, monkeypatch):
    stranger = replace(SENDER, name="far", ae_title="FAR", host="127.9.9.9", check_address=True)
    limited = replace(SENDER, name="one", ae_title="ONE", max_associations=1)
    provoked: dict[tuple[int, int, int], str] = {}

    def rejected(association: Any, why: str) -> None:
        assert association.is_rejected, why
        answer = association.acceptor.primitive
        provoked[answer.result, answer.result_source, answer.diagnostic] = why

    with house(tmp_path / "a", SENDER, stranger, limited, limit=2) as opened:
        text = printed(opened, SENDER, stranger, limited)
        rejected(associate(opened, called="NOBODY"), "called")
        rejected(associate(opened, "STRANGER"), "calling")
        rejected(associate(opened, "FAR"), "address")
        held = associate(opened, "ONE")
        rejected(associate(opened, "ONE"), "too many of this peer")
        second = associate(opened)
        rejected(associate(opened), "too many")
        held.release()
        second.release()
        request = associate_rq([(Verification, "1.2.840.10008.1.2")], "SENDER", "REREAD")
        with socket.create_connection(("127.0.0.1", opened.listener.port), timeout=10.0) as connection:
            connection.sendall(request.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9"))
            answer = connection.recv(10, socket.MSG_WAITALL)
        assert answer[0] == A_ASSOCIATE_RJ
        provoked[tuple(answer[7:10])] = "application context"  # type: ignore[index]

        def broken(*_: object) -> None:
            raise RuntimeError("made to fail")

        monkeypatch.setattr(Gatekeeper, "_verdict", broken)
        rejected(associate(opened), "own error")
        monkeypatch.undo()
    with house(tmp_path / "b", SENDER, policy=replace(POLICY, min_free_bytes=1 << 60)) as opened:
        rejected(associate(opened), "space")
    rows = text.table("A-ASSOCIATE-RJ").where()
    assert {tuple(int(row[head].split()[0]) for head in ("result", "source", "reason")) for row in rows} == set(
        provoked
    )


# --- statuses of the listener


def statuses(node: House, service: str) -> frozenset[int]:
    return printed(node, SENDER, STATION).statuses(service)


def test_statuses_of_storage(node, tmp_path):
    def changed(number: int, **values: object) -> Dataset:
        dataset = made(number, study="2.25.7")
        dataset.ManufacturerModelName, dataset.DeviceSerialNumber = "Made", "SN1"
        for keyword, value in values.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        return dataset

    wanted = {
        0x0000: changed(1),
        0xA740: changed(2, PixelData=None),
        0xA900: changed(3, StudyInstanceUID=None),
        0xC010: changed(4, DeviceSerialNumber=None),
        0xC011: changed(5, DeviceSerialNumber="SN2"),
        0xC012: changed(6, ManufacturerModelName=None),
        0xC013: changed(7, LossyImageCompression="01"),
        0xC014: changed(8, PixelData=bytes(300_000)),
    }
    got = {}
    with RawSender(node.listener.port, [(MAMMOGRAM, EXPLICIT)]) as sender:
        for code, dataset in wanted.items():
            _, uid, _, content = part10_pieces(write(dataset, tmp_path / f"{code:04x}.dcm"))
            got[code] = sender.store(MAMMOGRAM, uid, content)
        _, uid, _, content = part10_pieces(tmp_path / "0000.dcm")
        got[0xC000] = sender.store(MAMMOGRAM, "2.25.7.90", content.replace(uid.encode(), b"2.25.7.90"[:8])[:-100])
        got[0xA730] = sender.store(MAMMOGRAM, "2.25.7.91", b"\xff" * 4000)
    assert got == {code: code for code in got}
    assert set(got) <= statuses(node, "Storage")


def test_statuses_of_notifications_and_steps(node, tmp_path):
    table = printed(node, SENDER, STATION)
    got = set()
    with modality(node.listener.port) as sender:
        got |= {int(sender.notify(study_content(["2.25.99.1"], "2.25.99", "2.25.77.11")).Status)}
        broken = study_content([], "2.25.99", "2.25.77.12")
        del broken.StudyInstanceUID
        got |= {int(sender.notify(broken).Status)}
        assert got == {0x0002, 0xA900}
        assert got <= table.statuses("Study Content Notification (retired)")
        missing, empty, wrong = begun(), begun(), begun()
        del missing.Modality
        empty.PerformedProcedureStepID = ""
        wrong.PerformedProcedureStepStatus = "COMPLETED"
        steps = [
            sender.create(begun(), "2.25.88.1"),
            sender.create(begun(), "2.25.88.1"),
            sender.create(missing, "2.25.88.2"),
            sender.create(empty, "2.25.88.3"),
            sender.create(wrong, "2.25.88.4"),
            sender.set(ended(), "2.25.88.9"),
            sender.set(ended(), "2.25.88.1"),
            sender.set(ended(), "2.25.88.1"),
        ]
    codes = [int(item.Status) for item in steps]
    assert codes == [0x0000, 0x0111, 0x0120, 0x0121, 0x0106, 0x0112, 0x0000, 0x0110]
    assert set(codes) <= table.statuses("Modality Performed Procedure Step")


def test_statuses_of_storage_commitment_in_both_roles(node):
    table = printed(node, SENDER, STATION)
    references = [Reference(MAMMOGRAM, "2.25.1.1")]
    request = request_dataset("2.25.600", references)
    association = associate(node, "SENDER", StorageCommitmentPushModel)
    codes = [
        association.send_n_action(dataset, action, StorageCommitmentPushModel, instance)[0].Status
        for dataset, action, instance in (
            (request, 1, StorageCommitmentPushModelInstance),
            (request, 2, StorageCommitmentPushModelInstance),
            (request, 1, "2.25.1"),
            (request_dataset("2.25.600", []), 1, StorageCommitmentPushModelInstance),
        )
    ]
    assert codes == [0x0000, 0x0123, 0x0112, 0x0115]
    assert set(codes) <= table.statuses("Storage Commitment")
    # a peer that did not propose the role is heard too, as printed
    assert "A peer that does not is heard too." in table.text
    (context,) = association.accepted_contexts
    for has_role in (False, True):
        if has_role:
            association.release()
            role = build_role(StorageCommitmentPushModel, scu_role=False, scp_role=True)
            association = associate(node, "SENDER", StorageCommitmentPushModel, roles=[role])
            (context,) = association.accepted_contexts
        context._as_scp = True
        kind, report = result_dataset(Result("2.25.601", tuple(references)), {})
        nameless = result_dataset(Result("2.25.602", tuple(references)), {})[1]
        del nameless.TransactionUID
        answers = [
            association.send_n_event_report(dataset, number, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")[0]
            for number, dataset in ((kind, report), (3, report), (1, nameless))
        ]
        codes = [item.Status for item in answers]
        assert codes == [0x0119, 0x0113, 0x0110]
        assert set(codes) <= table.statuses("Storage Commitment (results)")
    association.release()


def ask(node: House, model: str, title: str = "WS", **keys: object) -> list[tuple[Dataset, Dataset | None]]:
    identifier = Dataset()
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    association = associate(node, title, model)
    if model == MOVE:
        answers = list(association.send_c_move(identifier, keys.pop("_to", "NOBODY"), model))
    elif model == GET:
        answers = list(association.send_c_get(identifier, model))
    else:
        answers = list(association.send_c_find(identifier, model))
    association.release()
    return answers


@pytest.fixture(scope="module")
def filled(node: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """With one image that has all it can have, and is not measured here."""
    dataset = made(1, study="2.25.8", modality="CT", sop_class="1.2.840.10008.5.1.4.1.1.2")
    list(node.listener.intake.import_files([write(dataset, tmp_path_factory.mktemp("ct") / "ct.dcm")]))
    return node


def test_statuses_of_query_and_retrieval(filled):
    table = printed(filled, SENDER, STATION)
    found = {
        int(status.Status)
        for keys in (
            {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""},
            {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "", "PatientReligiousPreference": ""},
            {"QueryRetrieveLevel": "TEA"},
        )
        for status, _ in ask(filled, FIND, **keys)
    } | {int(status.Status) for status, _ in ask(filled, FIND, "SENDER", QueryRetrieveLevel="STUDY")}
    assert found == {0x0000, 0xFF00, 0xFF01, 0xA900, 0x0124}
    assert found <= table.statuses("Query")
    for model, service, extra in ((MOVE, "Retrieve by C-MOVE", {0xA801}), (GET, "Retrieve by C-GET", {0xA702})):
        got = {
            int(status.Status)
            for title, keys in (
                ("WS", {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "2.25.8"}),
                ("WS", {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "2.25.404"}),
                ("WS", {"QueryRetrieveLevel": "STUDY"}),
                ("SENDER", {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "2.25.8"}),
            )
            for status, _ in ask(filled, model, title, **keys)
        }
        assert got == {0xA701, 0xA900, 0x0124} | extra
        assert got <= table.statuses(service)


# --- keys of queries


@pytest.mark.parametrize("model", [FIND, PATIENT_FIND])
def test_every_printed_key_is_answered_at_its_level_and_below(filled, model):
    rows = [
        row for row in printed(filled, SENDER, STATION).table("keys of queries").where() if ">" not in row["attribute"]
    ]
    assert len(rows) > 40
    levels = ["PATIENT", "STUDY", "SERIES", "IMAGE"]
    above = {"PatientID": "P1", "StudyInstanceUID": "2.25.8", "SeriesInstanceUID": "2.25.8.900"}
    for number, level in enumerate(levels):
        if model == FIND and level == "PATIENT":
            continue
        asked = Dataset()
        for row in rows:
            if levels.index(row["level of the key"]) <= number:
                tag = int(row["tag"].strip("()").replace(",", ""), 16)
                asked.add_new(tag, row["VR"], [] if row["VR"] == "SQ" else None)
        uniques = list(above)[:number] if model == PATIENT_FIND else list(above)[1:number]
        for keyword in uniques:
            setattr(asked, keyword, above[keyword])
        asked.QueryRetrieveLevel = level
        association = associate(filled, "WS", model)
        (status, answer), *_ = [pair for pair in association.send_c_find(asked, model) if pair[1] is not None]
        association.release()
        assert status.Status == 0xFF00  # every key is supported
        assert {int(element.tag) for element in asked} <= {int(element.tag) for element in answer}, level


def test_unprinted_keys_are_not_answered(filled):
    """Not even when there is no other key in the query."""
    rows = printed(filled, SENDER, STATION).table("keys of queries").column("tag")
    assert "(0010,21F0)" not in rows
    (status, answer), *_ = ask(filled, FIND, QueryRetrieveLevel="STUDY", PatientReligiousPreference="")
    assert status.Status == 0xFF01 and answer is not None and "PatientReligiousPreference" not in answer


# --- what we ask of others


class Recorder:
    """A peer that takes everything and writes down what was proposed and asked."""

    def __init__(self) -> None:
        self.proposed: list[tuple[str, tuple[str, ...]]] = []
        self.requestors: set[tuple[str, str, int]] = set()
        self.identifiers: list[tuple[str, Dataset]] = []
        self.status = 0x0000
        self.port = free_port()
        self.peer = Peer("pacs", "PACS", "127.0.0.1", self.port)

    @contextmanager
    def listening(self) -> Iterator[DimseArchive]:
        ae = AE("PACS")
        for uid in (
            Verification,
            FIND,
            MOVE,
            StorageCommitmentPushModel,
        ):
            ae.add_supported_context(uid)
        for form in known_forms().values():
            for uid in form.sop_class_uids:
                ae.add_supported_context(uid, [*UNCOMPRESSED, *sorted(COMPRESSED)])
        handlers = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_ECHO, lambda event: self.status),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_MOVE, self._move),
            (evt.EVT_C_STORE, lambda event: self.status),
            (evt.EVT_N_ACTION, lambda event: (self.status, None)),
        ]
        server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        try:
            yield DimseArchive(self.peer, "REREAD", timeout_s=10.0, commitment_timeout_s=0.05)
        finally:
            server.shutdown()

    def _requested(self, event: Any) -> None:
        requestor = event.assoc.requestor
        self.requestors.add(
            (requestor.implementation_class_uid, requestor.implementation_version_name, requestor.maximum_length)
        )
        for context in requestor.primitive.presentation_context_definition_list:
            self.proposed.append((str(context.abstract_syntax), tuple(map(str, context.transfer_syntax))))

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        self.identifiers.append(("C-FIND", event.identifier))
        if self.status == 0xFF00 and event.identifier.QueryRetrieveLevel == "SERIES":
            answer = Dataset()
            answer.SeriesInstanceUID = "2.25.2"
            yield 0xFF00, answer
            return
        yield (self.status if self.status != 0xFF00 else 0x0000), None

    def _move(self, event: Any) -> Iterator[Any]:
        self.identifiers.append(("C-MOVE", event.identifier))
        yield None, None


def results(folder: Path) -> list[Path]:
    paths = []
    kinds = dict.fromkeys(
        (uid, syntax)
        for form in known_forms().values()
        for uid in form.sop_class_uids
        for syntax in getattr(form, "transfer_syntax_uids", (WRITTEN_TRANSFER_SYNTAX,))
    )
    for number, (uid, syntax) in enumerate(kinds):
        dataset = made(number, study="2.25.9", sop_class=uid, syntax=syntax)
        if syntax in COMPRESSED:
            dataset.PixelData = encapsulate([dataset.PixelData])
            dataset["PixelData"].is_undefined_length = True
        paths.append(write(dataset, folder / f"{number}.dcm"))
    return paths


def test_we_propose_and_ask_what_is_printed(node, tmp_path):
    recorder = Recorder()
    with recorder.listening() as archive:
        archive.echo()
        list(archive.find_studies(StudyQuery(modality="MG")))
        recorder.status = 0xFF00
        archive.find_instances("2.25.1")
        recorder.status = 0x0000
        for missing in ((), (FoundInstance("2.25.3", "2.25.2"),)):
            with pytest.raises(ArchiveRefused):
                archive.fetch_study("2.25.1", missing)
        assert all(outcome.stored for outcome in archive.store(results(tmp_path)))
        archive.commit([Reference(MAMMOGRAM, "2.25.1.1")])
    text = printed(node, SENDER, STATION)
    for operation in ("C-ECHO", "C-FIND", "C-MOVE", "C-STORE", "N-ACTION"):
        for row in text.table(f"presentation contexts that are proposed: {operation}").where():
            syntaxes = tuple(part.rpartition("(")[2].strip(")") for part in row["transfer syntaxes"].split("), "))
            assert (row["UID"], syntaxes) in recorder.proposed
            recorder.proposed = [item for item in recorder.proposed if item != (row["UID"], syntaxes)]
            assert row["our role"] == "SCU"
    assert recorder.proposed == []  # and nothing else
    values = dict(text.table("associations that the entity initiates").rows)
    assert recorder.requestors == {
        (values["implementation class UID"], values["implementation version name"], 0),
    }
    assert values["maximum length of a PDU that we take"] == "0 (no limit)"
    asked: dict[tuple[str, str], set[str]] = {}
    for operation, identifier in recorder.identifiers:
        keys = {f"({element.tag.group:04X},{element.tag.element:04X})" for element in identifier}
        asked.setdefault((operation, identifier.QueryRetrieveLevel), set()).update(keys - {"(0008,0052)"})
    for operation, caption in (("C-FIND", "keys of our queries"), ("C-MOVE", "keys of our retrievals")):
        table = text.table(caption)
        for level in dict.fromkeys(table.column("level")):
            assert asked.pop((operation, level)) == {row["tag"] for row in table.where(level=level)}
    assert asked == {}
    assert keyword_for_tag(0x00080052) == "QueryRetrieveLevel"


def test_reactions_to_statuses_of_a_store_are_the_printed_ones(node, tmp_path):
    rows = printed(node, SENDER, STATION).table("reaction to the statuses of C-STORE: results").where()
    done = [row["status"] for row in rows if row["taken as"] == "done"]
    assert done == ["0000", "B000 to BFFF"]
    recorder = Recorder()
    paths = results(tmp_path)
    with recorder.listening() as archive:
        for status, stored in ((0x0000, True), (0xB000, True), (0xB007, True), (0xA700, False), (0xC000, False)):
            recorder.status = status
            assert {outcome.stored for outcome in archive.store(paths)} == {stored}, f"{status:04X}"


def test_reactions_to_other_statuses_are_the_printed_ones(node):
    text = printed(node, SENDER, STATION)
    (cut,) = text.table("reaction to the statuses of C-FIND").where(status="A700")
    assert cut["taken as"] == "too much"
    recorder = Recorder()
    recorder.status = 0xA700
    with recorder.listening() as archive:
        for call in (archive.echo, lambda: list(archive.find_studies(StudyQuery())), lambda: archive.commit([])):
            with pytest.raises(ArchiveRefused) as refused:
                call()
            assert refused.value.status == 0xA700
