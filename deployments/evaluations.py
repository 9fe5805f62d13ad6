"""`reread evaluate`: results against the truth, as figures, JSON and a page."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reread.analytics.evaluation import Evaluation
    from reread.connectors.evaluation_page import EvaluationSources

PAGE, FIGURES = "evaluation.html", "evaluation.json"


def evaluate(
    truth: Path,
    *,
    measured: Path,
    out: Path | None = None,
    algorithm: str = "",
    bootstrap: int = 2000,
    measured_only: bool = False,
) -> int:
    """Compare results with a truth: FROC, AUC, agreement, each with 95 % intervals by woman.

    Parameters
    ----------
    truth
        Table of truth (CSV or Parquet, with the columns of `labels` or `images` of `reread simulate`, or the labels of
        mini-MIAS), or the folder truth/ of a simulation.
    measured
        Folder of `reread measure`, or a warehouse.
    out
        Gets evaluation.html and evaluation.json; default: evaluation/ in the folder measured.
    algorithm
        Whose results, where a warehouse holds those of several.
    bootstrap
        Draws by woman.
    measured_only
        Leave out images of the truth that the results have no row for; without it their lesions count as missed.
    """
    from rich.console import Console

    from reread.deployments.consoles import NOTICE

    console = Console()
    evaluation, sources = evaluate_folder(
        truth, measured, algorithm=algorithm, draws=bootstrap, measured_only=measured_only
    )
    for line in figure_lines(evaluation, sources):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    for path in write_evaluation(evaluation, sources, out or measured / "evaluation"):
        console.print(str(path), soft_wrap=True, highlight=False, markup=False)
    console.print(f"[bold]{NOTICE}[/]")
    return 0


def evaluate_folder(
    truth: Path, measured: Path, *, draws: int, algorithm: str = "", measured_only: bool = False
) -> tuple[Evaluation, EvaluationSources]:
    """Read both sides and compare them.

    Raises
    ------
    EvaluationInvalid
        A table is missing or unusable, or truth and results have no image in common.
    """
    from reread.analytics.evaluation import EvaluationInvalid, evaluate
    from reread.connectors.evaluation_page import EvaluationSources
    from reread.connectors.truth_tables import read_measured, read_truth

    tables = read_measured(measured, algorithm)
    images = read_truth(truth, tables)
    seen = tables.known if tables.known is not None else frozenset(tables.numbers.numbers or ())
    seen = seen | {finding.sop_instance_uid for finding in tables.numbers.findings or ()}
    missing = sum(image.sop_instance_uid not in seen for image in images)
    if missing == len(images):
        raise EvaluationInvalid(f"none of the {missing} images of {truth.name} is in {measured}")
    if measured_only:
        images = tuple(image for image in images if image.sop_instance_uid in seen)
    sources = EvaluationSources(
        truth=truth.name,
        measured=measured.name,
        algorithms=tables.algorithms,
        not_measured=missing,
        left_out=missing if measured_only else 0,
    )
    return evaluate(images, tables.numbers, draws=draws), sources


def figure_lines(evaluation: Evaluation, sources: EvaluationSources) -> list[str]:
    """The figures as lines of text."""
    from reread.analytics.evaluation import QUANTITIES
    from reread.connectors.evaluation_page import interval_text, name_of

    lines = [f"{evaluation.images} images of {evaluation.women} women, {evaluation.normal_images} normal"]
    if sources.not_measured:
        how = "left out" if sources.left_out else "their lesions count as missed"
        lines.append(f"{sources.not_measured} images of the truth have no result: {how}")
    for name, group in evaluation.detection.items():
        if not group.lesions or not group.normal_images:
            lines.append(f"{name_of(name)}: no figure ({group.lesions} lesions, {group.normal_images} normal images)")
            continue
        lines.append(f"{name_of(name)}: {group.lesions} lesions; sensitivity at false marks per normal image")
        for rate, figure in zip(group.rates, group.sensitivity, strict=True):
            lines.append(f"  {rate:<5g} {interval_text(figure)}")
    for name, found in evaluation.image_level.items():
        lines.append(f"AUC of images, {name_of(name).lower()} against none: {interval_text(found.auc)}")
    if (tissue := evaluation.tissue) is not None:
        lines.append(
            f"Percent density against tissue, {tissue.images} images: Spearman {interval_text(tissue.spearman)}"
        )
        lines.append(f"  AUC dense {interval_text(tissue.dense.auc)}, fatty {interval_text(tissue.fatty.auc)}")
    for quantity, agreement in evaluation.numbers.items():
        name, unit = QUANTITIES[quantity]
        lines += [
            f"{name.capitalize()} against true, {agreement.count} images:",
            f"  Spearman {interval_text(agreement.spearman)}, Pearson {interval_text(agreement.pearson)}",
            f"  mean absolute error {interval_text(agreement.mean_absolute_error, 2)} {unit},"
            f" bias {interval_text(agreement.bias, 2)} {unit}",
            f"  limits of agreement {interval_text(agreement.limit_low, 2)} and"
            f" {interval_text(agreement.limit_high, 2)} {unit}",
        ]
    for quantity, figure in evaluation.left_right.items():
        lines.append(f"{QUANTITIES[quantity][0].capitalize()}, left against right: Spearman {interval_text(figure)}")
    return lines


def write_evaluation(evaluation: Evaluation, sources: EvaluationSources, out: Path) -> tuple[Path, Path]:
    """Write the page and the JSON; same figures, same bytes."""
    from reread.connectors.evaluation_page import write_evaluation_page

    out.mkdir(parents=True, exist_ok=True)
    page = write_evaluation_page(evaluation, sources, out / PAGE)
    text = json.dumps(_plain({**asdict(evaluation), "sources": asdict(sources)}), indent=2, allow_nan=False)
    temporary = (out / FIGURES).with_suffix(".part")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(out / FIGURES)
    return page, out / FIGURES


def _plain(value: Any) -> Any:
    """For JSON, which has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
