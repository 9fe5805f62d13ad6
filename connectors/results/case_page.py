"""One HTML page of a case without a PACS: views with marks, density, findings, history, quality, provenance.

Everything is in the file: pictures as data, marks as SVG, no script, no network. It prints on A4, follows the light or
dark setting of the reader, and marks can be switched off by kind and operating point.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from reread.analytics.pictures import burned_in
from reread.analytics.pictures_overlay import Overlay
from reread.analytics.records import FindingKind, Nature
from reread.connectors.picture_files import decoded, plain_path, read_plain, save_png
from reread.connectors.results.case_page_drawings import (
    HistoryDrawing,
    MarkDrawing,
    ScaleDrawing,
    history_drawing,
    mark_drawing,
    scale_drawing,
)
from reread.connectors.results.case_page_facts import CaseFacts, Row
from reread.connectors.results.density_page_facts import area_scale, volume_scale
from reread.connectors.results.page_language import Words
from reread.connectors.results.page_remarks import image_remarks, nipple_line_remark


@dataclass(frozen=True, slots=True, eq=False)
class CaseView:
    """One image on the page."""

    name: str
    on_right: bool
    """the left breast"""
    row: int
    """of the grid, from 1: views of both breasts side by side, repeats below"""
    measured: bool
    why: str
    """why it was not measured"""
    percent: str
    letter: str
    volumetric: str
    picture: str
    """data URI; "" when no picture was kept"""
    overlay: Overlay | None
    marks: tuple[MarkDrawing, ...]
    remarks: tuple[str, ...]
    taken: tuple[str, ...]
    """how the image was taken, with units"""
    inferred: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CaseFinding:
    """One row of the findings table."""

    anchor: str
    view: str
    kind: str
    name: str
    probability: str
    operating_point: int
    size: str
    nipple_distance: str
    chest_wall_distance: str
    members: str


def case_page(facts: CaseFacts, pictures: Path, words: Words) -> str:
    """The page as HTML.

    Parameters
    ----------
    pictures
        Folder of the pictures; images without one are listed without.
    """
    environment = Environment(
        loader=PackageLoader("reread.connectors.results", "."),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    anchors = {
        (row["sop_instance_uid"], row["kind"], row["finding_index"]): f"f{number}"
        for number, row in enumerate(facts.findings, 1)
    }
    grid = _grid(facts.images)
    views = [_view(facts, row, grid[row["sop_instance_uid"]], pictures, anchors, words) for row in facts.images]
    study = facts.study
    return environment.get_template("case_page.html").render(
        w=words,
        study=study,
        views=views,
        wide=[view for view in views if view.picture],
        findings=[_finding(row, anchors, words) for row in facts.findings],
        scales=_scales(study, words),
        history=history_drawing(facts.history, study, words),
        rows=list(reversed(facts.history)),
        remarks=_remarks(study, views, words),
        composition=words.composition(study["category"] or ""),
        percent=lambda value, digits=0: "–" if value is None else f"{words.number(value, digits)} %",
        points=lambda value: "–" if value is None else words.number(value, 1, signed=True),
    )


def write_case_page(page: str, path: Path) -> None:
    """Write the page; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)


def write_case_pictures(facts: CaseFacts, pictures: Path, folder: Path) -> tuple[Path, ...]:
    """Write every view of a case as PNG, without and with marks; the files, named by laterality and view."""
    written = []
    seen: dict[str, int] = {}
    for row in facts.images:
        kept = _kept(row, pictures)
        if kept is None:
            continue
        name = f"{row['laterality']}{row['view']}"
        seen[name] = seen.get(name, 0) + 1
        name += f"-{seen[name]}" if seen[name] > 1 else ""
        grey = decoded(kept[0])
        for suffix, picture in (("", grey), ("-marks", burned_in(grey, kept[1]))):
            written.append(folder / f"{name}{suffix}.png")
            save_png(picture, written[-1])
    return tuple(written)


def _kept(row: Row, pictures: Path) -> tuple[bytes, Overlay] | None:
    if row["status"] != "measured" or not row["sop_instance_uid"]:
        return None
    return read_plain(plain_path(pictures, row["study_instance_uid"], row["algorithm"], row["sop_instance_uid"]))


def _grid(images: Sequence[Row]) -> dict[str, int]:
    """SOP Instance UID → row of the grid."""
    counts: Counter[tuple[str, str]] = Counter()
    keys: dict[str, tuple[int, str]] = {}
    for row in images:
        view = row["view"] or ""
        repeat = counts[view, row["laterality"]]
        counts[view, row["laterality"]] += 1
        keys[row["sop_instance_uid"]] = (repeat, {"CC": "0", "MLO": "1"}.get(view, view))
    order = sorted(set(keys.values()))
    return {uid: order.index(key) + 1 for uid, key in keys.items()}


def _view(
    facts: CaseFacts, row: Row, grid_row: int, pictures: Path, anchors: Mapping[tuple[str, str, int], str], words: Words
) -> CaseView:
    uid = row["sop_instance_uid"]
    density, quality = facts.density.get(uid), facts.quality.get(uid)
    kept = _kept(row, pictures)
    overlay = kept[1] if kept else None
    measured = row["status"] == "measured"
    volumetric = density["volumetric_percent"] if density else None
    return CaseView(
        name=f"{row['laterality']} {row['view']}" if row["laterality"] else row["source"],
        on_right=row["laterality"] == "L",
        row=grid_row,
        measured=measured,
        why="" if measured else f"{row['reason'] or row['status']}{': ' + row['detail'] if row['detail'] else ''}",
        percent=f"{words.number(density['percent_density'])} %" if density else "",
        letter=density["category"] if density else "",
        volumetric="" if volumetric is None else f"{words.number(volumetric, 1)} %",
        picture=f"data:image/jpeg;base64,{b64encode(kept[0]).decode('ascii')}" if kept else "",
        overlay=overlay,
        marks=tuple(
            mark_drawing(mark, overlay.width, anchors.get((uid, mark.kind.value, mark.index), ""), words)
            for mark in overlay.marks
        )
        if overlay
        else (),
        remarks=image_remarks(quality, words) if quality else (),
        taken=_taken(quality, words) if quality else (),
        inferred=tuple(row["inferred"] or ()),
    )


def _taken(quality: Row, words: Words) -> tuple[str, ...]:
    material = "/".join(filter(None, (quality["anode"], quality["filter_material"])))
    amounts = (
        (quality["kvp"], 0, "kV"),
        (quality["exposure_mas"], 0, "mAs"),
        (quality["compressed_thickness_mm"], 0, "mm"),
        (quality["compression_force_n"], 0, "N"),
        (quality["organ_dose_mgy"], 2, "mGy"),
    )
    told = [f"{words.number(value, digits)} {unit}" for value, digits, unit in amounts if value is not None]
    return (*([material] if material else []), *told)


def _finding(row: Row, anchors: Mapping[tuple[str, str, int], str], words: Words) -> CaseFinding:
    def length(name: str) -> str:
        return "–" if row[name] is None else f"{words.number(row[name])} mm"

    return CaseFinding(
        anchor=anchors[row["sop_instance_uid"], row["kind"], row["finding_index"]],
        view=f"{row['laterality']} {row['view']}",
        kind=row["kind"],
        name=words.finding(FindingKind(row["kind"]), Nature(row["nature"])),
        probability=f"{words.number(100 * row['score'])} %",
        operating_point=row["operating_point"],
        size=length("size_mm"),
        nipple_distance=length("nipple_distance_mm"),
        chest_wall_distance=length("chest_wall_distance_mm"),
        members=f"{row['member_count']} {words.single_calcifications}" if row["member_count"] else "",
    )


def _scales(study: Row, words: Words) -> tuple[ScaleDrawing, ...]:
    drawn = [
        scale_drawing(
            area_scale(),
            f"{words.percent_density}",
            study["percent_density_right"],
            study["percent_density_left"],
            study["percent_density"],
            words,
        )
    ]
    if study["volumetric_percent"] is not None:
        drawn.append(
            scale_drawing(
                volume_scale(),
                words.volumetric_density,
                study["volumetric_percent_right"],
                study["volumetric_percent_left"],
                study["volumetric_percent"],
                words,
            )
        )
    return tuple(drawn)


def _remarks(study: Row, views: list[CaseView], words: Words) -> tuple[tuple[str, str], ...]:
    """(where, remark); the same remark on several views stands once."""
    seen: dict[str, list[str]] = {}
    for view in views:
        for text in view.remarks:
            seen.setdefault(text, []).append(view.name)
    for side, name in (("R", "nipple_line_right_mm"), ("L", "nipple_line_left_mm")):
        if text := nipple_line_remark(study[name], words):
            seen.setdefault(text, []).append(side)
    return tuple((", ".join(where), text) for text, where in seen.items())


__all__ = ["CaseFinding", "CaseView", "HistoryDrawing", "case_page", "write_case_page", "write_case_pictures"]
