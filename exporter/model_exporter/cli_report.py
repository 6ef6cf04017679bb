"""The command `report`: one page about the models of a configuration."""

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from model_exporter.cli_job import EXIT_FAILED, instant
from model_exporter.job.redaction import redact

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_report(commands: "Commands") -> None:
    """Add `report`."""
    command = commands.add_parser("report", help="one HTML page about the models, to send around")
    command.add_argument("--config", type=Path, required=True)
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    command.add_argument(
        "--now", type=instant, help="ISO 8601; nothing later exists (default: the present)"
    )
    command.add_argument(
        "--state", type=Path, help="directory to keep rows in (default: a temporary one)"
    )
    command.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    from model_exporter.job.check import check_sources
    from model_exporter.job.config import load
    from model_exporter.job.once import write_atomically
    from model_exporter.job.progress import Line
    from model_exporter.report.collect import collect
    from model_exporter.report.page import page

    config = load(options.config)
    check_sources(config)
    now = time.time_ns() // 1_000 if options.now is None else options.now
    with contextlib.ExitStack() as stack:
        state = options.state or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="model-exporter-"))
        )
        content = collect(config, now=now, state=state, line=Line(sys.stderr))
    write_atomically(options.output, page(content))
    print(f"{options.output}: {len(content.models)} models, as of {content.now}")
    failures = [failure for model in content.models for failure in model.failures]
    for failure in failures:
        print(f"model-exporter: {redact(failure)}", file=sys.stderr)
    return EXIT_FAILED if failures else 0
