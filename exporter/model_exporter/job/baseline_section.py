"""The baselines of a model: one for all versions, or by version."""

from collections.abc import Mapping, Sequence

from model_exporter.baseline import Baseline
from model_exporter.errors import BaselineError, ConfigError
from model_exporter.job.source_section import resolve
from model_exporter.job.yaml_section import Section
from model_exporter.records import ALL_VERSIONS, Task
from model_exporter.tracking.source import is_mlflow, load_baseline


def read_baselines(section: Section, task: Task) -> Mapping[str, Baseline]:
    """Read `baseline`: files, or addresses of MLflow's."""
    if section.is_mapping("baseline"):
        given = section.mapping("baseline")
    elif "baseline" in section:
        given = {ALL_VERSIONS: section.text("baseline", expected="the path of a baseline file")}
    else:
        section.text("baseline", default="")
        return {}
    found = {}
    for version, path in given.items():
        try:
            where = path if is_mlflow(path) else resolve(section, path)
            found[version] = load_baseline(where)
        except (BaselineError, ConfigError) as error:
            section.refuse(str(error), key="baseline")
        if found[version].task is not task:
            section.refuse(
                f"{path}: the baseline is of a {found[version].task} model, this model is {task}; "
                "make the baseline again with the right --task",
                key="baseline",
            )
    return found


def check_baselines(
    section: Section, baselines: Mapping[str, Baseline], **features: Sequence[str]
) -> None:
    """Refuse a feature that is of one kind (the keyword) here and of another in a baseline."""
    for baseline in baselines.values():
        for kind, names in features.items():
            for name in names:
                distribution = baseline.features.get(name)
                if distribution is not None and distribution.kind != kind:
                    section.refuse(
                        f"{name!r} is {kind} here and {distribution.kind} in the baseline; "
                        "make them agree",
                        key="features",
                    )
