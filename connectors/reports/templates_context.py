"""TID 1000 to 1010 and 1015 as rows: who observed what, on whom and in which procedure (PS3.16 Annex A)."""

from __future__ import annotations

from reread.connectors.reports.codes import NO_UNITS, Code
from reread.connectors.reports.templates_rows import (
    CONTAINS,
    HAS,
    MC,
    MOD,
    OBS,
    UC,
    Condition,
    Kind,
    M,
    Row,
    U,
    entry,
    one_of,
    when,
    xor,
)
from reread.connectors.reports.value_sets import dcm

_NEEDED = Condition(Kind.ELSEWHERE, sentence="the context is not inherited")
_FETUS = one_of("3", "4")


def _subject(kind: str) -> Condition:
    return when(Kind.ONLY_IF, f"subject_is_{kind}", f"the subject is a {kind}")


TABLE: tuple[Row, ...] = (
    # TID 1000 Quotation
    entry((1000, "1", 0), OBS, "CODE", M, concept=dcm("121001"), values=(dcm("121003"), dcm("121004"))),
    entry(
        (1000, "2", 0),
        OBS,
        "COMPOSITE",
        MC,
        "1",
        Condition(Kind.ELSEWHERE, sentence="what is quoted is a DICOM object"),
        concept=dcm("121002"),
    ),
    entry((1000, "3", 0), OBS, "", M, includes=1001),
    # TID 1001 Observation Context
    entry((1001, "1", 0), OBS, "", MC, "1-n", _NEEDED, includes=1002),
    entry((1001, "2", 0), OBS, "", MC, "1", _NEEDED, includes=1005),
    entry((1001, "3", 0), OBS, "", MC, "1", _NEEDED, includes=1006),
    # TID 1002 Observer Context; one after the other where there are several
    entry(
        (1002, "1", 0),
        OBS,
        "CODE",
        MC,
        "1",
        when(Kind.IF, "device_is_described", "the observer is a device"),
        concept=dcm("121005"),
        value_sets=(270,),
    ),
    entry(
        (1002, "2", 0),
        OBS,
        "",
        MC,
        "1",
        when(Kind.IFF, "observer_is_person", "the observer is a person"),
        includes=1003,
    ),
    entry(
        (1002, "3", 0),
        OBS,
        "",
        MC,
        "1",
        when(Kind.IFF, "observer_is_device", "the observer is a device"),
        includes=1004,
    ),
    entry((1002, "4", 0), OBS, "", U, includes=1015),
    # TID 1003 Person Observer Identifying Attributes
    entry((1003, "1", 0), "", "PNAME", M, concept=dcm("121008")),
    entry((1003, "1a", 0), "", "TEXT", U, concept=dcm("128774")),
    entry((1003, "2", 0), "", "TEXT", U, concept=dcm("121009")),
    entry((1003, "3", 0), "", "CODE", U, concept=dcm("121010")),
    entry((1003, "4", 0), "", "CODE", U, concept=dcm("121011")),
    entry((1003, "5", 1), MOD, "TEXT", U, concept=dcm("128775")),
    # TID 1004 Device Observer Identifying Attributes
    entry((1004, "1", 0), "", "UIDREF", M, concept=dcm("121012")),
    entry((1004, "2", 0), "", "TEXT", U, concept=dcm("121013")),
    entry((1004, "3", 0), "", "TEXT", U, concept=dcm("121014")),
    entry((1004, "4", 0), "", "TEXT", U, concept=dcm("121015")),
    entry((1004, "5", 0), "", "TEXT", U, concept=dcm("121016")),
    entry((1004, "6", 0), "", "TEXT", U, concept=dcm("121017")),
    entry((1004, "7", 0), "", "CODE", U, "1-n", concept=dcm("113876")),
    entry((1004, "8", 0), "", "TEXT", U, concept=dcm("110119")),
    entry((1004, "9", 0), "", "UIDREF", U, "1-n", concept=dcm("121061")),
    entry((1004, "10", 0), "", "CONTAINER", U, "1-n", concept=dcm("121000")),
    entry((1004, "11", 1), CONTAINS, "TEXT", M, concept=Code("74711-3", "LN", "Unique Device Identifier")),
    entry((1004, "12", 1), CONTAINS, "TEXT", U, concept=dcm("120999")),
    # TID 1005 Procedure Study Context
    entry((1005, "1", 0), "", "UIDREF", U, concept=dcm("121018")),
    entry((1005, "2", 0), "", "UIDREF", U, "1-n", concept=dcm("121019")),
    entry((1005, "3", 0), "", "TEXT", U, concept=dcm("121020")),
    entry((1005, "4", 1), MOD, "TEXT", U, concept=dcm("110190")),
    entry((1005, "5", 0), "", "TEXT", U, concept=dcm("121021")),
    entry((1005, "6", 1), MOD, "TEXT", U, concept=dcm("110190")),
    entry((1005, "7", 0), "", "TEXT", U, concept=dcm("121022")),
    entry((1005, "8", 1), MOD, "TEXT", U, concept=dcm("110190")),
    entry((1005, "9", 0), "", "CODE", U, "1-n", concept=dcm("121023")),
    # TID 1006 Subject Context
    entry(
        (1006, "1", 0),
        "",
        "CODE",
        MC,
        "1",
        Condition(Kind.ELSEWHERE, sentence="the subject is not the patient"),
        concept=dcm("121024"),
        value_sets=(271,),
    ),
    entry((1006, "2", 0), "", "", UC, "1", _subject("patient"), includes=1007),
    entry((1006, "3", 0), "", "", UC, "1", _subject("fetus"), includes=1008),
    entry((1006, "4", 0), "", "", UC, "1", _subject("specimen"), includes=1009),
    entry((1006, "5", 0), "", "", UC, "1", _subject("device"), includes=1010),
    # TID 1007 Subject Context, Patient
    entry((1007, "1", 0), "", "UIDREF", U, concept=dcm("121028")),
    entry((1007, "2", 0), "", "PNAME", MC, "1", _NEEDED, concept=dcm("121029")),
    # the edition prints a CODE; an identifier is a TEXT in the editions before, in TID 1008 and wherever one is written
    entry((1007, "3", 0), "", "CODE", MC, "1", _NEEDED, concept=dcm("121030")),
    entry((1007, "3t", 0), "", "TEXT", MC, "1", _NEEDED, concept=dcm("121030")),
    entry((1007, "4", 0), "", "DATE", U, concept=dcm("121031")),
    entry((1007, "5", 0), "", "CODE", U, concept=dcm("121032"), value_sets=(7455,)),
    entry(
        (1007, "5a", 0),
        "",
        "CODE",
        U,
        "1-n",
        concept=Code("131233", "DCM", "Subject Sex Parameters for Clinical Use"),
    ),
    entry(
        (1007, "5b", 0),
        "",
        "TEXT",
        U,
        concept=Code("131234", "DCM", "Subject Sex Parameters for Clinical Use Category Comment"),
    ),
    entry(
        (1007, "5c", 0),
        "",
        "TEXT",
        U,
        "1-n",
        concept=Code("131235", "DCM", "Subject Sex Parameters for Clinical Use Category Reference"),
    ),
    entry((1007, "6", 0), "", "NUM", U, concept=dcm("121033"), units_sets=(7456,)),
    entry((1007, "7", 0), "", "CODE", MC, "1", _NEEDED, concept=dcm("121034"), value_sets=(7454,)),
    entry((1007, "8", 0), "", "CODE", U, concept=dcm("121035"), value_sets=(7480,)),
    entry((1007, "9", 0), "", "CODE", U, "1-n", concept=Code("415229000", "SCT", "Racial group")),
    # TID 1008 Subject Context, Fetus
    entry((1008, "1", 0), "", "PNAME", U, concept=dcm("121036")),
    entry((1008, "2", 0), "", "UIDREF", U, concept=dcm("121028")),
    entry((1008, "3", 0), "", "TEXT", MC, "1", _FETUS, concept=dcm("121030")),
    entry((1008, "4", 0), "", "TEXT", MC, "1", _FETUS, concept=Code("11951-1", "LN", "Fetus ID")),
    entry(
        (1008, "5", 0),
        "",
        "NUM",
        U,
        "1",
        xor("5", "6"),
        concept=Code("11878-6", "LN", "Number of Fetuses by US"),
        units=(NO_UNITS,),
    ),
    entry(
        (1008, "6", 0),
        "",
        "NUM",
        UC,
        "1",
        xor("5", "6"),
        concept=Code("55281-0", "LN", "Number of Fetuses"),
        units=(NO_UNITS,),
    ),
    # TID 1009 Subject Context, Specimen
    entry((1009, "1", 0), "", "UIDREF", U, concept=dcm("121039")),
    entry(
        (1009, "2", 0),
        "",
        "",
        UC,
        "1",
        Condition(Kind.ELSEWHERE, sentence="the specimen comes from a patient"),
        includes=1007,
    ),
    entry((1009, "3", 0), "", "TEXT", U, concept=dcm("121041")),
    entry((1009, "4", 0), "", "TEXT", U, concept=dcm("111724")),
    entry((1009, "5", 0), "", "CODE", U, concept=Code("371439000", "SCT", "Specimen Type"), value_sets=(8103,)),
    entry((1009, "6", 0), "", "TEXT", U, concept=dcm("111700")),
    # TID 1010 Subject Context, Device
    entry((1010, "1", 0), "", "TEXT", M, concept=dcm("121193")),
    entry((1010, "2", 0), "", "UIDREF", U, concept=dcm("121198")),
    entry((1010, "3", 0), "", "TEXT", U, concept=dcm("121194")),
    entry((1010, "4", 0), "", "TEXT", U, concept=dcm("121195")),
    entry((1010, "5", 0), "", "TEXT", U, concept=dcm("121196")),
    entry((1010, "6", 0), "", "TEXT", U, concept=dcm("121197")),
    # TID 1015 Person Observer Description
    entry((1015, "1", 0), "", "CODE", M, concept=dcm("128003"), value_sets=(7449,)),
    entry(
        (1015, "2", 1),
        HAS,
        "NUM",
        M,
        concept=Code("C54627", "NCIt", "Experience"),
        units=(Code("a", "UCUM", "Year"),),
    ),
)
