"""The report page: made from the warehouse alone, safe to open, honest about what failed."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_studies import PROVENANCE, failed, image_result, study_result
from phantoms import phantom

from reread.analytics.reasons import Reason
from reread.analytics.records import RejectedImage, View
from reread.analytics.tables import tables
from reread.connectors.picture_files import picture_path, save_picture
from reread.connectors.report_page import write_report
from reread.connectors.warehouse import Warehouse


class Page(HTMLParser):
    """Tags, links and text of a page; fails on tags that do not close."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def image(view: View, uid: str = "2.25.7"):
    header = phantom(view, rows=100, columns=80, spacing_mm=2.0).mammogram.header
    return image_result(replace(header, study_instance_uid=uid, inferred=("spacing: <guessed> & so",)))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    Warehouse(tmp_path / "warehouse").prepare()
    return tmp_path


def written(site: Path) -> Page:
    page = write_report(site / "warehouse", site / "pictures", site / "report.html")
    assert page == site / "report.html"
    assert not list(site.glob("*.part"))
    return Page(page)


def test_an_empty_warehouse_gives_a_page_that_says_so(site):
    page = written(site)
    assert "No study has been measured yet." in page.text
    assert "not a medical device" in page.text
    assert page.links == []


def test_pictures_are_linked_relative_and_exist(site):
    study = study_result(image(View.CC), image(View.MLO))
    Warehouse(site / "warehouse").record(tables((study,), PROVENANCE), part="a")
    picture = np.full((60, 40, 3), 128, np.uint8)
    uid = study.images[0].header.sop_instance_uid
    save_picture(picture, picture_path(site / "pictures", "2.25.7", PROVENANCE.algorithm, uid))
    page = written(site)
    pictures = [link for link in page.links if not link.startswith("#")]
    # the image and the link around it; MLO has no file
    assert pictures == [f"pictures/2.25.7/{PROVENANCE.algorithm}/{uid}.jpg"] * 2
    assert all((site / link).is_file() for link in pictures)
    assert page.tags.count("figure") == 2


def test_numbers_marks_and_failures_stand_there(site):
    study = study_result(image(View.CC), failed(image(View.MLO)))
    orphan = RejectedImage("lost.bin", Reason.NOT_DICOM, "no SOP Class UID")
    Warehouse(site / "warehouse").record(tables((study,), PROVENANCE, orphans=(orphan,)), part="a")
    text = written(site).text
    assert "L CC · density 23.4 %" in text
    assert "mass, score 0.90, point 0, 12 mm" in text
    assert "calcifications, score 0.80, point 1, 8 mm , 2 single" in text or "8 mm, 2 single" in text
    assert "score 0.10" not in text  # below every operating point
    assert "failed: measurement_failed (made to fail)" in text
    assert "1/2" in text
    assert "lost.bin not_dicom no SOP Class UID" in text


def test_what_comes_from_files_is_escaped(site):
    attack = "<script>alert(1)</script>"
    study = replace(study_result(image(View.CC)), woman=attack)
    orphan = RejectedImage('"><img src=x>.dcm', Reason.TRUNCATED, attack)
    Warehouse(site / "warehouse").record(tables((study,), PROVENANCE, orphans=(orphan,)), part="a")
    page = written(site)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert attack in page.text
    assert "spacing: <guessed> & so" in page.text


def test_only_the_newest_result_of_a_study_is_shown(site):
    store = Warehouse(site / "warehouse")
    for number in (1, 2):
        stamp = replace(PROVENANCE, run_id=f"r{number}", recorded_at=f"2026-11-21T0{number}:00:00Z")
        store.record(tables((study_result(image(View.CC), revision=number),), stamp), part=stamp.run_id)
    page = written(site)
    assert page.tags.count("article") == 1
    assert page.tags.count("figure") == 1
    assert "revision 2" in page.text


def test_the_page_needs_no_network(site):
    text = write_report(site / "warehouse", site / "pictures", site / "report.html").read_text()
    assert "http://" not in text
    assert "https://" not in text
