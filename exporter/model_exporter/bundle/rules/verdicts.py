"""What the job has found, held for as long as it cannot see.

A source that cannot be read empties the windows, and an exporter that is gone takes its series
along: either would look like recovery. So verdicts are recorded, and while a model is blind they
stay as they were, by reading their own last value: none goes, none comes.
"""

from model_exporter.bundle.rules.rule import Group, Recording

MODEL = "namespace, job, model_name"
SOURCES_BLIND = "model_source:model_source:blind"
PREDICTIONS_BLIND = f'{SOURCES_BLIND}{{source="predictions"}}'

BLIND = Recording(
    record="model_source:model_source:blind",
    why="A source that cannot be read; or that was served within the day and is not, while the"
    " exporters of its job are gone or have not evaluated anything since they started. One that has"
    " evaluated other models has let this one go.",
    expr=f"""
        group by ({MODEL}, source) (model_source_up == 0)
        or
        (
          group by ({MODEL}, source) (last_over_time(model_source_up[1d]))
          unless on ({MODEL})
          model_source_up
          unless on (namespace, job)
          model_evaluation_last_success_timestamp_seconds
        )
    """,
)


def _held(record: str, verdict: str, *, why: str, blind: str) -> Recording:
    return Recording(
        record=record,
        why=why,
        expr=f"""
            ({record} and on ({MODEL}) {blind})
            or
            ({verdict.strip()} unless on ({MODEL}) {blind})
        """,
    )


VERDICTS = (
    BLIND,
    _held(
        "model_version:model_drift_psi:detected",
        """
              max without (instance, pod) (
                model_drift_psi{model_version!="all"}
                and
                model_drift_detected{model_version!="all"} == 1
              )
        """,
        why="The PSI of what the drift test calls drift. One series each, whatever replica of the"
        " exporter serves it: its restart must not make a new alert of an old one.",
        blind=PREDICTIONS_BLIND,
    ),
    _held(
        "model_version:model_expectation_violated:held",
        'max without (instance, pod) (model_expectation_violated{model_version!="all"}) == 1',
        why="Expectations whose bound the whole interval of a score is beyond. Without labels a"
        " window empties and its interval widens, hence either source.",
        blind=SOURCES_BLIND,
    ),
    _held(
        "model_version:model_version_worse:held",
        "max without (score, window, pairing, instance, pod) (model_version_worse) == 1",
        why="Versions that are worse than the champion, by any score in any window.",
        blind=SOURCES_BLIND,
    ),
)

GROUPS = (Group("model-exporter.verdicts.recording", VERDICTS),)
