"""The command line: the only reader of argv."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from model_exporter import __version__
from model_exporter.cli_gate import add_gate
from model_exporter.cli_job import EXIT_FAILED, add_backfill, add_serve, add_state, instant
from model_exporter.cli_report import add_report
from model_exporter.cli_tracking import add_mlflow, add_tensorboard, write_mlflow, write_windows
from model_exporter.errors import ModelExporterError
from model_exporter.job.logs import configure, log_uncaught
from model_exporter.job.redaction import redact

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_REFUSED = 2
EXIT_BROKEN_PIPE = 141
"""As a shell tells of a command that SIGPIPE ended."""
EXTRA = "this command needs more packages: pip install 'model-exporter[{extra}]' ({missing})"


class Parser(argparse.ArgumentParser):
    """Refuses arguments with the status that its command has for it."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and exit."""
        self.print_usage(sys.stderr)
        status = self.get_default("refused") or EXIT_REFUSED
        self.exit(status, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 failed, 2 refused; `gate` has others."""
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:  # the command says with which status
        parser.set_defaults(refused=options.refused)
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    configure(options.log_level, options.log_format)
    if arguments is None:  # the process is ours
        log_uncaught()
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except ModelExporterError as error:
        print(f"model-exporter: {redact(str(error))}", file=sys.stderr)
        return int(options.refused)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("model_exporter"):
            raise
        hint = EXTRA.format(extra=options.extra, missing=error)
        print(f"model-exporter: {hint}", file=sys.stderr)
        return int(options.refused)
    except BrokenPipeError:  # of `| head`: nobody reads on, nor what Python flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="model-exporter",
        description="The Prometheus exporter for machine-learning models.",
    )
    parser.add_argument("--version", action="version", version=f"model-exporter {__version__}")
    parser.add_argument(
        "--log-level", default="info", choices=["debug", "info", "warning", "error"]
    )
    parser.set_defaults(extra="exporter", log_format="text", refused=EXIT_REFUSED)
    commands = parser.add_subparsers(metavar="command", required=True)
    _add_demo(commands)
    _add_baseline(commands)
    add_serve(commands)
    _add_once(commands)
    add_backfill(commands)
    add_gate(commands)
    add_report(commands)
    add_state(commands)
    _add_check_config(commands)
    _add_catalogue(commands)
    _add_bundle(commands)
    return parser


def _add_demo(commands: "Commands") -> None:
    command = commands.add_parser("demo", help="watch real models being monitored")
    command.add_argument("--once", action="store_true", help="run the story to its end and stop")
    command.add_argument(
        "--picture", type=Path, metavar="FILE", help="with --once: draw the last table as SVG"
    )
    command.set_defaults(run=_demo, extra="demo")


def _add_baseline(commands: "Commands") -> None:
    command = commands.add_parser("baseline", help="fit a baseline on a table of reference rows")
    command.add_argument("table", type=Path, help="Parquet, CSV or JSON Lines file")
    command.add_argument("-o", "--output", type=Path, required=True, help="baseline file to write")
    command.add_argument("--task", required=True, choices=["binary", "multiclass", "regression"])
    command.add_argument("--numeric", default="", help="numeric features, comma-separated")
    command.add_argument("--categorical", default="", help="categorical features, comma-separated")
    command.add_argument("--prediction", default="prediction", help="column (default: prediction)")
    command.add_argument("--score", help="column of the positive class's probability (binary)")
    command.add_argument("--scores", default="", help="class=column,... (multiclass)")
    command.add_argument("--label", help="column; gives the baseline the quality at deployment")
    command.add_argument("--timestamp", help="column; tells the drift test how rows cluster")
    command.add_argument("--classes", default="", help="all classes, where the table lacks some")
    command.add_argument("--positive-label", default="1", help="positive class (default: 1)")
    command.add_argument("--model-name", default="")
    command.add_argument("--model-version", default="")
    command.add_argument(
        "--max-values", type=int, help="distinct values to keep a column; 0 keeps none"
    )
    add_tensorboard(command)
    add_mlflow(command)
    command.set_defaults(run=_baseline)


def _add_once(commands: "Commands") -> None:
    command = commands.add_parser("once", help="evaluate once and print the exposition")
    command.add_argument("--config", type=Path, required=True)
    command.add_argument(
        "--now", type=instant, help="ISO 8601; nothing later exists (default: the present)"
    )
    command.add_argument("--output", type=Path, help="write to this file, atomically")
    add_tensorboard(command)
    command.set_defaults(run=_once)


def _add_check_config(commands: "Commands") -> None:
    command = commands.add_parser("check-config", help="check a configuration and its sources")
    command.add_argument("config", type=Path)
    command.set_defaults(run=_check_config)


def _add_catalogue(commands: "Commands") -> None:
    command = commands.add_parser("catalogue", help="list every metric family, or its price")
    command.add_argument(
        "--estimate", type=Path, metavar="BASELINE", help="series of a model with this baseline"
    )
    command.add_argument("--versions", type=int, default=1, help="live versions of the model")
    command.add_argument("--replicas", type=int, default=1, help="scraped processes")
    command.set_defaults(run=_catalogue)


def _add_bundle(commands: "Commands") -> None:
    command = commands.add_parser("bundle", help="dashboards, rules and documentation")
    command.add_argument("action", choices=["write", "check"])
    command.add_argument("--root", type=Path, default=Path(), help="repository (default: here)")
    command.set_defaults(run=_bundle)


def _demo(options: argparse.Namespace) -> int:
    from model_exporter.demo import run

    return run(once=options.once, picture=options.picture)


def _baseline(options: argparse.Namespace) -> int:
    from model_exporter.baseline import MAX_VALUES, Baseline
    from model_exporter.job.sources import read_table
    from model_exporter.tracking.record import baseline_record

    scores = dict(pair.split("=", 1) for pair in _names(options.scores) if "=" in pair)
    baseline = Baseline.from_table(
        read_table(options.table),
        task=options.task,
        features={
            "numeric": _names(options.numeric),
            "categorical": _names(options.categorical),
        },
        model_name=options.model_name,
        model_version=options.model_version,
        prediction=options.prediction,
        score=options.score,
        scores=scores or None,
        label=options.label,
        timestamp=options.timestamp,
        classes=_names(options.classes) or None,
        positive_label=options.positive_label,
        max_values=MAX_VALUES if options.max_values is None else options.max_values,
    )
    baseline.save(options.output)
    print(f"{options.output}: {baseline.rows} rows, {baseline.checksum}")
    if options.tensorboard:
        from model_exporter.tracking.tensorboard import baseline_points, write

        write(options.tensorboard, baseline_points(baseline, at=time.time_ns() // 1_000))
    write_mlflow(options, baseline_record(baseline))
    return 0


def _once(options: argparse.Namespace) -> int:
    from model_exporter.job.collector import exposition
    from model_exporter.job.config import load
    from model_exporter.job.once import evaluated, write_atomically
    from model_exporter.job.progress import Line

    now = time.time_ns() // 1_000 if options.now is None else options.now
    config = load(options.config)
    snapshots, failures = evaluated(config, now=now, line=Line(sys.stderr))
    text = exposition(snapshots)
    if options.output is None:
        sys.stdout.write(text)
    else:
        write_atomically(options.output, text)
    samples = (sample for snapshot in snapshots for sample in snapshot.samples(now))
    write_windows(options, config, samples)
    for failure in failures:
        print(f"model-exporter: {redact(failure)}", file=sys.stderr)
    return EXIT_FAILED if failures else 0


def _check_config(options: argparse.Namespace) -> int:
    from model_exporter.job.check import check_sources
    from model_exporter.job.config import load

    config = load(options.config)
    unchecked = check_sources(config)
    for model in config.models:
        windows = ", ".join(window.text for window in model.windows)
        baselines = ", ".join(sorted({b.checksum[:19] for b in model.baselines.values()}))
        print(f"{model.name}: {model.task}, windows {windows}, baseline {baselines or 'none'}")
    for problem in unchecked:
        print(f"not checked: {problem}", file=sys.stderr)
    if not unchecked:
        print(f"{options.config}: ok")
    return EXIT_FAILED if unchecked else 0


def _catalogue(options: argparse.Namespace) -> int:
    from model_exporter.catalogue import FAMILIES

    if options.estimate is not None:
        from model_exporter.sidecar.bill import price

        print(price(options.estimate, versions=options.versions, replicas=options.replicas))
        return 0
    for family in FAMILIES:
        print(f"{family.name} ({family.kind}, {family.side})")
        print(f"    {family.help}")
        print(f"    labels: {', '.join(family.labels) or 'none'}; unit: {family.unit}")
    return 0


def _bundle(options: argparse.Namespace) -> int:
    from model_exporter import bundle

    if options.action == "write":
        for path in bundle.write(options.root):
            print(path)
        return 0
    differences = bundle.check(options.root)
    for line in differences:
        print(line, file=sys.stderr)
    return EXIT_FAILED if differences else 0


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
