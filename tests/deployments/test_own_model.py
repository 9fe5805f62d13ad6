"""An own model from its settings entry to the tables."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from dies_on_purpose import own_model_dies
from made_nights import night_plan, phantom_file, phantom_study, take_in

pytest.importorskip("onnx", reason="the test makes its models with onnx")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
from made_models import bright_spots, constant, described

from reread.analytics.errors import SettingsInvalid
from reread.analytics.reasons import Reason
from reread.connectors.ledger import open_ledger
from reread.connectors.onnx_models import sha256_of_weights
from reread.connectors.states import StudyState
from reread.connectors.warehouse import Warehouse
from reread.deployments.cli import app
from reread.deployments.doctor import examine
from reread.deployments.folder_runs import measure_paths
from reread.deployments.model_settings import read_model
from reread.deployments.settings import RouteGroup, Settings, load_settings
from reread.deployments.site_plan import plan_of
from reread.tasks.bookings import book_report
from reread.tasks.nights import cut_night
from reread.tasks.plans import load_plan
from reread.tasks.shards import run_shard


def site_text(data, *models, analysis="my-model") -> str:
    return (
        f"data = {json.dumps(str(data))}\nmodels = {json.dumps([str(path) for path in models])}\n"
        f'[[routes]]\nsource = "import"\nanalyses = ["{analysis}"]\n'
    )


@pytest.mark.slow
def test_from_settings_to_findings(tmp_path):
    spots = bright_spots(tmp_path / "spots.onnx")
    output = 'kind = "heat-map"\nfinding = "mass"\nmarks_from = [0.3, 0.2, 0.06]'
    model = described(spots, output=output, more=f'sha256 = "{sha256_of_weights(spots)}"')
    (tmp_path / "site.toml").write_text(site_text(tmp_path / "data", model))
    site = plan_of(load_settings(tmp_path / "site.toml"))
    plan = night_plan(tmp_path / "data", routes=site.routes)
    assert load_plan(plan.save()) == plan
    with open_ledger(plan.ledger_url) as ledger:
        take_in(plan, ledger, phantom_study(tmp_path, "2.25.1", 2))
        (shard,) = cut_night(ledger, plan, "run-1")
        report = run_shard(shard)
        book_report(ledger, plan, report, "run-1")
        assert ledger.study_work("2.25.1", 1).state in (StudyState.MEASURED, StudyState.DELIVERED)
        (done,) = ledger.measurements("2.25.1", 1)
        assert (done.algorithm, done.version) == ("my-model", "1.0")
        ledger.requeue_study("2.25.1", 1)
        assert cut_night(ledger, plan, "run-2") == ()  # measured with these weights
        ledger.requeue_study("2.25.1", 1)
        # the built-in analysis beside it
        (built_in,) = cut_night(ledger, night_plan(tmp_path / "data"), "run-3")
        run_shard(built_in)
    (outcome,) = report.outcomes
    assert (outcome.failure, len(outcome.objects)) == (None, 2)
    warehouse = Warehouse(plan.folders.warehouse)
    warehouse.prepare()
    rows = warehouse.query(
        "SELECT algorithm, version, parameters_digest, count(*) FROM findings GROUP BY ALL ORDER BY ALL"
    )
    assert [row[0] for row in rows.rows] == ["my-model", "reread-mammography"]
    assert rows.rows[0][1:3] == ("1.0", done.parameters_digest)


@pytest.mark.slow
def test_measure_with_a_model_gives_the_same_tables_each_time(tmp_path):
    phantom_study(tmp_path / "in", count=2)
    model = described(bright_spots(tmp_path / "spots.onnx"))
    tables = []
    for number, workers in ((1, 1), (2, 2)):
        out = tmp_path / f"out{number}"
        outcome = measure_paths([tmp_path / "in"], out, workers=workers, models=[model])
        assert [case.failure for case in outcome.outcomes] == [None]
        found = pq.read_table(out / "findings.parquet").drop_columns(["run_id", "recorded_at"])
        assert found.num_rows >= 1
        assert set(found["algorithm"].to_pylist()) == {"my-model"}
        tables.append(found)
    assert tables[0].equals(tables[1])


@pytest.mark.slow
def test_a_density_model_on_the_command_line(tmp_path):
    phantom_file(tmp_path / "in" / "a.dcm", 1, view="CC", side="L")
    model = described(constant(tmp_path / "c.onnx", 0.25), output='kind = "density"\nscale = 100.0')
    code = app(
        ["measure", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--workers", "1", "--model", str(model)],
        result_action="return_value",
    )
    assert code == 0
    (row,) = pq.read_table(tmp_path / "out" / "density.parquet").to_pylist()
    assert (row["percent_density"], row["algorithm"]) == (25.0, "my-model")
    assert pq.read_table(tmp_path / "out" / "findings.parquet").num_rows == 0


@pytest.mark.slow
def test_several_models_and_the_built_in_analysis_measure_a_folder(tmp_path, capsys):
    phantom_study(tmp_path / "in", count=2)
    spots = described(bright_spots(tmp_path / "spots.onnx"))
    number = described(constant(tmp_path / "c.onnx", 0.25), name="number", output='kind = "density"\nscale = 100.0')
    out = tmp_path / "out"
    command = ["measure", str(tmp_path / "in"), "--out", str(out), "--workers", "1"]
    code = app([*command, "--model", str(spots), "--model", str(number), "--built-in"], result_action="return_value")
    assert code == 0
    said = capsys.readouterr().out
    names = ["reread-mammography", "my-model", "number"]
    assert [said.count(f" {name} ") for name in names] == [1, 1, 1], said
    for table in ("images", "studies", "quality"):
        found = pq.read_table(out / f"{table}.parquet")["algorithm"].to_pylist()
        assert found == [name for name in names for _ in range(len(found) // 3)], table
    algorithms = set(pq.read_table(out / "density.parquet")["algorithm"].to_pylist())
    assert algorithms == {"reread-mammography", "number"}
    # a report and a sheet of each, a density page of the two that measure density
    assert len(list((out / "dicom").rglob("*.dcm"))) == 8
    pictures = list((out / "pictures").rglob("*.jpg"))
    assert len([path for path in pictures if not path.name.endswith(".plain.jpg")]) == len(pictures) / 2 == 6
    with pytest.raises(SettingsInvalid, match="two models are named my-model"):
        app([*command, "--model", str(spots), "--model", str(spots)], result_action="return_value")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "reason"), [("deadly", Reason.WORKER_DIED), ("cursed", Reason.MEASUREMENT_FAILED)])
def test_a_model_that_fails_costs_its_own_results_on_that_image(tmp_path, name, reason):
    first, _ = phantom_study(tmp_path / "in", count=2)
    first.rename(first.with_name(f"{name}.dcm"))
    spots = described(bright_spots(tmp_path / "spots.onnx"))
    outcome = measure_paths(
        [tmp_path / "in"], tmp_path / "out", workers=2, models=[spots], built_in=True, reread=own_model_dies
    )
    assert [(case.provenance.algorithm, case.views) for case in outcome.outcomes] == [
        ("reread-mammography", "R CC, L CC"),
        ("my-model", "L CC"),
    ]
    assert [(image.path.rsplit("/", 1)[-1], image.reason) for image in outcome.rejected] == [(f"{name}.dcm", reason)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "mammography"', "name: mammography is the built-in analysis"),
        ("weights = 1", "weights: Extra inputs are not permitted"),
        ("file = 'gone.onnx'", "gone.onnx cannot be read"),
        ("sha256 = '12'", "sha256: String should match"),
        ("[output]\nkind = 'picture'", "output.kind: Input should be"),
        ("[output]\nkind = 'density'\nmarks_from = [0.1, 0.2, 0.3]", "output: Value error, marks_from: three falling"),
        ("[input]\nrows = 400\ncolumns = 320\nwindow = [0.5, 0.5]", "window: two rising numbers"),
        ("= 1", "model.toml: "),
    ],
)
def test_a_wrong_description_is_named(tmp_path, text, words):
    constant(tmp_path / "c.onnx", 1.0)
    parts = {"top": 'name = "m"\nversion = "1"\nfile = "c.onnx"'}
    parts |= {"[input]": "[input]\nrows = 400\ncolumns = 320", "[output]": '[output]\nkind = "density"'}
    head = text.split("\n")[0]
    if head in parts:
        parts[head] = text
    else:
        key = head.split(" =")[0]
        kept = [line for line in parts["top"].split("\n") if not line.startswith(f"{key} ")]
        parts["top"] = "\n".join([*kept, text])
    path = tmp_path / "model.toml"
    path.write_text("\n".join(parts.values()))
    with pytest.raises(SettingsInvalid, match=words.replace("(", r"\(")):
        read_model(path)


def test_a_route_with_an_unknown_or_unusable_model_stops_the_start(tmp_path):
    good = described(bright_spots(tmp_path / "good.onnx"))
    bad = described(bright_spots(tmp_path / "bad.onnx"), name="bad", more=f'sha256 = "{"0" * 64}"')
    unknown = Settings(data=tmp_path, models=(good,), routes=(RouteGroup(source="import", analyses=("other",)),))
    with pytest.raises(SettingsInvalid, match="'other' is neither mammography nor one of the models"):
        plan_of(unknown)
    with pytest.raises(SettingsInvalid, match="two of them are named my-model"):
        plan_of(unknown.model_copy(update={"models": (good, good)}))
    used = Settings(data=tmp_path, models=(good, bad), routes=(RouteGroup(source="import", analyses=("bad",)),))
    with pytest.raises(SettingsInvalid, match="model bad: SHA-256"):
        plan_of(used)
    for words, cause in (("", "at least 1 item"), ('"mammography", "mammography"', "analyses: each name once")):
        (tmp_path / "bad.toml").write_text(f'[[routes]]\nsource = "import"\nanalyses = [{words}]\n')
        with pytest.raises(SettingsInvalid, match=cause):
            load_settings(tmp_path / "bad.toml")


def test_the_doctor_looks_at_models(tmp_path):
    good = described(bright_spots(tmp_path / "good.onnx"))
    bad = described(bright_spots(tmp_path / "bad.onnx"), name="bad", rows=512)
    checks = {check.name: check for check in examine(Settings(data=tmp_path, models=(good, bad)))}
    assert checks["model my-model"].ok
    assert sha256_of_weights(tmp_path / "good.onnx")[:16] in checks["model my-model"].text
    assert not checks["model bad.toml"].ok
    assert "the settings say (1, 1, 512, 320)" in checks["model bad.toml"].text
    routes = (RouteGroup(source="import", analyses=("other",)),)
    unknown = {check.name: check for check in examine(Settings(data=tmp_path, models=(good,), routes=routes))}
    assert not unknown["routes"].ok
