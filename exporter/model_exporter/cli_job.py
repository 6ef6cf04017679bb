"""The commands of the job that take more than a call: serve, backfill, state."""

import argparse
import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from model_exporter.cli_tracking import add_tensorboard, write_windows
from model_exporter.errors import ConfigError, ModelExporterError
from model_exporter.job.redaction import redact

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_FAILED = 1
STOP = (signal.SIGTERM, signal.SIGINT)
STOP_SECONDS = 4.5
"""After this long a stopping job leaves whatever it does: its state bears to be killed."""

logger = logging.getLogger("model_exporter")


def add_serve(commands: "Commands") -> None:
    """Add `serve`."""
    command = commands.add_parser("serve", help="evaluate on a clock and serve /metrics")
    command.add_argument("--config", type=Path, required=True)
    command.add_argument(
        "--web.config.file",
        dest="web_config",
        type=Path,
        metavar="FILE",
        help="TLS, users, headers and rate limit of the port, as node_exporter takes them",
    )
    command.add_argument("--log-format", default="text", choices=["json", "text"])
    command.set_defaults(run=_serve)


def add_backfill(commands: "Commands") -> None:
    """Add `backfill`."""
    command = commands.add_parser(
        "backfill", help="the past as OpenMetrics, for promtool tsdb create-blocks-from"
    )
    command.add_argument("--config", type=Path, required=True)
    command.add_argument("--from", dest="first", type=instant, required=True, metavar="TIME")
    command.add_argument("--to", dest="last", type=instant, required=True, metavar="TIME")
    command.add_argument("--step", default="1h", help="as 5m, 1h, 1d (default: 1h)")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    command.add_argument(
        "--state", type=Path, help="directory to keep rows in (default: a temporary one)"
    )
    add_tensorboard(command)
    command.set_defaults(run=_backfill)


def add_state(commands: "Commands") -> None:
    """Add `state`."""
    command = commands.add_parser("state", help="check or tidy the state of a stopped job")
    command.add_argument("action", choices=["verify", "compact"])
    command.add_argument("--config", type=Path, required=True)
    command.set_defaults(run=_state)


def instant(text: str) -> int:
    """Read an ISO 8601 time as microseconds since 1970; UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time; write for example 2026-01-31T12:00:00Z"
        ) from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def _serve(options: argparse.Namespace) -> int:
    from model_exporter.job.service import Service

    asked: SimpleQueue[int] = SimpleQueue()
    # A handler waits for the main thread, which a signal does not wake that comes just as it goes
    # to sleep, or to another thread. The byte that is written first is read at once.
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    for number in (*STOP, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    listener = threading.Thread(target=_listen, args=(read, asked), name="signals", daemon=True)
    listener.start()
    try:
        service = Service(options.config, web_config=options.web_config)
        service.start()
    except BaseException:
        signal.set_wakeup_fd(-1)
        raise
    while asked.get() == signal.SIGHUP:
        try:
            service.reload()
        except ModelExporterError as error:
            extra = {"event": "reload_refused"}
            logger.error("the old configuration stays: %s", error, extra=extra)
    service.stop()
    logging.shutdown()
    os._exit(0)  # a source that hangs has a thread in C, which can hold up the interpreter's end


def _backfill(options: argparse.Namespace) -> int:
    from model_exporter.job.backfill import backfill, write
    from model_exporter.job.config import load
    from model_exporter.job.progress import Line

    instants = _instants(options)
    config = load(options.config)
    with contextlib.ExitStack() as stack:
        state = options.state or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="model-exporter-"))
        )
        history, failures = backfill(config, instants=instants, state=state, line=Line(sys.stderr))
    count = write(options.output, history)
    print(f"{options.output}: {count} samples, {len(instants)} steps")
    write_windows(options, config, history.samples())
    for failure in failures:
        print(f"model-exporter: {redact(failure)}", file=sys.stderr)
    return EXIT_FAILED if failures else 0


def _state(options: argparse.Namespace) -> int:
    from model_exporter.job.config import load
    from model_exporter.job.source_section import PROMETHEUS
    from model_exporter.job.state import compact, verify

    config = load(options.config)
    wrong = False
    for model in config.models:
        if model.predictions.type == PROMETHEUS:
            print(f"{model.name}: read as counters, has no state")
            continue
        if options.action == "compact":
            before, after = compact(config.state, model)
            print(f"{model.name}: {before:,} bytes before, {after:,} after")
            continue
        found = verify(config.state, model)
        for line in (*found.differences, *found.notes):
            print(f"{model.name}: {line}")
        if not found.differences:
            print(f"{model.name}: ok, {found.predictions:,} predictions, {found.labels:,} labels")
        wrong = wrong or bool(found.differences)
    return EXIT_FAILED if wrong else 0


def _instants(options: argparse.Namespace) -> range:
    from model_exporter.job.yaml_section import parse_duration

    step = parse_duration(options.step)
    if step is None or step.seconds <= 0:
        raise ConfigError(f"--step {options.step}: expected a duration; write for example 5m or 1h")
    if options.first > options.last:
        raise ConfigError("--from is later than --to; exchange them")
    return range(options.first, options.last + 1, step.microseconds)


def _listen(read: int, asked: "SimpleQueue[int]") -> None:
    while True:
        for number in os.read(read, 64):
            if number in (*STOP, signal.SIGHUP):
                asked.put(number)
            if number in STOP:
                watch = threading.Timer(STOP_SECONDS, _leave)
                watch.daemon = True
                watch.start()


def _leave() -> None:
    logger.warning("not done in time; left as it is", extra={"event": "left"})
    sys.stderr.flush()
    os._exit(0)
