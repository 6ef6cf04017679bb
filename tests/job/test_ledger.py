"""What becomes of each label record: states that balance, and windows as one sorted pass has them.

The oracle keeps every record in a list and computes everything from it by the definitions.
"""

import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pytest
import yaml
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from model_exporter.job.config import ModelConfig, load
from model_exporter.job.evaluate import evaluate
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowReader, windows_of

SECOND = 1_000_000
HOUR = 3_600 * SECOND
START = 472_000 * HOUR
IDS = [f"id{i}" for i in range(9)]
MAX_DELAY = 5 * HOUR
WINDOWS = {"2h": 2 * HOUR, "1d": 24 * HOUR}


@dataclass
class Oracle:
    """All records, in the order of their arrival."""

    policy: str
    predictions: dict[str, tuple[int, str]] = field(default_factory=dict)
    labels: list[tuple[str, int, str]] = field(default_factory=list)
    invalid: set[tuple] = field(default_factory=set)

    def log(self, key: str, ts: int, predicted: str) -> None:
        known = self.predictions.get(key)
        if known is None or ts < known[0]:
            self.predictions[key] = (ts, predicted)

    def label(self, record: tuple[str, int, str]) -> None:
        if record[2] not in "01":
            self.invalid.add(record)
        elif record not in self.labels:
            self.labels.append(record)

    def joined(self, now: int) -> tuple[dict[str, tuple[int, str, str]], Counter]:
        """Predictions with the label that counts; and the ledger."""
        ledger = Counter(invalid=len(self.invalid))
        found = {}
        for key in {record[0] for record in self.labels}:
            records = [(ts, label) for k, ts, label in self.labels if k == key and ts <= now]
            if key not in self.predictions or self.predictions[key][0] > now:
                ledger["waiting"] += len(records)
                continue
            born, predicted = self.predictions[key]
            timely = [(ts, label) for ts, label in records if ts - born <= MAX_DELAY]
            ledger["late"] += len(records) - len(timely)
            if not timely:
                continue
            values = {label for _, label in timely}
            ledger["matched"] += 1
            ledger["superseded" if self.policy == "first" else "corrected"] += len(values) - 1
            ledger["duplicate"] += len(timely) - len(values)
            best = {
                "latest": max(timely),
                "first": max(timely, key=lambda r: (-r[0], r[1])),
                "last_arrival": timely[-1],
            }[self.policy]
            found[key] = (born, predicted, best[1])
        return found, ledger

    def windows(self, now: int) -> dict[str, tuple[int, int, Counter]]:
        """By window: predictions, labelled ones, confusion."""
        joined, _ = self.joined(now)
        times = [ts for ts, _ in self.predictions.values() if ts <= now]
        found = {}
        for text, length in WINDOWS.items():
            inside = [row for row in joined.values() if now - length < row[0] <= now]
            confusion = Counter((label, predicted) for _, predicted, label in inside)
            found[text] = (sum(now - length < ts for ts in times), len(inside), confusion)
        return found


def configured(directory: Path, **more) -> ModelConfig:
    config = {
        "name": "m",
        "task": "binary",
        "predictions": {"type": "csv", "path": "p.csv"},
        "labels": {"type": "csv", "path": "l.csv"},
        "windows": list(WINDOWS),
        "max_label_delay": "5h",
        **more,
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [config]}), "utf-8")
    return load(path).models[0]


def batch(names: tuple[str, ...], rows: list[tuple]) -> Batch:
    columns = {n: pa.array(c) for n, c in zip(names, zip(*rows, strict=True), strict=True)}
    return Batch("file", pa.table(columns), Cursor(1, "x"))


PREDICTION = ("prediction_id", "timestamp", "prediction")
LABEL = ("prediction_id", "label_timestamp", "label")

keys = st.sampled_from(IDS)
hours = st.integers(-30 * 60, 8 * 60).map(lambda minutes: minutes * 60 * SECOND)
label_rows = st.lists(
    st.tuples(keys, hours, st.sampled_from(["0", "1", "?"])), min_size=1, max_size=6
)
prediction_rows = st.lists(st.tuples(keys, hours, st.sampled_from("01")), min_size=1, max_size=6)


class Ledger(RuleBasedStateMachine):
    """Any order, repetition, correction, split, restart and passage of time."""

    directory: Path
    runs = itertools.count()

    @initialize(policy=st.sampled_from(["latest", "first", "last_arrival"]))
    def begin(self, policy: str) -> None:
        self.state = self.directory / str(next(self.runs))
        self.oracle = Oracle(policy)
        self.model = configured(self.directory, label_policy=policy)
        self.now = START
        self.reopen()
        self.store.advance(self.now)

    def reopen(self) -> None:
        self.store = Store(self.state, self.model)
        self.reader = WindowReader(self.store)

    @rule(rows=prediction_rows)
    def log(self, rows: list[tuple]) -> None:
        """Log; what was logged before at the same time does not differ."""
        rows = [(key, self.now + ts, predicted) for key, ts, predicted in rows]
        taken = {(key, ts): predicted for key, (ts, predicted) in self.oracle.predictions.items()}
        for key, ts, predicted in rows:
            taken.setdefault((key, ts), predicted)
        rows = [(key, ts, taken[key, ts]) for key, ts, _ in rows]
        self.store.ingest("predictions", [batch(PREDICTION, rows)])
        for row in rows:
            self.oracle.log(*row)

    @rule(rows=label_rows, parts=st.integers(1, 3))
    def label(self, rows: list[tuple], parts: int) -> None:
        """In one file, or several; under `last_arrival` what is read at once is of one moment."""
        rows = [(key, self.now + ts, label) for key, ts, label in rows]
        if self.oracle.policy == "last_arrival":
            rows = sorted({row[0]: row for row in rows}.values())
        files = [rows[i::parts] for i in range(parts) if rows[i::parts]]
        self.store.ingest("labels", [batch(LABEL, file) for file in files])
        for row in rows:
            self.oracle.label(row)

    @precondition(lambda self: self.oracle.labels)
    @rule(seed=st.integers(0, 99))
    def deliver_again(self, seed: int) -> None:
        rows = random.Random(seed).sample(self.oracle.labels, min(3, len(self.oracle.labels)))
        self.store.ingest("labels", [batch(LABEL, rows)])

    @rule(minutes=st.integers(1, 400))
    def pass_time(self, minutes: int) -> None:
        self.now += minutes * 60 * SECOND
        self.store.advance(self.now)

    @rule(minutes=st.integers(1, 200))
    def turn_time_back(self, minutes: int) -> None:
        self.now -= minutes * 60 * SECOND
        self.store.advance(self.now)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.reopen()

    @rule()
    def compact(self) -> None:
        self.store._compact_at = 0
        self.store.compact()

    @invariant()
    def windows_are_those_of_one_pass(self) -> None:
        if not hasattr(self, "store"):
            return
        found = {}
        for window in self.reader.read(windows_of(self.model, self.now, maturity=0)):
            total = window.groups[next(g for g in window.groups if g.version == "all")]
            confusion = Counter(
                {
                    (actual, predicted): count
                    for (stat, actual, predicted), count in total.counts.items()
                    if stat == "confusion"
                }
            )
            sizes = total.count("predictions"), total.count("labeled")
            found[window.text] = (*sizes, confusion)
        assert found == self.oracle.windows(self.now)

    @invariant()
    def the_ledger_balances(self) -> None:
        if not hasattr(self, "store"):
            return
        samples = evaluate(self.reader).values
        found = Counter(
            {
                labels[1]: int(value)
                for labels, value in samples["model_labels_total"].items()
                if value
            }
        )
        found["waiting"] = int(samples["model_labels_waiting"]["m",])
        _, expected = self.oracle.joined(self.now)
        assert +found == +expected
        known = sum(ts <= self.now for _, ts, _ in self.oracle.labels) + len(self.oracle.invalid)
        assert found.total() == known

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()


def test_any_history_gives_what_one_sorted_pass_gives(tmp_path: Path) -> None:
    """Windows and ledger equal the oracle's after every step."""
    machine = type("Case", (Ledger,), {"directory": tmp_path})
    machine.TestCase.settings = settings(
        max_examples=25, stateful_step_count=20, deadline=None, derandomize=True
    )
    machine.TestCase("runTest").runTest()


@pytest.mark.parametrize("first", ["predictions", "labels"])
def test_either_source_may_come_first(tmp_path: Path, first: str) -> None:
    """Predictions without any label have no place in windows by label time, and do no harm."""
    sources = {"predictions": (PREDICTION, ("a", START, "1")), "labels": (LABEL, ("a", START, "0"))}
    with Store(tmp_path / "state", configured(tmp_path, windows_by="label_timestamp")) as store:
        store.advance(START)
        for source in sorted(sources, key=lambda source: source != first):
            names, row = sources[source]
            store.ingest(source, [batch(names, [row])])
            found = evaluate(WindowReader(store)).values["model_window_predictions"]
        assert found["m", "all", "1d", "", ""] == 1


def test_what_is_not_kept_expires(tmp_path: Path) -> None:
    """Forgotten predictions leave the windows alone; labels that found none are counted."""
    model = configured(tmp_path, retention="2d")
    with Store(tmp_path / "state", model) as store:
        store.advance(START)
        rows = [(f"id{i}", START - i * HOUR, "1") for i in range(47)]
        store.ingest("predictions", [batch(PREDICTION, rows)])
        labels = [(f"id{i}", START - i * HOUR + 60 * SECOND, "1") for i in range(1, 47)]
        orphans = [("nobody", START - 40 * HOUR, "1"), ("nobody else", START, "0")]
        store.ingest("labels", [batch(LABEL, labels + orphans)])
        reader = WindowReader(store)
        before = evaluate(reader).values
        assert before["model_labels_waiting"]["m",] == 2
        store.advance(START + 10 * HOUR)
        after = evaluate(reader).values
        assert store.query("SELECT count(*), min(ts) FROM prediction") == [(39, START - 38 * HOUR)]
        assert store.query("SELECT count(*) FROM label")[0][0] == 39
        assert after["model_labels_waiting"]["m",] == 1
        assert after["model_labels_total"]["m", "expired"] == 1
        assert after["model_labels_total"]["m", "matched"] == 46
        assert after["model_window_predictions"]["m", "all", "1d", "", ""] == 14
        store.ingest("predictions", [batch(PREDICTION, rows)])  # read again from the start
        assert store.query("SELECT count(*) FROM prediction")[0][0] == 39
        assert evaluate(WindowReader(store)).values == evaluate(reader).values


@pytest.mark.parametrize(
    ("source", "row", "reason"),
    [
        ("predictions", (None, START, "1"), "id"),
        ("predictions", ("a", None, "1"), "timestamp"),
        ("predictions", ("a", START, "maybe"), "prediction"),
        ("labels", ("", START, "1"), "id"),
        ("labels", ("a", START, None), "label"),
    ],
)
def test_a_refused_record_has_a_reason(
    tmp_path: Path, source: str, row: tuple, reason: str
) -> None:
    """Counted under the first thing that is wrong with it, and once however often it is read."""
    names = PREDICTION if source == "predictions" else LABEL
    good = ("b", START, "0")
    with Store(tmp_path / "state", configured(tmp_path)) as store:
        store.advance(START)
        for _ in range(2):
            store.ingest(source, [batch(names, [row, good])])
        found = evaluate(WindowReader(store)).values["model_source_invalid_total"]
    assert {labels[1:]: n for labels, n in found.items() if n} == {(source, reason): 1}
