"""JSON records from a Kafka topic, one a message.

How far each partition was read is kept with the rows, in the store: no consumer group takes part,
nothing is committed, and a crash between two systems cannot lose or repeat anything. A pass goes to
the end of each partition as it was when the pass began. Where the position cannot be trusted (the
topic was made anew, or cut back), all that there is is read again, which has no effect.
"""

import functools
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from model_exporter.errors import SourceError, UnreachableError
from model_exporter.job.secret import Secret, take_secret
from model_exporter.job.sources.address import take_ca_file
from model_exporter.job.sources.batch import NOTHING, Batch, Cursor, Source
from model_exporter.job.sources.jsonl import flatten, text_table
from model_exporter.job.yaml_section import Section

MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
CHUNK_MESSAGES = 10_000
SAMPLE_MESSAGES = 100
LOOK_SECONDS = 0.1
MAX_REFUSED = 10_000
"""Characters of a message without a record that are kept to be looked at."""
SCHEMA_HEAD = 5
"""Bytes that serialisers with a schema registry put before the record; the first is 0."""
NO_GROUP = "model-exporter"
"""The library wants a name, although no group is joined."""

logger = logging.getLogger("model_exporter")


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """What the configuration says of a topic; `id_column` is where ids are."""

    brokers: tuple[str, ...]
    topic: str
    tls: bool
    ca_file: Path | None
    username: str
    password: Secret | None
    mechanism: str
    seconds: float
    id_column: str

    def client(self) -> dict[str, Any]:
        """Return the settings of a client."""
        protocol = "SSL" if self.tls else "PLAINTEXT"
        settings: dict[str, Any] = {
            "bootstrap.servers": ",".join(self.brokers),
            "security.protocol": f"SASL_{protocol}" if self.password else protocol,
            "log_level": 0,  # what matters is raised
        }
        if self.ca_file is not None:
            settings["ssl.ca.location"] = str(self.ca_file)
        if self.password is not None:
            settings["sasl.mechanism"] = self.mechanism
            settings["sasl.username"] = self.username
            settings["sasl.password"] = self.password.read()
        return settings


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is now: its id, which a topic of the same name made later has not."""

    id: str
    partitions: tuple[int, ...]


def configure(section: Section) -> Callable[[], Source]:
    """Take the keys of a topic from a section."""
    brokers = section.texts("brokers")
    if not brokers:
        section.refuse("expected a list such as [kafka-1:9092]", key="brokers")
    password, username = take_secret(section, "password"), section.text("username", default="")
    if bool(username) != bool(password):
        section.refuse("`username` and `password` or `password_file` belong together")
    columns = section.section("columns")
    ca_file = take_ca_file(section)
    options = KafkaOptions(
        brokers=brokers,
        topic=section.text("topic"),
        tls=section.flag("tls", default=ca_file is not None),
        ca_file=ca_file,
        username=username,
        password=password,
        mechanism=section.choice("mechanism", MECHANISMS, default=MECHANISMS[0]),
        seconds=section.duration("timeout", default="60s").seconds,
        id_column=columns.text("id", default="prediction_id") if columns else "prediction_id",
    )
    if ca_file is not None and not options.tls:
        section.refuse("a `ca_file` is for TLS; remove one of the two", key="tls")
    return functools.partial(KafkaSource, options)


class KafkaSource:
    """The messages of a topic."""

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        """Yield the messages after the cursors; `final` makes no difference.

        Raises
        ------
        SourceError
            If there is no such topic, or the brokers do not answer.
        """
        with _told(self._options), closing(_consumer(self._options)) as consumer:
            topic = _topic(self._options)
            starts = {p: self._start(consumer, topic, p, cursors) for p in topic.partitions}
            left = {p: end for p, (start, end) in starts.items() if start < end}
            self._assign(consumer, {p: starts[p][0] for p in left})
            for messages in self._chunks(consumer, left):
                for partition, some in messages.items():
                    cursor = Cursor(some[-1].offset() + 1, topic.id)
                    yield Batch(self._part(partition), self._table(some), cursor)

    def sample(self) -> tuple[str, pa.Table] | None:
        """Return some of the oldest records."""
        with _told(self._options), closing(_consumer(self._options)) as consumer:
            topic = _topic(self._options)
            starts = {p: self._start(consumer, topic, p, {}) for p in topic.partitions}
            left = {
                p: min(end, start + SAMPLE_MESSAGES)
                for p, (start, end) in starts.items()
                if start < end
            }
            self._assign(consumer, {p: starts[p][0] for p in left})
            found = [m for some in self._chunks(consumer, left) for ms in some.values() for m in ms]
        records = [(_record(message.value()), message) for message in found]
        rows = [{**record, **_about(message)} for record, message in records if record]
        return (self._options.topic, text_table(rows)) if rows else None

    def _part(self, partition: int) -> str:
        return f"{self._options.topic}/{partition}"

    def _start(
        self, consumer: Any, topic: Topic, partition: int, cursors: Mapping[str, Cursor]
    ) -> tuple[int, int]:
        """Return the first offset to read and the end of a partition."""
        from confluent_kafka import TopicPartition

        place = TopicPartition(self._options.topic, partition)
        first, end = consumer.get_watermark_offsets(place, timeout=self._options.seconds)
        cursor = cursors.get(self._part(partition))
        if cursor is None or cursor.fingerprint != topic.id or cursor.position > end:
            return first, end
        if cursor.position < first:
            logger.warning(
                "%s: %d messages were deleted before they were read; keep them for longer",
                *(self._part(partition), first - cursor.position),
                extra={"event": "messages_lost"},
            )
        return max(cursor.position, first), end

    def _assign(self, consumer: Any, starts: Mapping[int, int]) -> None:
        from confluent_kafka import TopicPartition

        topic = self._options.topic
        consumer.assign([TopicPartition(topic, p, start) for p, start in starts.items()])

    def _chunks(self, consumer: Any, left: dict[int, int]) -> Iterator[dict[int, list[Any]]]:
        """Yield messages by partition, until each has come to its end."""
        heard = time.monotonic()
        while left:
            messages = consumer.consume(CHUNK_MESSAGES, timeout=LOOK_SECONDS)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > self._options.seconds:
                raise UnreachableError(f"no message within {self._options.seconds:g} s")
            found = _by_partition(messages, left)
            if found:
                yield found

    def _table(self, messages: Iterable[Any]) -> pa.Table:
        """Return records as a table; a message that holds none becomes one that is refused."""
        rows = []
        for message in messages:
            value = message.value()
            if value is None:  # deletes an older message of its key, and is no record
                continue
            record = _record(value)
            if record is None:
                place = f"{message.topic()}/{message.partition()}@{message.offset()}"
                text = value[:MAX_REFUSED].decode("utf-8", "replace")
                record = {self._options.id_column: place, "kafka.value": text}
            rows.append({**record, **_about(message)})
        return text_table(rows) if rows else NOTHING


def _by_partition(messages: Iterable[Any], left: dict[int, int]) -> dict[int, list[Any]]:
    """Return messages by partition; take out of `left` the partitions that are at their end."""
    from confluent_kafka import KafkaError, KafkaException

    found: dict[int, list[Any]] = {}
    for message in messages:
        partition = message.partition()
        error = message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            # The end may hold marks of transactions, or nothing after compaction.
            left.pop(partition, None)
        elif partition in left:
            found.setdefault(partition, []).append(message)
            if message.offset() + 1 >= left[partition]:
                del left[partition]
    return found


def _record(value: bytes | None) -> dict[str, str | None] | None:
    """Return the record that a message holds; None if it holds none."""
    if value is None:
        return None
    if value[:1] == b"\0":
        value = value[SCHEMA_HEAD:]
    try:
        document = json.loads(value)
        return flatten(document) if isinstance(document, dict) else None
    except (ValueError, RecursionError, SourceError):
        return None


def _about(message: Any) -> dict[str, str | None]:
    """Return what Kafka itself knows about a message, as further columns."""
    key = message.key()
    _, milliseconds = message.timestamp()
    return {
        "kafka.key": None if key is None else key.decode("utf-8", "replace"),
        "kafka.timestamp": str(milliseconds) if milliseconds > 0 else None,
    }


def _consumer(options: KafkaOptions) -> Any:
    try:
        from confluent_kafka import Consumer
    except ImportError as error:
        raise SourceError(
            "Kafka needs confluent-kafka, which is not installed; `pip install "
            "model-exporter[kafka]`"
        ) from error
    own = {
        "group.id": NO_GROUP,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
    }
    return Consumer({**options.client(), **own})


def _topic(options: KafkaOptions) -> Topic:
    from confluent_kafka import KafkaError, KafkaException, TopicCollection
    from confluent_kafka.admin import AdminClient

    said: list[Any] = []
    told: dict[str, Any] = {"error_cb": said.append}
    admin = AdminClient(options.client() | told)
    wanted = TopicCollection([options.topic])
    asked = admin.describe_topics(wanted, request_timeout=options.seconds)[options.topic]
    while not asked.done():
        admin.poll(LOOK_SECONDS)
        for error in said:
            if error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION):
                raise KafkaException(error)
    found = asked.result()
    return Topic(str(found.topic_id), tuple(sorted(p.id for p in found.partitions)))


@contextmanager
def _told(options: KafkaOptions) -> Iterator[None]:
    """Tell a failure of the library as one of the source."""
    try:
        from confluent_kafka import KafkaError, KafkaException
    except ImportError:
        yield  # told by `_consumer`
        return
    try:
        yield
    except KafkaException as raised:
        error = raised.args[0]
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise SourceError(f"no topic {options.topic!r}; correct `topic`") from raised
        brokers = ", ".join(options.brokers)
        raise UnreachableError(f"{options.topic} at {brokers}: {error.str()}") from raised
