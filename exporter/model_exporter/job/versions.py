"""Champion against challengers: how much better or worse each version scores, and how surely.

Versions that shadow each other are compared on the ids that both scored, others by the scores of
their own rows. Whole model only, over each window.
"""

from collections.abc import Mapping, Sequence

from model_exporter.catalogue import SCORES, Better
from model_exporter.comparison import Difference, paired_differences, unpaired_difference
from model_exporter.job import decode
from model_exporter.job.columns import score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.pairs import read_pairs
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.store import Store
from model_exporter.job.totals import Interval, Totals
from model_exporter.job.windows import WindowTotals
from model_exporter.records import ALL_VERSIONS, Task
from model_exporter.scores import SCORES as SCORE_FUNCTIONS

MAX_CHALLENGERS = 9
"""Without a list; the versions with the most labelled rows in the longest window are compared."""
SIGNIFICANCE = 0.05
"""Of all scores of a comparison together; each gets its share (Bonferroni)."""
MINIMUM_ROWS = 100
"""Below it the false alarms of the sharpest scores are twice what they should be."""
LEFT_OUT = {"model_calibration_error"}
"""Is too large by what a few rows scatter, more so of a canary that has fewer of them."""
AVERAGES = {Task.BINARY: "binary", Task.MULTICLASS: "macro"}

Differences = Mapping[str, Difference]
"""By family name."""


def compare_versions(snapshot: Snapshot, store: Store, windows: Sequence[WindowTotals]) -> None:
    """Put the differences of each challenger to the champion, in each window."""
    model = store.model
    if model.comparison is None or not windows:
        return
    champion = model.comparison.champion or _commonest(windows)
    challengers = model.comparison.challengers or _serving(windows, champion)
    for window in windows:
        versions = _versions(window)
        if not versions.get(champion, Totals()).count("labeled"):
            continue
        for version in challengers:
            if version == champion or not versions.get(version, Totals()).count("labeled"):
                continue
            sides = {champion: versions[champion], version: versions[version]}
            pairing, rows, found = _compared(store, window.interval, sides)
            labels = (model.name, version, champion, window.text, pairing)
            _put(snapshot, labels, rows, found)


def _commonest(windows: Sequence[WindowTotals]) -> str:
    """Return the version with the most predictions in the longest window; of several, the first.

    It is one for all windows: a rollout that has come further in a shorter one changes no side.
    """
    _, longest = _extremes(windows)
    sizes = {version: t.count("predictions") for version, t in longest.items()}
    return min(sizes, key=lambda version: (-sizes[version], version), default="")


def _serving(windows: Sequence[WindowTotals], champion: str) -> list[str]:
    """Return the other versions that still predict, those with the most labels first.

    A version that has been replaced by a better one is worse, and nobody's concern.
    """
    shortest, longest = _extremes(windows)
    serving = [v for v, t in shortest.items() if t.count("predictions") and v != champion]
    return sorted(serving, key=lambda v: (-longest[v].count("labeled"), v))[:MAX_CHALLENGERS]


def _extremes(windows: Sequence[WindowTotals]) -> tuple[dict[str, Totals], dict[str, Totals]]:
    """Return the versions of the shortest and of the longest window."""
    by_length = sorted(windows, key=lambda window: window.interval[1] - window.interval[0])
    return _versions(by_length[0]), _versions(by_length[-1])


def _versions(window: WindowTotals) -> dict[str, Totals]:
    return {
        group.version: totals
        for group, totals in window.groups.items()
        if not group.segment and group.version != ALL_VERSIONS
    }


def _compared(
    store: Store, interval: Interval, sides: Mapping[str, Totals]
) -> tuple[str, int, Differences]:
    """Return how two versions were compared, on how many rows, and what was found."""
    rows = min(totals.count("labeled") for totals in sides.values())
    if store.model.shadow:
        pairs, found = _paired(store, interval, sides, rows)
        if pairs:
            return "paired", pairs, found
    return "unpaired", rows, _unpaired(store.model, sides)


def _paired(
    store: Store, interval: Interval, sides: Mapping[str, Totals], rows: int
) -> tuple[int, Differences]:
    model = store.model
    classes: tuple[str, ...] = ()
    if model.task is not Task.REGRESSION:
        names = [decode.class_names(totals, model) for totals in sides.values()]
        classes = names[0]
        if model.task is Task.MULTICLASS:
            classes = tuple(dict.fromkeys([*names[0], *names[1]]))
    champion, challenger = sides
    pairs = read_pairs(store, interval, (champion, challenger), classes, rows=rows)
    places = [1] if score_classes(model) == ("",) else map(classes.index, score_classes(model))
    found = paired_differences(
        pairs.labels,
        pairs.champion,
        pairs.challenger,
        task=model.task,
        classes=len(classes),
        places=list(places),
    )
    return pairs.labels.size, {name: difference for (name, *_), difference in found.items()}


def _unpaired(model: ModelConfig, sides: Mapping[str, Totals]) -> Differences:
    before, after = (decode.statistics(totals, model) for totals in sides.values())
    wanted = ((), (AVERAGES.get(model.task, ""),))
    found = {}
    for score in SCORE_FUNCTIONS:
        if model.task not in score.tasks or score.name in LEFT_OUT:
            continue
        old, new = score.compute(before), score.compute(after)
        for key in wanted:
            if key in old and key in new:
                found[score.name] = unpaired_difference(old[key], new[key])
    return found


def _put(snapshot: Snapshot, labels: tuple[str, ...], rows: int, differences: Differences) -> None:
    snapshot.put("model_version_difference_rows", labels, rows)
    tests = sum(difference.p_value is not None for difference in differences.values())
    for family in SCORES:
        found = differences.get(family.name)
        if found is None:
            continue
        place = (*labels, family.key)
        snapshot.put("model_version_difference", place, found.value)
        if found.lower is not None and found.upper is not None:
            snapshot.put("model_version_difference_lower", place, found.lower)
            snapshot.put("model_version_difference_upper", place, found.upper)
        if found.p_value is not None:
            snapshot.put("model_version_difference_p_value", place, found.p_value)
        if family.better is not Better.ZERO:
            worse = found.value < 0 if family.better is Better.HIGHER else found.value > 0
            sure = found.p_value is not None and found.p_value < SIGNIFICANCE / tests
            snapshot.put("model_version_worse", place, worse and sure and rows >= MINIMUM_ROWS)
