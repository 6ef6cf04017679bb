"""What can go wrong with the shared directory: the model goes on, and what is good is served."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_exporter import ModelMonitor
from model_exporter.errors import ConfigError
from model_exporter.sidecar import shard_dir, shard_file
from model_exporter.sidecar.faults import Stage
from model_exporter.sidecar.shards import RETRY_NS

RETRY_SECONDS = RETRY_NS * 1e-9


class Worker:
    """A process, but for the process: with a shard and a registry of its own."""

    def __init__(self, directory: Path, **arguments: Any) -> None:
        self.monitor = ModelMonitor("m", task="binary", multiprocess_dir=directory, **arguments)
        self.predict = self.monitor(lambda row: row)

    def calls(self, *outputs: Any) -> None:
        for output in outputs:
            self.predict(output)
        self.monitor.flush()

    def read(self, metric: str, **labels: str) -> float | None:
        every = {"model_name": "m", "model_version": "", **labels}
        return self.monitor.registry.get_sample_value(metric, every)

    @property
    def rows(self) -> float | None:
        return self.read("model_predictions_total")

    @property
    def degraded(self) -> float | None:
        return self.read("model_exporter_shards_degraded")

    @property
    def errors(self) -> dict[str, float | None]:
        metric = "model_exporter_internal_errors_total"
        return {stage.value: self.read(metric, stage=stage.value) for stage in Stage}

    def skipped(self) -> dict[str, float | None]:
        metric = "model_exporter_shards_skipped"
        return {r.value: self.read(metric, reason=r.value) for r in shard_file.SkipReason}

    def kill(self) -> None:
        shards = self.monitor._pipeline.shards
        assert shards is not None
        shards.retire()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    started = []

    def start_worker(directory: Path = tmp_path / "shards", **arguments: Any) -> Worker:
        started.append(Worker(directory, **arguments))
        return started[-1]

    yield start_worker
    for worker in started:
        worker.kill()


def a_shard(directory: Path) -> bytes:
    """Return the bytes of a shard with two rows; remove the file."""
    worker = Worker(directory)
    worker.calls("a", "b")
    (path,) = directory.glob("*.shard")
    data = path.read_bytes()
    worker.kill()
    path.unlink()
    return data


def stem(directory: Path) -> str:
    (path,) = directory.glob("*.archive")
    return path.name.removesuffix(".archive")


def test_bad_files_are_skipped_and_counted_and_good_ones_served(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    """Empty, cut short, random, of another format, a directory, foreign; and a good one."""
    good = start()
    good.calls("a")
    assert good.rows == 1
    directory = tmp_path / "shards"
    (path,) = directory.glob("*.shard")
    data = path.read_bytes()
    old = bytearray(data)
    old[8] += 1
    bad = {
        "1": b"",
        "2": data[: len(data) // 40],
        "3": np.random.default_rng(0).bytes(5_000),
        "4": bytes(old),
        "5": bytes(len(data)),
    }
    for place, content in bad.items():
        (directory / f"{stem(directory)}-{place}.shard").write_bytes(content)
    (directory / f"{stem(directory)}-6.shard").mkdir()
    (directory / "counter_7.db").write_bytes(b"theirs")
    (directory / "other.shard").write_bytes(b"theirs")
    assert good.rows == 1
    assert good.skipped() == {"damaged": 5, "format": 1, "layout": 0}
    good.calls("b")
    assert good.rows == 2
    assert good.degraded == 0


def test_a_damaged_archive_is_counted_and_made_anew(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    """What it held is lost; nothing else is."""
    one, two = start(), start()
    one.calls("a")
    one.kill()
    assert two.rows == 1
    (path,) = (tmp_path / "shards").glob("*.archive")
    path.write_bytes(path.read_bytes()[:-9])
    two.calls("b", "c")
    two.monitor.close()
    assert two.rows == 2
    assert two.skipped()["damaged"] == 0


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_mutation_of_a_file_breaks_a_scrape(data: Any, tmp_path: Path) -> None:
    """Whatever bytes are there: good data is served, and the counts of the file are 0, 1 or 2."""
    directory = tmp_path / "fuzz"
    shutil.rmtree(directory, ignore_errors=True)
    content = bytearray(a_shard(directory))
    for _ in range(data.draw(st.integers(1, 4))):
        # Most of a file is room for names: aim at the head and the beginnings of the slots.
        place = data.draw(st.integers(0, 700)) + data.draw(st.sampled_from([0, len(content) // 2]))
        content[place % len(content)] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.sampled_from([len(content), len(content) // 2, 100]))]
    good = Worker(directory)
    good.calls("a")
    assert good.rows == 1
    (directory / f"{stem(directory)}-f.shard").write_bytes(bytes(content))
    assert good.rows in (1, 2, 3)
    assert sum(good.skipped().values()) + good.rows - 1 in (1, 2)
    good.kill()


def test_a_full_disk_costs_no_count_and_is_left_when_there_is_room(
    start: Callable[..., Worker], small_disk: Any, clock: Any
) -> None:
    """Counts wait in memory, a gauge says so, and what was shared before goes on being counted."""
    small_disk.resize(256)
    early = start(small_disk.path, clock=clock)
    early.calls("a")
    filler = small_disk.path / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(2**20))
    late = start(small_disk.path, clock=clock)
    for _ in range(100):
        late.calls(*"bc")
        early.calls("a")
    assert (late.degraded, late.rows) == (1, 301)
    # Its room was taken when there was some; a disk this full has none for an archive of names.
    assert early.rows == 101
    filler.unlink()
    clock.advance(RETRY_SECONDS)
    late.calls("b")
    assert (late.degraded, late.rows) == (0, 302)
    assert (early.degraded, early.rows) == (0, 302)


def test_ten_thousand_predictions_on_a_disk_of_64_kb(
    start: Callable[..., Worker], small_disk: Any, clock: Any
) -> None:
    """No room for one shard: results are the model's own, and each counts once, then and later."""
    one, two = (start(small_disk.path, clock=clock) for _ in range(2))
    outputs = [f"label {number}" for number in range(10)]
    for number in range(5_000):
        output = outputs[number % 10]
        assert one.predict(output) is output
        assert two.predict(output) is output
        if number % 100 == 0:
            assert (one.rows, one.degraded) == (number + 1, 1)
    assert (one.rows, two.rows) == (5_000, 5_000)  # each its own: there is no place to meet
    assert (one.degraded, two.degraded) == (1, 1)
    assert one.errors["shards"] > 0
    assert [path.name for path in small_disk.path.glob("*.shard")] == []

    small_disk.resize(1024)
    clock.advance(RETRY_SECONDS)
    for worker in (one, two):
        worker.calls("a")
    assert {(w.rows, w.degraded) for w in (one, two, one, two)} == {(10_002, 0)}
    one.kill()
    late = start(small_disk.path, clock=clock)
    late.calls("a")
    two.calls("a")
    assert (two.rows, late.rows, late.degraded) == (10_004, 10_004, 0)


def test_a_directory_that_cannot_be_made_is_used_as_soon_as_it_can(
    start: Callable[..., Worker], tmp_path: Path, clock: Any
) -> None:
    """The parent is a file for a while: no error reaches the model."""
    parent = tmp_path / "late"
    parent.write_text("in the way")
    worker = start(parent / "shards", clock=clock)
    worker.calls("a", "b")
    assert (worker.degraded, worker.rows) == (1, 2)
    parent.unlink()
    worker.calls("a")
    assert list(tmp_path.glob("late/*")) == []  # not before its time
    clock.advance(RETRY_SECONDS)
    worker.calls("a")
    assert (worker.degraded, worker.rows) == (0, 4)
    assert start(parent / "shards").rows == 4


def test_a_deleted_directory_is_made_again_with_all_counts(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    """As when an operator clears the directory under running workers."""
    one, two = start(), start()
    one.calls("a", "b")
    two.calls("a")
    shutil.rmtree(tmp_path / "shards")
    one.calls("a")
    two.calls("a")
    assert one.rows == two.rows == 5


def test_files_that_cannot_be_read_for_a_moment_make_no_counter_fall(
    start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of file descriptors, a scrape repeats what it saw last of the others."""
    one, two = start(), start()
    one.calls("a", "b")
    two.calls("a")
    assert two.rows == 3

    def no_files(*_: Any, **__: Any) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_files)
        two.calls("a")
        assert (two.rows, two.degraded) == (4, 1)
    assert (two.rows, two.degraded) == (4, 0)


def test_what_belongs_to_nobody_is_removed_in_time(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    """Of versions that are gone, files in the making and damaged ones: after a minute or a day."""
    directory = tmp_path / "shards"
    gone = start(version="gone")
    gone.calls("a")
    gone.kill()
    living = start(version="living")
    living.calls("a")
    (directory / "model-exporter-x-y-z.shard.tmp").write_bytes(b"half")
    (directory / "counter_1.db").write_bytes(b"theirs")
    for name in os.listdir(directory):
        then = os.stat(directory / name).st_mtime - 2 * shard_dir.ABANDONED_SECONDS
        os.utime(directory / name, (then, then))
    before = set(os.listdir(directory))
    new = start()
    new.calls("a")
    new.monitor.close()  # the thread that opened its shard has tidied up
    left = set(os.listdir(directory)) & before
    living_stem = stem_of_living(living)
    assert {n for n in left if n.endswith((".shard", ".archive"))} <= {
        n for n in before if n.startswith(living_stem)
    }
    assert {"counter_1.db", shard_dir.LOCK} <= left
    assert "model-exporter-x-y-z.shard.tmp" not in left


def stem_of_living(worker: Worker) -> str:
    shards = worker.monitor._pipeline.shards
    assert shards is not None
    return shards._folder.stem


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file, or what is no path; and nothing is shared with an empty one."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match="this is a file"):
        ModelMonitor("m", task="binary", multiprocess_dir=file)
    with pytest.raises(ConfigError, match="path of a directory"):
        ModelMonitor("m", task="binary", multiprocess_dir=7)  # type: ignore[arg-type]


def test_the_variable_of_prometheus_client_names_the_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only where no argument does; an empty one is none."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "theirs"))
    for argument, found in {None: "theirs", str(tmp_path / "ours"): "ours", "": None}.items():
        monitor = ModelMonitor("m", task="binary", multiprocess_dir=argument)
        directory = monitor._pipeline.settings.multiprocess_dir
        assert (directory.name if directory else None) == found
        monitor.close()
