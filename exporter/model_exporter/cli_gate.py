"""The command `gate`: read what is judged, judge it, write the report."""

import argparse
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_exporter.cli_job import instant
from model_exporter.cli_tracking import add_mlflow, write_mlflow
from model_exporter.errors import ConfigError, ModelExporterError
from model_exporter.job.redaction import redact

if TYPE_CHECKING:
    from model_exporter.gate.criteria import Criteria
    from model_exporter.gate.outcome import Report
    from model_exporter.gate_file import GateFile, TablePlan

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_PASS, EXIT_FAIL, EXIT_CANNOT_TELL, EXIT_REFUSED = 0, 1, 2, 3
SIMPLE = ("task", "label", "id", "candidate", "champion", "champion_table", "margin")
"""Options of the simplest case, which a configuration has as keys."""


def add_gate(commands: "Commands") -> None:
    """Add `gate`."""
    command = commands.add_parser(
        "gate",
        help="is a candidate fit to replace the champion?",
        description="Exit status: 0 pass, 1 fail, 2 cannot tell (too few rows), 3 refused: the "
        "configuration or a file is wrong.",
    )
    command.add_argument("table", type=Path, nargs="?", help="Parquet, CSV or JSON Lines file")
    command.add_argument("--config", type=Path, help="gate.yml: criteria beyond margins of scores")
    command.add_argument("--task", choices=["binary", "multiclass", "regression"])
    command.add_argument("--label", help="column (default: label)")
    command.add_argument("--id", help="column; joins --champion-table, finds duplicates")
    command.add_argument(
        "--candidate", metavar="KEY=COLUMN,...", help="prediction=, score= or score.CLASS="
    )
    command.add_argument("--champion", metavar="KEY=COLUMN,...", help="the same of the champion")
    command.add_argument("--champion-table", type=Path, help="where its columns are, if elsewhere")
    command.add_argument("--baseline", help="reference without a champion: a file, or of MLflow")
    command.add_argument("--positive-label", default="1", help="positive class (default: 1)")
    command.add_argument("--margin", metavar="SCORE=MARGIN,...", help="as accuracy=0.01")
    command.add_argument("--now", type=instant, help="of live windows (default: the present)")
    command.add_argument("--state", type=Path, help="of live windows (default: a temporary one)")
    command.add_argument("--markdown", type=Path, metavar="FILE", help="for a pull request")
    command.add_argument("--json", type=Path, metavar="FILE")
    command.add_argument("--junit", type=Path, metavar="FILE")
    add_mlflow(command)
    command.set_defaults(run=_gate, refused=EXIT_REFUSED)


def _gate(options: argparse.Namespace) -> int:
    try:
        return _judged(options)
    except (ModelExporterError, ModuleNotFoundError, BrokenPipeError):
        raise
    except Exception:  # by its usual status a crash would look like a verdict
        print(redact(traceback.format_exc()), file=sys.stderr)
        return EXIT_REFUSED


def _judged(options: argparse.Namespace) -> int:
    from model_exporter.gate.outcome import Decision
    from model_exporter.gate.render import text
    from model_exporter.gate_file import LivePlan
    from model_exporter.tracking import gate_record

    found = _asked(options)
    if isinstance(found.plan, LivePlan):
        from model_exporter.gate_live import judge_versions

        report = judge_versions(found.plan, found.criteria, now=options.now, state=options.state)
    else:
        report = _judge_table(found.plan, found.criteria)
    _write(options, report)
    print(text(report), end="")
    write_mlflow(options, gate_record(report.to_json()))
    return {
        Decision.PASS: EXIT_PASS,
        Decision.FAIL: EXIT_FAIL,
        Decision.CANNOT_TELL: EXIT_CANNOT_TELL,
    }[report.decision]


def _write(options: argparse.Namespace, report: "Report") -> None:
    import json

    from model_exporter.gate.junit import junit
    from model_exporter.gate.render import markdown

    asked = {
        options.markdown: markdown(report),
        options.json: json.dumps(report.to_json(), indent=1) + "\n",
        options.junit: junit(report),
    }
    for path, written in asked.items():
        if path is None:
            continue
        try:
            path.write_text(written, "utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: cannot write the report: {error.strerror}") from error


def _asked(options: argparse.Namespace) -> "GateFile":
    """Return what the configuration asks, or the options of the simplest case."""
    from model_exporter.gate_file import LivePlan, load

    if options.config is None:
        return _simple(options)
    both = next((name for name in SIMPLE if getattr(options, name) is not None), None)
    if both is not None:
        raise ConfigError(
            f"--{both.replace('_', '-')} and --config are both given; write it into the file"
        )
    found = load(options.config)
    if isinstance(found.plan, LivePlan):
        if options.table is not None:
            raise ConfigError(f"{options.config} judges live windows; leave the table out")
        return found
    plan = replace(
        found.plan,
        path=options.table or found.plan.path,
        baseline=options.baseline or found.plan.baseline,
    )
    return replace(found, plan=plan)


def _simple(options: argparse.Namespace) -> "GateFile":
    from model_exporter.gate.assertion import columns
    from model_exporter.gate.criteria import Criteria, Data
    from model_exporter.gate_file import GateFile, TablePlan
    from model_exporter.records import Task

    for name in ("task", "candidate", "margin"):
        if getattr(options, name) is None:
            raise ConfigError(f"--{name} is missing; give it, or --config with a gate.yml")
    # A table of its own mostly has the same names.
    champion = options.champion or (options.candidate if options.champion_table else "")
    plan = TablePlan(
        task=Task(options.task),
        path=options.table,
        label=options.label or "label",
        ids=options.id or "",
        candidate=columns("--candidate", _columns(options.candidate)),
        champion=columns("--champion", _columns(champion)) if champion else None,
        champion_path=options.champion_table,
        baseline=options.baseline,
        positive_label=options.positive_label,
    )
    margins = {}
    for name, margin in _pairs(options.margin).items():
        try:
            margins[name] = float(margin)
        except ValueError as error:
            raise ConfigError(f"--margin {name}={margin}: expected a number") from error
    return GateFile(plan, Criteria(scores=margins, data=Data()))


def _pairs(text: str) -> dict[str, str]:
    pairs = [part.strip() for part in text.split(",") if part.strip()]
    wrong = next((part for part in pairs if "=" not in part), None)
    if wrong is not None:
        raise ConfigError(f"expected key=value pairs, found {wrong!r}")
    return dict(part.split("=", 1) for part in pairs)


def _columns(text: str) -> dict[str, Any]:
    pairs = _pairs(text)
    scores = {
        key.removeprefix("score."): column
        for key, column in pairs.items()
        if key.startswith("score.")
    }
    plain = {key: column for key, column in pairs.items() if not key.startswith("score.")}
    return {**plain, "scores": scores} if scores else plain


def _judge_table(plan: "TablePlan", criteria: "Criteria") -> "Report":
    from model_exporter.gate.run import judge_table
    from model_exporter.gate.sides import evaluation
    from model_exporter.job.sources import read_table
    from model_exporter.tracking.source import load_baseline

    if plan.path is None:
        raise ConfigError("there is no table; name one on the command line or as `table`")
    found = evaluation(
        read_table(plan.path),
        task=plan.task,
        label=plan.label,
        candidate=plan.candidate,
        champion=plan.champion,
        champion_table=read_table(plan.champion_path) if plan.champion_path else None,
        baseline=None if plan.baseline is None else load_baseline(plan.baseline),
        ids=plan.ids,
        segments=plan.segments,
        positive_label=plan.positive_label,
    )
    return judge_table(found, criteria)
