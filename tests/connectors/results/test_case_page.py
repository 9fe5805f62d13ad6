"""The page of a case: made from tables and kept pictures alone, complete, self-contained, without patient data."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result

from reread.analytics.pictures_grey import render_grey
from reread.analytics.pictures_overlay import hung, overlay_of
from reread.analytics.reasons import Reason
from reread.analytics.records import RejectedImage, VolumetricDensity
from reread.analytics.tables import tables
from reread.connectors.mammograms import read_mammogram
from reread.connectors.picture_files import plain_path, read_plain, save_plain
from reread.connectors.results.case_page import case_page, write_case_page, write_case_pictures
from reread.connectors.results.case_page_facts import CaseNotFound, case_facts, earlier_densities, tables_at
from reread.connectors.results.page_language import languages, words
from reread.connectors.warehouse import Warehouse, write_flat
from reread.deployments.case_pages import case

WOMAN = "0123456789abcdef"
EARLIER = "2.25.900"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder as `reread measure` leaves it: two examinations of one woman, one with pictures."""
    folder = tmp_path_factory.mktemp("measured")
    images = []
    for number, (side, view) in enumerate((("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")), start=1):
        ds = mammogram_dataset(side, view, number=number)
        ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 192", "Wang^XiaoDong=王^小东"
        mammogram = read_mammogram(save(ds, folder / f"{number}.dcm"))
        image = image_result(mammogram.header)
        images.append(image)
        grey = render_grey(mammogram, image)
        header = image.header
        path = plain_path(folder / "pictures", header.study_instance_uid, PROVENANCE.algorithm, header.sop_instance_uid)
        save_plain(grey, overlay_of(image, hung(image, grey.shape[0])), path)
    rejected = RejectedImage("x.dcm", Reason.UNDECODABLE, "cut <b>", "2.25.77", images[0].header.study_instance_uid)
    now = replace(study_result(*images), woman=WOMAN, rejected=(rejected,))
    before = replace(now, study_instance_uid=EARLIER, study_date="20230102", images=(), rejected=())
    write_flat(tables([now, before], PROVENANCE), folder)
    return folder, now


@pytest.fixture
def facts(measured):
    return case_facts(tables_at(measured[0]), WOMAN)


class Outline(HTMLParser):
    """Tags in balance, identifiers once, links that lead somewhere."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.ids, self.targets, self.tags, self.outside = [], [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        for name in ("href", "src", "for", "aria-labelledby"):
            value = found.get(name, "")
            if name in ("for", "aria-labelledby") and value:
                self.targets.append(value)
            elif value.startswith("#"):
                self.targets.append(value[1:])
            elif value and not value.startswith("data:"):
                self.outside.append(value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", languages())
def test_the_page_is_whole_and_needs_no_network(measured, facts, language):
    page = case_page(facts, measured[0] / "pictures", words(language))
    outline = Outline(page)
    assert len(set(outline.ids)) == len(outline.ids)
    assert set(outline.targets) <= set(outline.ids)
    assert outline.outside == []
    assert "script" not in outline.tags
    assert "http" not in re.sub(r'content="default-src[^"]*"', "", page).replace("http-equiv", "")
    assert f'lang="{language}"' in page
    assert words(language).notice in page
    assert outline.tags.count("image") == 4


def test_the_page_holds_no_patient_data(measured, facts):
    page = re.sub(r"data:[^\"]+", "", case_page(facts, measured[0] / "pictures", words("zh")))
    for told in ("Wang", "王", "T-1", "A7", "19600102"):
        assert told not in page
    assert WOMAN in page


def test_marks_lead_to_their_rows_and_can_be_switched(measured, facts):
    page = case_page(facts, measured[0] / "pictures", words())
    marks = [
        finding for image in measured[1].images for finding in image.findings if finding.operating_point is not None
    ]
    assert len(facts.findings) == len(marks) == 12
    assert page.count('href="#f') == page.count('<tr id="f') == 12
    for layer in ("mass", "calcification", "p0", "p1", "p2", "number", "outline"):
        assert f"#show-{layer}:not(:checked) ~ .views .{layer} {{ display: none; }}" in page
        assert f'id="show-{layer}" checked' in page
    assert page.count('<g class="calcification"><g class="p1">') == 4
    # the row that a mark leads to is that of its probability
    for anchor, title in re.findall(r'href="#(f\d+)"[^>]*><title>([^<]*)</title>', page):
        row = re.search(rf'<tr id="{anchor}">(.*?)</tr>', page, re.DOTALL).group(1)
        assert title.split(" ", 1)[0].rstrip(",") in row
        assert f'<td class="n">{title.rsplit("probability ", 1)[1]}</td>' in row


def test_density_history_quality_and_provenance_are_there(measured, facts):
    page = case_page(facts, measured[0] / "pictures", words("de"))
    assert [str(row["study_date"]) for row in facts.history] == ["2023-01-02", "2025-01-02"]
    for told in ("23 %", "20 %", "27 %", "−6,8", "2023-01-02", "Boyd", PROVENANCE.parameters_digest, "Heterogen dicht"):
        assert told in page
    assert "undecodable: cut &lt;b&gt;" in page
    assert "<b>" not in page


def test_without_pictures_and_without_density_it_is_still_a_page(measured, facts, tmp_path):
    page = case_page(facts, tmp_path, words())
    assert "data:image" not in page
    Outline(page)
    (earlier,) = [row for row in facts.history if row["study_instance_uid"] == EARLIER]
    empty = replace(facts, study={**earlier, "percent_density": None}, images=(), findings=(), history=())
    page = case_page(empty, tmp_path, words())
    assert words().no_finding in page
    assert words().no_history in page


def test_volumetric_density_and_another_version_are_shown(measured, facts):
    volume = VolumetricDensity(9.4, "c", 720.0, 67.0, 58.0, 0.5)
    now = replace(measured[1], volumetric=volume, volumetric_left=volume, volumetric_right=volume)
    (row,) = tables([now], PROVENANCE)["studies"].to_pylist()
    old = {**facts.history[0], "version": "0.0.9"}
    page = case_page(replace(facts, study=row, history=(old, row)), measured[0] / "pictures", words())
    assert "Highnam" in page
    assert "measured by another version" in page
    assert 'class="R other"' in page


def test_the_same_case_gives_the_same_page(measured, facts, tmp_path):
    once, again = (
        case_page(case_facts(tables_at(measured[0]), WOMAN), measured[0] / "pictures", words()) for _ in "ab"
    )
    assert once == again
    write_case_page(once, tmp_path / "deep" / "page.html")
    assert (tmp_path / "deep" / "page.html").read_text("utf-8") == once
    assert [item.name for item in (tmp_path / "deep").iterdir()] == ["page.html"]


def test_every_view_as_png(measured, facts, tmp_path):
    written = write_case_pictures(facts, measured[0] / "pictures", tmp_path)
    assert [path.name for path in written] == [
        f"{view}{suffix}.png" for view in ("RCC", "LCC", "RMLO", "LMLO") for suffix in ("", "-marks")
    ]
    plain, marks = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in written[:2])
    assert plain.ndim == 2
    assert marks.shape == (*plain.shape, 3)
    assert (marks != plain[:, :, None]).any()


def test_a_case_is_found_by_study_or_woman_in_flat_tables_and_in_a_warehouse(measured, tmp_path):
    folder, now = measured
    assert case_facts(tables_at(folder), EARLIER).study["study_instance_uid"] == EARLIER
    assert case_facts(tables_at(folder), WOMAN).study["study_instance_uid"] == now.study_instance_uid
    warehouse = Warehouse(tmp_path / "warehouse")
    warehouse.prepare()
    warehouse.record(tables([now], PROVENANCE), part="a")
    assert case_facts(tables_at(tmp_path), now.study_instance_uid).study["woman"] == WOMAN
    for key in ("2.25.1", "nobody", "x' OR '1'='1", ""):
        with pytest.raises(CaseNotFound):
            case_facts(tables_at(folder), key)
    with pytest.raises(CaseNotFound, match="reread measure"):
        tables_at(tmp_path / "elsewhere")


def test_the_history_for_a_density_page(measured):
    query = tables_at(measured[0])
    (earlier,) = earlier_densities(query, WOMAN, date(2025, 1, 2), PROVENANCE.algorithm)
    assert (earlier.study_date, earlier.right, earlier.category) == ("20230102", 26.8, "c")
    assert earlier_densities(query, WOMAN, date(2023, 1, 2), PROVENANCE.algorithm) == ()
    assert earlier_densities(query, "it's", date(2025, 1, 2), PROVENANCE.algorithm) == ()


def test_kept_geometry_is_read_back_as_it_was(measured):
    folder, now = measured
    image = now.images[0]
    path = plain_path(folder / "pictures", now.study_instance_uid, PROVENANCE.algorithm, image.header.sop_instance_uid)
    jpeg, overlay = read_plain(path)
    assert overlay == overlay_of(image, hung(image, overlay.height))
    assert np.frombuffer(jpeg[:2], np.uint8).tolist() == [0xFF, 0xD8]
    assert read_plain(path.with_name("other.plain.jpg")) is None


def test_the_command_writes_page_and_pictures(measured, tmp_path, capsys):
    assert case(WOMAN, out=tmp_path / "a.html", data=measured[0], png=tmp_path / "png", language="sv") == 0
    told = capsys.readouterr().out.split()
    assert len(told) == 9
    assert words("sv").notice in (tmp_path / "a.html").read_text("utf-8")
