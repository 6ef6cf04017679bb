"""The PSI of rules and panels is the one of the definition."""

import math
import random
from collections.abc import Callable
from pathlib import Path

import yaml

from model_exporter.bundle.rows.drift_of_servers import psi as psi_of_panel
from model_exporter.bundle.rows.version_outputs import APART

LEVEL = 'job="j", model_name="m", model_version="1", subject="feature"'
REPLICAS = 3
FLOOR = 1e-4


def psi(counts: list[int], reference: list[float]) -> float:
    """Return sum of (now - then) * ln(now / then), proportions floored."""
    shares = [max(count / sum(counts), FLOOR) for count in counts]
    floored = [max(share, FLOOR) for share in reference]
    pairs = zip(shares, floored, strict=True)
    return sum((now - then) * math.log(now / then) for now, then in pairs)


def histogram(chance: random.Random) -> tuple[list[list[int]], list[float]]:
    """Return counts a minute by bin and replica, a third of them 0, and the baseline's shares."""
    bins = chance.randint(2, 12)
    weights = [chance.random() for _ in range(bins)]
    counts = [
        [chance.choice([0, chance.randint(0, 90)]) for _ in range(REPLICAS)] for _ in range(bins)
    ]
    counts[0][0] += 20
    return counts, [weight / sum(weights) for weight in weights]


def series(name: str, labels: str, values: str) -> dict[str, str]:
    return {"series": f"{name}{{{labels}}}", "values": values}


def test_recorded_psi_equals_a_second_implementation(
    root: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    """Random histograms over three replicas, empty bins included, to a millionth."""
    chance = random.Random(7)
    inputs, checks = [], []
    for number in range(12):
        feature = f'{LEVEL}, feature="f{number}"'
        counts, reference = histogram(chance)
        for name, (row, share) in enumerate(zip(counts, reference, strict=True)):
            labels = f'{feature}, bin="{name}"'
            inputs.append(series("model_baseline_ratio", labels, f"{share!r}x120"))
            inputs += [
                series("model_distribution_total", f'{labels}, instance="{i}"', f"0+{count}x120")
                for i, count in enumerate(row)
            ]
        expected = psi([sum(row) for row in counts], reference)
        recorded = f"model_version_feature:model_drift_psi:1h{{{feature}}}"
        checks.append(near(recorded, expected, feature))
        panel = psi_of_panel(f'feature="f{number}"', "1h")
        checks.append(near(panel, expected, f'subject="feature", feature="f{number}"'))
    path = written(tmp_path, inputs, checks, root / "alerting/rules/model-recording.yml")
    done = run(require_tool("promtool"), "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def near(query: str, expected: float, labels: str) -> dict[str, object]:
    """Return the check that a query gives a number to a millionth, with these labels."""
    return {
        "expr": f"abs(({query}) - {expected!r}) < bool 0.000001",
        "eval_time": "2h",
        "exp_samples": [{"labels": f"{{{labels}}}", "value": 1}],
    }


def written(folder: Path, inputs: list, checks: list, rules: Path) -> Path:
    case = {"interval": "1m", "input_series": inputs, "promql_expr_test": checks}
    document = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [case]}
    path = folder / "psi.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_drift_between_versions_is_that_of_each_from_all_together(
    root: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    """Versions stand where replicas stood: their counts against the sum of them."""
    counts, _ = histogram(random.Random(3))
    inputs = [
        series(
            "model_distribution_total",
            f'{LEVEL.replace("1", str(version))}, feature="f", bin="{name}", instance="i"',
            f"0+{count}x120",
        )
        for name, row in enumerate(counts)
        for version, count in enumerate(row)
    ]
    everything = sum(map(sum, counts))
    together = [sum(row) / everything for row in counts]
    query = APART.replace("$__range", "1h")
    for name in ("job", "instance", "model_name", "model_version"):
        query = query.replace(f"${name}", ".+")
    checks = [
        near(
            f'({query}) and on (model_version) label_replace(vector(1), "model_version", '
            f'"{version}", "", "")',
            psi([row[version] for row in counts], together),
            f'model_version="{version}", subject="feature", feature="f"',
        )
        for version in range(REPLICAS)
    ]
    path = written(tmp_path, inputs, checks, root / "alerting/rules/model-recording.yml")
    done = run(require_tool("promtool"), "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
