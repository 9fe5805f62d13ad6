"""`reread measure` as a function: a worker that dies costs one image."""

from __future__ import annotations

import pyarrow.parquet as pq
import pydicom
import pytest
from dies_on_purpose import reread_or_die
from made_nights import phantom_file, phantom_study

from reread.analytics.errors import SettingsInvalid
from reread.analytics.reasons import Reason
from reread.connectors.results.page_language import words
from reread.deployments.folder_runs import measure_paths
from reread.deployments.settings_results import formats_of


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_image_alone(tmp_path):
    files = phantom_study(tmp_path / "in", "2.25.1", 4) + phantom_study(tmp_path / "in", "2.25.2", 2)
    files[1].rename(files[1].with_name("deadly.dcm"))
    outcome = measure_paths([tmp_path / "in"], tmp_path / "out", workers=2, reread=reread_or_die)
    assert [(image.path.rsplit("/", 1)[-1], image.reason) for image in outcome.rejected] == [
        ("deadly.dcm", Reason.WORKER_DIED)
    ]
    found = {case.study_instance_uid: (case.failure, case.views) for case in outcome.outcomes}
    assert found == {"2.25.1": (None, "R CC, R MLO, L MLO"), "2.25.2": (None, "R CC, L CC")}
    rows = pq.read_table(tmp_path / "out" / "images.parquet").to_pylist()
    assert {row["source"]: row["reason"] for row in rows if row["status"] != "measured"} == {
        "deadly.dcm": "worker_died"
    }
    assert len(rows) == 6


@pytest.mark.slow
def test_every_death_is_named_also_when_the_workers_are_warm(tmp_path):
    first, second = (phantom_study(tmp_path / "in", f"2.25.{number}", 3) for number in (1, 2))
    for number, path in enumerate((first[2], second[0], second[2])):
        path.rename(path.with_name(f"deadly-{number}.dcm"))
    outcome = measure_paths([tmp_path / "in"], tmp_path / "out", workers=1, reread=reread_or_die)
    assert {image.path.rsplit("/", 1)[-1] for image in outcome.rejected} == {f"deadly-{n}.dcm" for n in range(3)}
    assert {image.reason for image in outcome.rejected} == {Reason.WORKER_DIED}
    assert {case.study_instance_uid: case.views for case in outcome.outcomes} == {
        "2.25.1": "R CC, L CC",
        "2.25.2": "L CC",
    }


@pytest.mark.slow
def test_the_output_of_an_earlier_run_is_no_input(tmp_path):
    phantom_study(tmp_path, count=1)
    for _ in range(2):
        outcome = measure_paths([tmp_path], tmp_path / "out", workers=1)
        assert outcome.rejected == ()
        assert pq.read_table(tmp_path / "out" / "images.parquet").num_rows == 1


def test_every_form_and_a_page_of_each_case(tmp_path):
    files = [phantom_file(tmp_path / f"{number}.dcm", number, view=view) for number, view in ((1, "CC"), (2, "MLO"))]
    formats = formats_of("all")
    outcome = measure_paths(files, tmp_path / "out", workers=1, formats=formats, language="sv", pages=True)
    (case,) = outcome.outcomes
    assert case.failure is None, case.detail
    # no film, and nothing but density and marks differ between these
    assert {item.format for item in case.objects} | {"enhanced-film", "overlay", "key-objects"} == set(formats)
    assert sorted(path.name for path in (tmp_path / "out" / "dicom").iterdir()) == sorted(
        item.path.name for item in case.objects
    )
    (page,) = (tmp_path / "out" / "cases").iterdir()
    assert page in outcome.files
    assert page.name == f"{case.study_instance_uid}.html"
    assert words("sv").notice in page.read_text("utf-8")


def test_options_of_reports_reach_the_report(tmp_path):
    path = phantom_file(tmp_path / "1.dcm", 1)
    views = []
    for options in ((), ("codes=snm3", "certainty=true")):
        outcome = measure_paths(
            [path], tmp_path / "out", workers=1, formats=("mammography-cad-sr",), report_options=options
        )
        (written,) = outcome.outcomes[0].objects
        views.append(str(pydicom.dcmread(written.path)).count("SNM3"))
    assert views[0] == 0 < views[1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"formats": ("cines",)}, "'cines' is no form"),
        ({"language": "tlh"}, "tlh"),
        ({"report_options": ("codes=klingon",)}, "codes=klingon"),
    ],
)
def test_what_is_not_known_is_said_before_anything_is_measured(tmp_path, wrong, said):
    with pytest.raises(SettingsInvalid, match=said):
        measure_paths([phantom_file(tmp_path / "1.dcm")], tmp_path / "out", workers=1, **wrong)
    assert not (tmp_path / "out").exists()
