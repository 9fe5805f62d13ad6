"""The two messages of a C-STORE, against the toolkit's own reading and writing."""

from __future__ import annotations

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from reread.connectors.command_set import StoreCommand, command_pdu, read_store_command, store_answer

uids = st.lists(st.integers(0, 99999), min_size=2, max_size=9).map(lambda parts: "1." + ".".join(map(str, parts)))
messages = st.integers(0, 65535)


def encoded(message: DIMSEMessage) -> bytes:
    return encode(message.command_set, True, True) or b""


@given(uids, uids, messages)
def test_a_request_of_the_toolkit_is_read(sop_class, instance, number):
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = number, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = sop_class, instance
    primitive.DataSet = BytesIO(b"x")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    assert read_store_command(encoded(message)) == StoreCommand(number, sop_class, instance)


def test_other_messages_are_left_to_the_toolkit():
    primitive = C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = 1, "1.2.840.10008.1.1"
    message = C_ECHO_RQ()
    message.primitive_to_message(primitive)
    assert read_store_command(encoded(message)) is None


@given(st.binary(max_size=300))
def test_rubbish_is_no_store_command(command):
    found = read_store_command(command)
    assert found is None or isinstance(found, StoreCommand)


@given(uids, uids, messages, st.integers(0, 0xFFFF), st.text(max_size=80), st.integers(0, 0xFFFFFFFF) | st.none())
def test_the_toolkit_reads_our_answer(sop_class, instance, number, status, comment, element):
    answer = store_answer(StoreCommand(number, sop_class, instance), status, comment=comment, offending_element=element)
    pdu = P_DATA_TF()
    pdu.decode(command_pdu(7, answer))
    primitive = pdu.to_primitive()
    assert isinstance(primitive, P_DATA)
    ((context_id, value),) = primitive.presentation_data_value_list
    assert (context_id, value[0], len(value)) == (7, 3, len(answer) + 1)
    dataset = decode(BytesIO(value[1:]), True, True)
    assert dataset.CommandGroupLength == len(answer) - 12
    assert (dataset.CommandField, dataset.MessageIDBeingRespondedTo, dataset.Status) == (0x8001, number, status)
    assert (dataset.AffectedSOPClassUID, dataset.AffectedSOPInstanceUID) == (sop_class, instance)
    assert dataset.CommandDataSetType == 0x0101
    assert dataset.get("OffendingElement") == element
    written = dataset.get_item("ErrorComment").value if "ErrorComment" in dataset else b""
    assert len(written) <= 64 and written.rstrip() == comment[:64].encode("ascii", "replace").rstrip()
