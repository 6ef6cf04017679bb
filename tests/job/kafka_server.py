"""A Kafka broker of a test's own, without anything beside it."""

import contextlib
import functools
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization

from model_exporter.demo.processes import Processes, free_port

READY_SECONDS = 90.0
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
USER, PASSWORD = "job", "battery-staple"


class Broker:
    """Addresses of a broker: plain, and with TLS and a password."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plain, self.secure, self.controller = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.ca_file = directory / "ca.pem"
        self.password_file = directory / "password"

    @functools.cached_property
    def admin(self) -> Any:
        from confluent_kafka.admin import AdminClient

        return AdminClient({"bootstrap.servers": self.plain, "log_level": 0})

    def create(self, topic: str, *, partitions: int = 1, **settings: str) -> None:
        from confluent_kafka.admin import NewTopic

        config = {name.replace("_", "."): value for name, value in settings.items()}
        new = NewTopic(topic, partitions, 1, config=config)
        self.admin.create_topics([new])[topic].result(READY_SECONDS)
        deadline = time.monotonic() + READY_SECONDS
        while not all(self._leads(topic, partition) for partition in range(partitions)):
            assert time.monotonic() < deadline, f"{topic} has no leader"

    def _leads(self, topic: str, partition: int) -> bool:
        """Tell whether the broker has taken over a partition of a new topic yet."""
        from confluent_kafka import KafkaException, TopicPartition
        from confluent_kafka.admin import OffsetSpec

        wanted = {TopicPartition(topic, partition): OffsetSpec.latest()}
        try:
            for future in self.admin.list_offsets(wanted).values():
                future.result(READY_SECONDS)
        except KafkaException:
            return False
        return True

    def delete(self, topic: str) -> None:
        self.admin.delete_topics([topic])[topic].result(READY_SECONDS)

    def produce(self, topic: str, *messages: tuple[int, bytes | None], key: str = "k") -> None:
        """Produce messages, each with its partition."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.plain})
        for partition, value in messages:
            producer.produce(topic, value, key, partition)
        assert producer.flush(READY_SECONDS) == 0


@contextlib.contextmanager
def running(directory: Path, *, start: str, storage: str) -> Iterator[Broker]:
    """Start a broker; end it by its id."""
    broker = Broker(directory)
    (directory / "server.properties").write_text(_properties(broker))
    subprocess.run(
        [storage, "format", "-t", CLUSTER, "-c", "server.properties"],
        cwd=directory,
        check=True,
        capture_output=True,
    )
    with Processes(directory) as processes:
        child = processes.start("kafka", [start, str(directory / "server.properties")])
        processes.wait_for("kafka", child, lambda: _answers(broker), READY_SECONDS)
        yield broker


def _answers(broker: Broker) -> bool:
    from confluent_kafka import KafkaException

    try:
        return bool(broker.admin.list_topics(timeout=1.0).brokers)
    except KafkaException:
        return False


def _properties(broker: Broker) -> str:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(broker.ca_file)
    broker.password_file.write_text(PASSWORD)
    issued = authority.issue_cert("127.0.0.1")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    (broker.directory / "server.pem").write_bytes(pem + chain)
    jaas = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'user_{USER}="{PASSWORD}";'
    )
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{broker.controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{broker.plain},SASL_SSL://{broker.secure},"
        f"CONTROLLER://{broker.controller}",
        "advertised.listeners": f"PLAINTEXT://{broker.plain},SASL_SSL://{broker.secure}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,"
        "CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": jaas,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(broker.directory / "server.pem"),
        "log.dirs": str(broker.directory / "data"),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
