"""What became of every record, and how long labels took: counters since the beginning."""

from model_exporter.job.merging import waiting
from model_exporter.job.pairing import DELAY_EDGES
from model_exporter.job.snapshot import Histogram, Snapshot
from model_exporter.job.store import LABELS, PREDICTIONS, Store
from model_exporter.records import LabelOutcome

MICROSECONDS = 1_000_000
REASONS = {PREDICTIONS: ("id", "timestamp", "prediction"), LABELS: ("id", "timestamp", "label")}
"""What a row can be refused for; the first that applies counts."""


def put_ledger(snapshot: Snapshot, store: Store) -> None:
    """Serve what was counted since the beginning, and how new the newest records are."""
    model = store.model
    sql = "SELECT version, stat, name, key, sum(value) FROM lifetime GROUP BY ALL"
    ledger = dict.fromkeys(LabelOutcome, 0)
    delays: dict[str, dict[str, int]] = {}
    for version, stat, name, key, value in store.query(sql):
        if stat == "ledger":
            ledger[LabelOutcome(name)] += int(value)
        elif stat == "confusion":
            labels = (model.name, version, name, key)
            snapshot.put("model_confusion_total", labels, int(value))
        else:
            delays.setdefault(version, {})[key if stat == "delay" else stat] = int(value)
    for version, buckets in delays.items():
        snapshot.put_histogram(
            "model_label_delay_seconds", (model.name, version), _delay_histogram(buckets)
        )
    invalid = store.query("SELECT source, reason, count(*) FROM invalid GROUP BY ALL")
    counted = {(source, reason): count for source, reason, count in invalid}
    for source in (PREDICTIONS, LABELS) if model.labels else (PREDICTIONS,):
        for reason in REASONS[source]:
            count = counted.get((source, reason), 0)
            snapshot.put("model_source_invalid_total", (model.name, source, reason), count)
    ledger[LabelOutcome.INVALID] = sum(counted.get((LABELS, r), 0) for r in REASONS[LABELS])
    for outcome, count in ledger.items():
        snapshot.put("model_labels_total", (model.name, outcome), count)
    unmatched = store.query(waiting(model), {"now": store.now})[0][0]
    snapshot.put("model_labels_waiting", (model.name,), unmatched)
    _newest(snapshot, store)


def _newest(snapshot: Snapshot, store: Store) -> None:
    for table, family in (
        ("prediction", "model_newest_prediction_timestamp_seconds"),
        ("label", "model_newest_label_timestamp_seconds"),
    ):
        newest = store.newest(table)
        if newest is not None:
            snapshot.put(family, (store.model.name,), newest / MICROSECONDS)
    snapshot.put(
        "model_evaluation_last_success_timestamp_seconds",
        (store.model.name,),
        store.now / MICROSECONDS,
    )


def _delay_histogram(found: dict[str, int]) -> Histogram:
    total = found.get("delay_sum", 0) / MICROSECONDS
    running, buckets = 0, []
    for i, bound in enumerate([*map(str, DELAY_EDGES), "+Inf"]):
        running += found.get(str(i), 0)
        buckets.append((bound if bound == "+Inf" else f"{bound}.0", running))
    return Histogram(tuple(buckets), total)
