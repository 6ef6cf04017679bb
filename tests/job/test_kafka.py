"""Kafka: on a real broker, every message counts once, whatever happens to job and topic."""

import itertools
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.job.kafka_server import USER, Broker, running

from model_exporter.errors import ConfigError, SourceError, UnreachableError
from model_exporter.job.check import check_sources
from model_exporter.job.config import load
from model_exporter.job.once import once
from model_exporter.job.sources import Cursor, kafka
from model_exporter.job.yaml_section import read_section

NOW = 1_700_000_000
NAMES = map("topic-{}".format, itertools.count())


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]
) -> Iterator[Broker]:
    start, storage = require_tool("kafka-server-start.sh"), require_tool("kafka-storage.sh")
    pytest.importorskip("confluent_kafka", reason="the kafka extra is not installed")
    with running(tmp_path_factory.mktemp("kafka"), start=start, storage=storage) as broker:
        yield broker


def opened(directory: Path, broker: Broker, topic: str, **keys: Any) -> kafka.KafkaSource:
    path = directory / "source.yml"
    path.write_text(yaml.safe_dump({"brokers": [broker.plain], "topic": topic, **keys}))
    source = kafka.configure(read_section(path))()
    assert isinstance(source, kafka.KafkaSource)
    return source


class Reading:
    """A source together with its cursors, as the store would keep them."""

    def __init__(self, source: kafka.KafkaSource) -> None:
        self.source = source
        self.cursors: dict[str, Cursor] = {}

    def read(self, *, batches: int | None = None) -> list[Any]:
        """Take in what is new, or the first batches of it; return the column `n`."""
        found: list[Any] = []
        for batch in itertools.islice(self.source.read(self.cursors), batches):
            if "n" in batch.table.column_names:
                found += batch.table.column("n").to_pylist()
            self.cursors[batch.file] = batch.cursor
        return found


def numbered(*numbers: int, partitions: int = 1) -> list[tuple[int, bytes]]:
    return [(n % partitions, json.dumps({"n": n}).encode()) for n in numbers]


def test_every_message_is_read_once(broker: Broker, tmp_path: Path) -> None:
    """Over partitions and passes, also when a pass is cut short; an idle pass brings nothing."""
    topic = next(NAMES)
    broker.create(topic, partitions=3)
    reading = Reading(opened(tmp_path, broker, topic))
    assert reading.read() == []
    broker.produce(topic, *numbered(*range(100), partitions=3))
    assert sorted(map(int, reading.read())) == list(range(100))
    assert reading.read() == []
    broker.produce(topic, *numbered(*range(100, 200), partitions=3))
    found = [*reading.read(batches=1), *reading.read(batches=1), *reading.read()]
    assert sorted(map(int, found)) == list(range(100, 200))


def test_a_pass_ends_while_others_write(broker: Broker, tmp_path: Path) -> None:
    """At the end as it was when the pass began; the rest comes with the next."""
    topic = next(NAMES)
    broker.create(topic)
    broker.produce(topic, *numbered(1, 2))
    reading = Reading(opened(tmp_path, broker, topic))
    batches = reading.source.read({})
    first = next(batches)
    broker.produce(topic, *numbered(3))
    rest = [n for batch in batches for n in batch.table.column("n").to_pylist()]
    assert [*first.table.column("n").to_pylist(), *rest] == ["1", "2"]
    reading.cursors = {first.file: first.cursor}
    assert reading.read() == ["3"]


def test_what_is_no_record(broker: Broker, tmp_path: Path) -> None:
    """Tombstones are passed over; anything else is handed on with its place, to be refused."""
    topic = next(NAMES)
    broker.create(topic)
    values = [b"{", b"[1]", b"\xff\xfe", b"7", b"", None, b'{"n": 1}', b'\0\0\0\0\x07{"n": 2}']
    broker.produce(topic, *((0, value) for value in values))
    reading = Reading(opened(tmp_path, broker, topic))
    (batch,) = reading.source.read({})
    rows = batch.table.to_pylist()
    assert [row["n"] for row in rows if row["n"]] == ["1", "2"]
    refused = [(row["prediction_id"], row["kafka.value"]) for row in rows if not row["n"]]
    texts = ["{", "[1]", "\ufffd\ufffd", "7", ""]
    assert refused == [(f"{topic}/0@{i}", text) for i, text in enumerate(texts)]
    assert {row["kafka.key"] for row in rows} == {"k"}
    assert all(int(row["kafka.timestamp"]) > 1_600_000_000_000 for row in rows)
    assert batch.cursor.position == len(values)


def test_only_tombstones(broker: Broker, tmp_path: Path) -> None:
    topic = next(NAMES)
    broker.create(topic)
    broker.produce(topic, (0, None), (0, None))
    reading = Reading(opened(tmp_path, broker, topic))
    assert reading.source.sample() is None
    assert reading.read() == []
    assert reading.cursors[f"{topic}/0"].position == 2


def test_transactions(broker: Broker, tmp_path: Path) -> None:
    """What was aborted is not there; the marks at the end of a partition hold up nothing."""
    from confluent_kafka import Producer

    topic = next(NAMES)
    broker.create(topic)
    producer = Producer({"bootstrap.servers": broker.plain, "transactional.id": topic})
    producer.init_transactions(30)
    for n, commit in ((1, True), (2, False), (3, True)):
        producer.begin_transaction()
        producer.produce(topic, json.dumps({"n": n}))
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    reading = Reading(opened(tmp_path, broker, topic))
    assert reading.read() == ["1", "3"]
    assert reading.read() == []


def test_deleted_before_it_was_read(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker's retention may take what was not read: that is said, and the rest is read."""
    from confluent_kafka import TopicPartition

    topic = next(NAMES)
    broker.create(topic)
    reading = Reading(opened(tmp_path, broker, topic))
    broker.produce(topic, *numbered(1, 2))
    assert reading.read() == ["1", "2"]
    broker.produce(topic, *numbered(3, 4, 5))
    asked = broker.admin.delete_records([TopicPartition(topic, 0, 4)])
    for future in asked.values():
        future.result(30)
    with caplog.at_level(logging.WARNING, logger="model_exporter"):
        assert reading.read() == ["5"]
    assert f"{topic}/0: 2 messages were deleted" in caplog.text


def test_a_topic_that_is_made_anew(broker: Broker, tmp_path: Path) -> None:
    """Is read from its beginning, though it may be as long as the old one was by then."""
    topic = next(NAMES)
    broker.create(topic)
    broker.produce(topic, *numbered(1, 2))
    reading = Reading(opened(tmp_path, broker, topic))
    assert reading.read() == ["1", "2"]
    broker.delete(topic)
    broker.create(topic)
    broker.produce(topic, *numbered(3, 4, 5))
    assert reading.read() == ["3", "4", "5"]


def test_a_partition_that_is_added(broker: Broker, tmp_path: Path) -> None:
    from confluent_kafka.admin import NewPartitions

    topic = next(NAMES)
    broker.create(topic)
    broker.produce(topic, *numbered(0))
    reading = Reading(opened(tmp_path, broker, topic))
    assert reading.read() == ["0"]
    broker.admin.create_partitions([NewPartitions(topic, 2)])[topic].result(30)
    broker.produce(topic, *numbered(2, 3, partitions=2))
    assert sorted(reading.read()) == ["2", "3"]


def test_tls_and_passwords(broker: Broker, tmp_path: Path) -> None:
    """With the right ones the topic is read; each wrong one is told for what it is."""
    topic = next(NAMES)
    broker.create(topic)
    broker.produce(topic, *numbered(1))
    (tmp_path / "wrong").write_text("not-the-password")
    keys = {
        "brokers": [broker.secure],
        "ca_file": str(broker.ca_file),
        "username": USER,
        "password_file": str(broker.password_file),
        "mechanism": "PLAIN",
        "timeout": "10s",
    }
    assert Reading(opened(tmp_path, broker, topic, **keys)).read() == ["1"]
    with pytest.raises(UnreachableError, match=r"[Aa]uthentication"):
        Reading(opened(tmp_path, broker, topic, **{**keys, "password_file": "wrong"})).read()
    del keys["ca_file"]
    with pytest.raises(UnreachableError):
        Reading(opened(tmp_path, broker, topic, **keys, tls=True)).read()


def test_no_such_topic_and_no_broker(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no topic 'nowhere'"):
        Reading(opened(tmp_path, broker, "nowhere")).read()
    with pytest.raises(UnreachableError, match=r"t at 127\.0\.0\.1:9: "):
        Reading(opened(tmp_path, broker, "t", brokers=["127.0.0.1:9"])).read()


def test_the_job_reads_topics_as_files(broker: Broker, tmp_path: Path) -> None:
    """The same records give the same text, in one turn or in several; bad ones are quarantined."""
    predictions, labels = next(NAMES), next(NAMES)
    broker.create(predictions, partitions=2)
    broker.create(labels)
    rows = [
        {"prediction_id": f"p{i}", "timestamp": NOW - 50 + i, "prediction": i % 2, "score": i / 40}
        for i in range(40)
    ]
    truth = [
        {"prediction_id": f"p{i}", "label": i % 3 % 2, "label_timestamp": NOW - 5}
        for i in range(40)
    ]
    config = tmp_path / "kafka.yml"
    model = {
        "name": "m",
        "task": "binary",
        "predictions": {"type": "kafka", "brokers": [broker.plain], "topic": predictions},
        "labels": {"type": "kafka", "brokers": [broker.plain], "topic": labels},
    }
    config.write_text(yaml.safe_dump({"state": "kafka", "models": [model]}))
    assert check_sources(load(config)) == []
    halves = slice(0, 17), slice(17, None)
    texts = []
    for half in halves:
        broker.produce(
            predictions, *((i % 2, json.dumps(r).encode()) for i, r in enumerate(rows[half]))
        )
        broker.produce(labels, *((0, json.dumps(r).encode()) for r in truth[half]))
        broker.produce(labels, (0, b"no record"), (0, b"nor this"))
        text, failures = once(load(config), now=NOW * 1_000_000)
        assert failures == []
        texts.append(text)
    for name, records in (("p", rows), ("l", truth)):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    model["predictions"] = {"type": "jsonl", "path": "p.jsonl"}
    model["labels"] = {"type": "jsonl", "path": "l.jsonl"}
    files = tmp_path / "files.yml"
    files.write_text(yaml.safe_dump({"state": "files", "models": [model]}))
    wanted, _ = once(load(files), now=NOW * 1_000_000)
    refused = "model_source_invalid_total{", "model_labels_total{"
    assert _without(texts[-1], refused) == _without(wanted, refused)
    invalid = [line for line in texts[-1].splitlines() if line.endswith(" 4.0")]
    assert any(line.startswith("model_source_invalid_total") for line in invalid)
    quarantined = (tmp_path / "kafka" / "m-quarantine.jsonl").read_text()
    assert quarantined.count("no record") == 2
    assert quarantined.count("nor this") == 2


def _without(text: str, names: tuple[str, ...]) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(names)]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"brokers": []}, "expected a list"),
        ({"topic": None}, "'topic' is missing"),
        ({"username": "u"}, "belong together"),
        ({"password": "written"}, "a secret is not written here"),
        ({"mechanism": "GSSAPI"}, "is not one of SCRAM"),
        ({"ca_file": "none.pem"}, "no such file"),
    ],
)
def test_refused(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    given = {"brokers": ["b:9092"], "topic": "t", **keys}
    path = tmp_path / "source.yml"
    path.write_text(yaml.safe_dump({k: v for k, v in given.items() if v is not None}))
    with pytest.raises(ConfigError, match=message):
        kafka.configure(read_section(path))
