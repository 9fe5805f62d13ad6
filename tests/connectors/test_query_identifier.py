"""Identifiers: what is refused and why, and that answers are what pydicom reads."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pynetdicom.dsutils import encode as pynetdicom_encode

from reread.connectors.query_identifier import (
    IdentifierRefused,
    encode,
    failed_list,
    find_answer,
    read_find,
    read_retrieve,
)
from reread.connectors.query_keys import KEYS, Level, Root
from reread.connectors.text_values import raw_value

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def identifier(syntax: str = EXPLICIT, **keys: object) -> bytes:
    """An identifier, also with values that pydicom would not write."""
    elements = []
    for keyword, value in keys.items():
        vr, tag = dictionary_VR(keyword), int(Tag(keyword))
        if isinstance(value, list) and vr == "SQ":
            inner = pynetdicom_encode(value[0], syntax == IMPLICIT, True)
            assert inner is not None
            content = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
        else:
            content = raw_value(vr, "\\".join(value) if isinstance(value, list) else str(value or ""))
        elements.append((tag, vr, content))
    return encode(elements, syntax)


def decoded(content: bytes, syntax: str = EXPLICIT) -> Dataset:
    return read_dataset(BytesIO(content), syntax == IMPLICIT, True)


@pytest.mark.parametrize(
    ("root", "keys", "tag"),
    [
        (Root.STUDY, {}, 0x00080052),  # R3.160
        (Root.STUDY, {"QueryRetrieveLevel": "PATIENT", "PatientID": ""}, 0x00080052),
        (Root.STUDY, {"QueryRetrieveLevel": "FRAME"}, 0x00080052),
        (Root.STUDY, {"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": ""}, 0x0020000D),
        (Root.STUDY, {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": ""}, 0x0020000D),
        (Root.STUDY, {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": ["1.2", "1.3"]}, 0x0020000D),
        (Root.STUDY, {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2", "SOPInstanceUID": ""}, 0x0020000E),
        (Root.PATIENT, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}, 0x00100020),
        (Root.PATIENT, {"QueryRetrieveLevel": "STUDY", "PatientID": "P*", "StudyInstanceUID": ""}, 0x00100020),
        (Root.STUDY, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.*"}, 0x0020000D),
        (Root.STUDY, {"QueryRetrieveLevel": "STUDY", "StudyDate": "20261"}, 0x00080020),
        (Root.STUDY, {"QueryRetrieveLevel": "STUDY", "StudyTime": "99"}, 0x00080030),
    ],
)
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_find_that_is_refused(root, keys, tag, syntax):
    content = identifier(syntax, **keys)
    with pytest.raises(IdentifierRefused) as refused:
        read_find(content, syntax, root)
    assert (refused.value.status, refused.value.element) == (0xA900, tag)
    assert 0 < len(refused.value.comment) <= 64


@pytest.mark.parametrize(
    ("root", "keys", "tag"),
    [
        (Root.STUDY, {}, 0x00080052),  # R3.224
        (Root.STUDY, {"QueryRetrieveLevel": "STUDY"}, 0x0020000D),
        (Root.STUDY, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "*"}, 0x0020000D),
        (Root.STUDY, {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2", "SOPInstanceUID": "1"}, 0x0020000E),
        (Root.PATIENT, {"QueryRetrieveLevel": "PATIENT"}, 0x00100020),
        (Root.PATIENT, {"QueryRetrieveLevel": "PATIENT", "PatientID": ["A", "B"]}, 0x00100020),
        (Root.PATIENT, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2"}, 0x00100020),
    ],
)
def test_a_retrieval_that_is_refused(root, keys, tag):
    with pytest.raises(IdentifierRefused) as refused:
        read_retrieve(identifier(**keys), EXPLICIT, root)
    assert (refused.value.status, refused.value.element) == (0xA900, tag)


def test_a_retrieval_takes_unique_keys_only():
    keys = {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}
    query = read_retrieve(
        identifier(**keys, SOPInstanceUID=["1.4", "1.5"], PatientID="X", Modality="MG"), EXPLICIT, Root.STUDY
    )
    assert query.keys == {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "SOPInstanceUID": "1.4\\1.5"}


@pytest.mark.parametrize(
    "content", [b"\x08", b"\x08\0\x52\0CS\xff\xff", bytes(7), b"\x08\0\x05\0SQ\0\0\xff\xff\xff\xff"]
)
def test_what_is_no_data_set(content):
    with pytest.raises(IdentifierRefused) as refused:
        read_find(content, EXPLICIT, Root.STUDY)
    assert refused.value.status in (0xC000, 0xA900)


@given(st.binary(max_size=200), st.sampled_from([EXPLICIT, IMPLICIT]))
def test_any_bytes_are_read_or_refused(content, syntax):
    for read in (read_find, read_retrieve):
        try:
            read(content, syntax, Root.PATIENT)
        except IdentifierRefused as refused:
            assert refused.status in (0xA900, 0xC000) and len(refused.comment) <= 64


def test_keys_of_other_levels():
    study = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}
    assert not read_find(identifier(**study, PatientName="A*"), EXPLICIT, Root.STUDY).has_unsupported
    asked = read_find(identifier(**study, Modality="MG"), EXPLICIT, Root.STUDY)
    assert asked.has_unsupported and "Modality" not in asked.query.keys, "a key of a level below is no key (R4.159)"
    asked = read_find(identifier(**study, PatientBirthName="A"), EXPLICIT, Root.STUDY)
    assert asked.has_unsupported
    image = {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "Modality": "MG"}
    assert read_find(identifier(**image, PatientName="A*"), EXPLICIT, Root.STUDY).query.keys["PatientName"] == "A*"
    assert not read_find(
        identifier(**study, TimezoneOffsetFromUTC="+0100", RetrieveAETitle="", InstanceAvailability=""),
        EXPLICIT,
        Root.STUDY,
    ).has_unsupported


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_an_answer_is_what_was_asked_for(syntax):
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "", ""
    content = identifier(
        syntax,
        QueryRetrieveLevel="IMAGE",
        StudyInstanceUID="1.2",
        SeriesInstanceUID="1.3",
        SOPInstanceUID="",
        PatientName="",
        Rows=None,
        InstanceNumber="",
        ImageType="",
        ProcedureCodeSequence=[item],
    )
    asked = read_find(content, syntax, Root.STUDY)
    values = dict.fromkeys(KEYS, "") | {"PatientName": "Müller^Ä", "Rows": "3328", "ImageType": "DERIVED\\PRIMARY"}
    codes = [{"CodeValue": "A", "CodingSchemeDesignator": "B", "CodeMeaning": "Größe"}]
    answer = decoded(find_answer(asked, values | {"InstanceNumber": "7"}, codes, "REREAD"), syntax)
    assert {element.keyword for element in answer} == {
        "QueryRetrieveLevel",
        "RetrieveAETitle",
        "InstanceAvailability",
        "SpecificCharacterSet",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "PatientName",
        "Rows",
        "InstanceNumber",
        "ImageType",
        "ProcedureCodeSequence",
    }
    assert answer.SpecificCharacterSet == "ISO_IR 192" and str(answer.PatientName) == "Müller^Ä"
    assert (answer.Rows, answer.InstanceNumber, list(answer.ImageType)) == (3328, 7, ["DERIVED", "PRIMARY"])
    (code,) = answer.ProcedureCodeSequence
    assert {element.keyword for element in code} == {"CodeValue", "CodeMeaning"} and code.CodeMeaning == "Größe"
    assert (answer.QueryRetrieveLevel, answer.RetrieveAETitle, answer.InstanceAvailability) == (
        "IMAGE",
        "REREAD",
        "ONLINE",
    )


@pytest.mark.parametrize(
    ("asked_for", "name", "stated"),
    [
        ("", "Doe^John", None),
        ("ISO_IR 100", "Doe^John", None),
        ("ISO_IR 100", "Müller", "ISO_IR 100"),
        ("ISO_IR 100", "山田", "ISO_IR 192"),
        ("ISO_IR 144", "Люк", "ISO_IR 144"),
        ("GB18030", "张", "GB18030"),
        ("", "Müller", "ISO_IR 192"),
        ("ISO_IR 13", "ﾔﾏ", "ISO_IR 192"),
        ("ISO 2022 IR 6\\ISO 2022 IR 87", "山田", "ISO_IR 192"),
        ("nonsense", "Müller", "ISO_IR 192"),
    ],
)
def test_the_character_set_of_an_answer(asked_for, name, stated):
    content = encode(
        [
            (0x00080005, "CS", asked_for.encode() + b" " * (len(asked_for) % 2)),
            (0x00080052, "CS", b"STUDY "),
            (0x00100010, "PN", b""),
        ],
        EXPLICIT,
    )
    asked = read_find(content, EXPLICIT, Root.STUDY)
    answer = decoded(find_answer(asked, {"PatientName": name}, [], "REREAD"))
    assert answer.get("SpecificCharacterSet") == stated and str(answer.PatientName) == name


@pytest.mark.parametrize(
    ("term", "codec"), [("ISO_IR 100", "latin-1"), ("ISO_IR 192", "utf-8"), ("ISO_IR 101", "iso8859-2")]
)
def test_keys_are_read_in_the_requesters_character_set(term, codec):
    name = "Müller*".encode(codec)
    elements = [(0x00080005, "CS", term.encode()), (0x00080052, "CS", b"STUDY "), (0x00100010, "PN", name + b" ")]
    asked = read_find(encode(elements, IMPLICIT), IMPLICIT, Root.STUDY)
    assert asked.query == type(asked.query)(Root.STUDY, Level.STUDY, {"PatientName": "Müller*"})


def test_a_list_of_failures_that_is_too_long_is_cut():
    uids = [f"1.2.840.1{number:055d}" for number in range(2000)]
    for syntax in (EXPLICIT, IMPLICIT):
        listed = decoded(failed_list(uids, syntax), syntax).FailedSOPInstanceUIDList
        assert list(listed) == uids[: len(listed)] and 900 < len(listed) < 1100
    assert not decoded(failed_list([], EXPLICIT), EXPLICIT).FailedSOPInstanceUIDList
