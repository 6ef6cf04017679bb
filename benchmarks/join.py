"""Late labels joined with predictions, and every score of every group: ours beside the peers.

Predictions of 30 days with UUIDs, two versions and five segments, in Parquet; nine tenths have a
label that comes up to three days later. Ours reads both, joins, keeps rows and tiles on disk and
evaluates windows of 1, 7 and 30 days with intervals. The peers read, join and compute accuracy,
confusion, log loss and ROC AUC over everything, by version and by segment, in memory. Then 10,000
more labels come, of the last predictions, again and again: ours takes them in, a peer starts over.

Each case runs in a process of its own; seconds are wall time, and beside it processor time of all
threads, with imports left out. Memory is the greatest resident set, with imports. Each peer has an
environment of its own, for they ask for unlike versions of each other's parts; `--install` makes
those that are missing. Peers that are not installed are named and left out.

    python benchmarks/join.py [--install] [--rows 1000000] [--rows 10000000] [--peers pandas,polars]
                              [--ids uuid4] [--ids uuid7]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

START = 1_700_006_400_000_000
DAY = 86_400_000_000
NOW = START + 34 * DAY
POLLS, POLL_ROWS = 6, 10_000
CONFIG = """\
models:
  - name: churn
    task: binary
    predictions: {type: parquet, path: predictions.parquet}
    labels: {type: parquet, path: "labels*.parquet"}
    segments: [segment]
    windows: [1d, 7d, 30d]
    maturity: 4d
"""


IDS = {
    "uuid4": "CAST(uuid() AS VARCHAR)",
    "uuid7": "substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-7' || substr(uuid()::VARCHAR, 16)",
}
"""Random ids, and those that begin with the time, as the sidecar gives them."""


def generate(directory: Path, rows: int, ids: str) -> None:
    """Write the tables; those labels that no file holds yet come with the polls."""
    import duckdb

    made = duckdb.connect()
    made.execute("SELECT setseed(0.5)")
    made.execute(
        f"CREATE TABLE p AS SELECT {IDS[ids]} AS prediction_id, timestamp, "
        "CASE WHEN random() < 0.3 THEN 'v2' ELSE 'v1' END AS model_version, "
        "random() AS score, 'segment ' || (random() * 5)::INT % 5 AS segment, random() AS luck "
        "FROM (SELECT *, printf('%012x', epoch_ms(timestamp)) AS hex FROM "
        f"(SELECT make_timestamp({START} + (i * {30 * DAY / rows})::BIGINT) AS timestamp "
        f"FROM range({rows}) t(i)))"
    )
    made.execute(
        "CREATE TABLE l AS SELECT prediction_id, (luck < score)::INT AS label, "
        "timestamp + to_seconds((random() * 259200)::INT) AS label_timestamp FROM p"
    )
    columns = "* EXCLUDE (luck), (score > 0.5)::INT AS prediction"
    made.execute(f"COPY (SELECT {columns} FROM p) TO '{directory}/predictions.parquet'")
    made.execute(
        "CREATE TABLE later AS SELECT * FROM (SELECT * FROM l USING SAMPLE 10% (bernoulli, 1)) "
        "ORDER BY label_timestamp DESC"
    )
    made.execute(
        "COPY (SELECT * FROM l ANTI JOIN later USING (prediction_id) ORDER BY label_timestamp) "
        f"TO '{directory}/labels.parquet'"
    )
    for poll in range(POLLS):
        made.execute(
            f"COPY (SELECT prediction_id, label, make_timestamp({NOW + poll * 30_000_000}) "
            f"AS label_timestamp FROM later LIMIT {POLL_ROWS} OFFSET {poll * POLL_ROWS}) "
            f"TO '{directory}/later{poll}.parquet'"
        )
    (directory / "exporter.yml").write_text(CONFIG, "utf-8")


class Clock:
    """Tells the seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def spent(self) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"seconds": wall, "cpu": cpu}


def model_exporter(directory: Path) -> dict[str, object]:
    from model_exporter.job.config import load
    from model_exporter.job.runner import Runner

    config = load(directory / "exporter.yml")
    clock = Clock()
    with Runner(config.models[0], config.state) as runner:
        found = runner.turn(NOW, final=True)
        spent = clock.spent()
        size = sum(file.stat().st_size for file in config.state.iterdir())
        polls = []
        for poll in range(POLLS):
            (directory / f"later{poll}.parquet").rename(directory / f"labels{poll}.parquet")
            clock = Clock()
            found = runner.turn(NOW + poll * 30_000_000, final=True)
            polls.append(clock.spent())
    labels = ("churn", "all", "30d", "", "")
    return {
        **spent,
        "poll": {kind: sorted(p[kind] for p in polls)[POLLS // 2] for kind in polls[0]},
        "disk": size / 2**20,
        "auc": found.values["model_roc_auc"][labels],
    }


def pandas(directory: Path) -> dict[str, object]:
    import pandas as pd
    from sklearn import metrics  # noqa: F401  # imports do not count

    clock = Clock()
    joined = pd.read_parquet(directory / "predictions.parquet").merge(
        pd.read_parquet(directory / "labels.parquet"), on="prediction_id"
    )
    found = {"": _scores(*(joined[c].to_numpy() for c in ("label", "prediction", "score")))}
    for column in ("model_version", "segment"):
        for value, part in joined.groupby(column):
            found[value] = _scores(*(part[c].to_numpy() for c in ("label", "prediction", "score")))
    return {**clock.spent(), "auc": found[""]["auc"]}


def polars(directory: Path) -> dict[str, object]:
    import polars as pl
    from sklearn import metrics  # noqa: F401  # imports do not count

    clock = Clock()
    joined = pl.read_parquet(directory / "predictions.parquet").join(
        pl.read_parquet(directory / "labels.parquet"), on="prediction_id"
    )
    found = {"": _scores(*(joined[c].to_numpy() for c in ("label", "prediction", "score")))}
    for column in ("model_version", "segment"):
        for (value,), part in joined.group_by(column):
            found[value] = _scores(*(part[c].to_numpy() for c in ("label", "prediction", "score")))
    return {**clock.spent(), "auc": found[""]["auc"]}


def _scores(label: object, prediction: object, score: object) -> dict[str, float]:
    from sklearn import metrics

    return {
        "accuracy": metrics.accuracy_score(label, prediction),
        "cells": metrics.confusion_matrix(label, prediction).sum(),
        "log_loss": metrics.log_loss(label, score),
        "auc": metrics.roc_auc_score(label, score),
    }


def nannyml(directory: Path) -> dict[str, object]:
    import nannyml as nml
    import pandas as pd

    clock = Clock()
    joined = pd.read_parquet(directory / "predictions.parquet").merge(
        pd.read_parquet(directory / "labels.parquet"), on="prediction_id"
    )
    groups = [joined] + [g for c in ("model_version", "segment") for _, g in joined.groupby(c)]
    for group in groups:
        found = nml.PerformanceCalculator(
            metrics=["accuracy", "roc_auc", "confusion_matrix"],
            y_true="label", y_pred="prediction", y_pred_proba="score",
            problem_type="classification_binary", chunk_number=1,
        ).fit(group).calculate(group)  # fmt: skip
        if group is joined:
            auc = float(found.to_df()["roc_auc"]["value"].iloc[-1])
    return {**clock.spent(), "auc": auc}


def evidently(directory: Path) -> dict[str, object]:
    import pandas as pd
    from evidently import BinaryClassification, DataDefinition, Dataset, Report
    from evidently.metrics import Accuracy, LogLoss, RocAuc

    clock = Clock()
    joined = pd.read_parquet(directory / "predictions.parquet").merge(
        pd.read_parquet(directory / "labels.parquet"), on="prediction_id"
    )
    columns = ["label", "prediction", "score"]
    definition = DataDefinition(
        classification=[
            BinaryClassification(
                target="label", prediction_labels="prediction", prediction_probas="score"
            )
        ]
    )
    groups = [joined] + [g for c in ("model_version", "segment") for _, g in joined.groupby(c)]
    for group in groups:
        data = Dataset.from_pandas(group[columns], data_definition=definition)
        found = Report([Accuracy(), LogLoss(), RocAuc()]).run(data, None).dict()
        if group is joined:
            auc = next(m["value"] for m in found["metrics"] if "RocAuc" in m["metric_name"])
    return {**clock.spent(), "auc": float(auc)}


CASES: dict[str, tuple[str, Callable[[Path], dict[str, object]]]] = {
    "model-exporter": ("model-exporter", model_exporter),
    "pandas": ("pandas + scikit-learn", pandas),
    "polars": ("polars + scikit-learn", polars),
    "nannyml": ("NannyML", nannyml),
    "evidently": ("Evidently", evidently),
}
PEERS = {
    "pandas": ("pandas>=2.1", "pyarrow>=16", "scikit-learn>=1.5"),
    "polars": ("polars>=1", "scikit-learn>=1.5"),
    "nannyml": (
        "nannyml>=0.13,<0.14",
        "pandas<3",
        "statsmodels",
    ),  # what it imports, unlike it says
    "evidently": ("evidently>=0.7,<0.8", "pandas<3"),
}
ENVIRONMENTS = Path(__file__).parent.parent / ".venv" / "join"


def interpreter(case: str) -> Path:
    """Return the Python of a peer's environment, or of this one."""
    own = ENVIRONMENTS / case / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


def install(case: str) -> None:
    """Make the environment of a peer, unless there is one."""
    if case not in PEERS or interpreter(case) != Path(sys.executable):
        return
    print(f"Installing {CASES[case][0]} into {ENVIRONMENTS / case} ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", ENVIRONMENTS / case], check=True)
    pip = [interpreter(case), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PEERS[case]], check=True)


def measured(case: str, directory: Path) -> dict[str, object] | None:
    """Run a case in a process of its own; None where it is not installed."""
    command = [interpreter(case), __file__, "--case", case, "--directory", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        return None
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def peak_mib() -> float:
    """Return the greatest resident set of this process, its parent's at the fork left out."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def compare(rows: int, ids: str, cases: list[str]) -> None:
    print(f"\n{rows:,} predictions, {rows * 9 // 10:,} labels; ids {ids}")
    print(f"{'':62}10,000 more")
    print(f"  {'':24}{'seconds':>9}{'CPU':>8}{'MiB':>8}{'on disk':>9}", end="")
    print(f"{'seconds':>11}{'CPU':>8}{'ROC AUC':>12}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        generate(directory, rows, ids)
        for case in cases:
            title, _ = CASES[case]
            found = measured(case, directory)
            if found is None:
                print(f"  {title:24} NOT INSTALLED: make its environment with --install")
                continue
            poll = found.get("poll", found)
            disk = f"{found['disk']:.0f}" if "disk" in found else ""
            print(
                f"  {title:24}{found['seconds']:9.1f}{found['cpu']:8.1f}{found['peak']:8.0f}"
                f"{disk:>9}{poll['seconds']:11.2f}{poll['cpu']:8.2f}{found['auc']:12.7f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, action="append", help="default: 1,000,000")
    parser.add_argument("--ids", action="append", choices=IDS, help="default: uuid4")
    parser.add_argument("--peers", default=",".join(PEERS), help="default: %(default)s")
    parser.add_argument("--install", action="store_true", help="make the environments of the peers")
    parser.add_argument("--quick", action="store_true", help="100,000 rows")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        found = CASES[given.case][1](given.directory)
        print(json.dumps({**found, "peak": peak_mib()}))
        return
    cases = ["model-exporter", *filter(None, given.peers.split(","))]
    for case in cases if given.install else ():
        install(case)
    print(f"CPython {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    for rows in [100_000] if given.quick else given.rows or [1_000_000]:
        for ids in given.ids or ["uuid4"]:
            compare(rows, ids, cases)


if __name__ == "__main__":
    main()
