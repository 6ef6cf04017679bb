"""Gathers a registry's families although one of its collectors fails.

Ours never fails; the user's registry may hold others that do, and the registry itself then gives
nothing at all: one broken gauge would blind the model's alerts.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

from model_exporter.sidecar.collector import report
from model_exporter.sidecar.faults import Stage

Encode = Callable[[Any], bytes]
"""Of prometheus_client: renders whatever has a `collect`."""


class Families:
    """Families already collected, in the form that an encoder takes."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        """Return the families."""
        return iter(self._families)


def encoded(registry: CollectorRegistry, encode: Encode, names: Collection[str] = ()) -> bytes:
    """Return the registry's text, or that of the samples with one of the names.

    What fails is left out, and counted as an internal error of the registry's first model.
    """
    try:
        return encode(registry.restricted_registry(names) if names else registry)
    except Exception:  # someone's collector; find out whose, at the price of collecting twice
        families = [only(family, names) if names else family for family in _each(registry)]
        return encode(Families(f for f in families if f.samples and _encodes(f, encode, registry)))


def collected(registry: CollectorRegistry) -> list[Metric]:
    """Return the registry's families; what fails is left out, and counted."""
    try:
        return list(registry.collect())
    except Exception:
        return list(_each(registry))


def _each(registry: CollectorRegistry) -> Iterator[Metric]:
    """Collect from one collector after the other, leaving out those that fail."""
    collectors: Iterable[Collector] = list(getattr(registry, "_collector_to_names", ()))
    for collector in collectors:
        try:
            families = list(collector.collect())
        except Exception as error:
            report(registry, Stage.COLLECT, error)
        else:
            yield from families


def _encodes(family: Metric, encode: Encode, registry: CollectorRegistry) -> bool:
    try:
        encode(Families([family]))
    except Exception as error:  # such as a label whose value is not a text
        report(registry, Stage.COLLECT, error)
        return False
    return True


def only(family: Metric, names: Collection[str]) -> Metric:
    """Return the family with the samples of the given names."""
    found = Metric(family.name, family.documentation, family.type, family.unit)
    found.samples = [sample for sample in family.samples if sample.name in names]
    return found
