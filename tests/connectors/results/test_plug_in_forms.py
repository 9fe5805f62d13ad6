"""Forms of other packages: the example of the documentation is installed and written like one of ours."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from pathlib import Path

import pydicom
import pytest
from dicom_validators import assert_valid
from result_cases import assert_one_study, author, case_of

from reread.analytics.errors import AuthoringFailed
from reread.connectors.results.authoring import known_forms
from reread.connectors.results.viewer_forms import VIEWER_FORMS

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "add-a-form.md"


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, settings: str) -> None:
    """What pip leaves in site-packages: the module and its metadata."""
    project = tomllib.loads(settings)["project"]
    points = project["entry-points"]["reread.forms"]
    (name,) = points
    module = points[name].split(":")[0]
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(code)
    metadata = folder / f"{module}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (metadata / "entry_points.txt").write_text(f"[reread.forms]\n{name} = {points[name]}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module, raising=False)
    importlib.invalidate_caches()


def block(language: str) -> str:
    """The only block of a language on the page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


def test_the_example_of_the_page_is_written_like_our_own(tmp_path, monkeypatch):
    installed(tmp_path / "site-packages", monkeypatch, block("python"), block("toml"))
    assert list(known_forms())[-1] == "site-marks"
    result, sources = case_of(tmp_path / "in")
    written = author(result, sources, tmp_path / "out", ["site-marks"])
    assert [item.format for item in written] == ["site-marks"] * 4
    for image, item in zip(result.images, written, strict=True):
        assert_valid(item.path)
        ds = pydicom.dcmread(item.path)
        assert (ds.PatientName, ds.Manufacturer) == ("Test^Anna", "Reread")
        private = ds.private_block(0x0019, "SITE MARKS 1.0")
        assert private[0x01].value == image.header.sop_instance_uid
        assert len(private[0x02].value) == 2 * 3
    assert_one_study([*sources.values(), *(item.path for item in written)])


def test_a_form_that_cannot_be_loaded_is_named(tmp_path, monkeypatch):
    installed(tmp_path / "site-packages", monkeypatch, "import a_module_that_is_not_there\n", block("toml"))
    with pytest.raises(AuthoringFailed, match="'site-marks' cannot be loaded"):
        known_forms()


def test_a_name_that_is_taken_is_refused(tmp_path, monkeypatch):
    taken = block("python").replace('name = "site-marks"', 'name = "key-objects"')
    installed(tmp_path / "site-packages", monkeypatch, taken, block("toml"))
    with pytest.raises(AuthoringFailed, match="two forms are named 'key-objects'"):
        known_forms()


def test_our_own_forms_have_names_of_their_own():
    names = [form.name for form in VIEWER_FORMS]
    assert len(set(names)) == len(names) == 8
    assert set(names) < set(known_forms())
    assert all(form.sop_class_uids for form in VIEWER_FORMS)


def test_variants_of_our_forms_are_site_forms_too(tmp_path, monkeypatch):
    code = (
        "from reread.connectors.results.film import EnhancedFilmForm\n\n\n"
        'def coarse():\n    return EnhancedFilmForm(name="coarse-film", output_spacing_mm=2.0)\n'
    )
    settings = block("toml").replace("SiteMarksForm", "coarse")
    installed(tmp_path / "site-packages", monkeypatch, code, settings)
    result, sources = case_of(tmp_path / "in", "no-spacing")
    for item in author(result, sources, tmp_path / "out", ["coarse-film"]):
        assert_valid(item.path)
        assert pydicom.dcmread(item.path).LossyImageCompression == "01"
