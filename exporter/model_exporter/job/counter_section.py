"""What a model may be configured for where its predictions are counters and not records."""

from collections.abc import Mapping

from model_exporter.baseline import Baseline
from model_exporter.job.yaml_section import Section

USABLE = (
    *("name", "task", "positive_label", "classes", "baseline", "predictions", "features"),
    *("windows", "drift"),
)


def check_counted(section: Section, baselines: Mapping[str, Baseline]) -> None:
    """Refuse what takes records, and counters without a baseline whose bins they count in."""
    for key in section:
        if key not in USABLE:
            section.refuse(
                "counters say how many predictions there were, not which: nothing can be joined "
                "or split; remove this, or read a prediction log (another `predictions.type`)",
                key=key,
            )
    if not baselines:
        section.refuse(
            "`type: prometheus` reads counts by bin of a baseline; give the file that the model "
            "itself has, for example baseline: churn.baseline.json"
        )


def counted_features(
    baselines: Mapping[str, Baseline],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the numeric and the categorical features that the baselines know."""
    kinds = {name: d.kind for b in baselines.values() for name, d in b.features.items()}
    numeric = tuple(name for name, kind in kinds.items() if kind == "numeric")
    return numeric, tuple(name for name in kinds if name not in numeric)
