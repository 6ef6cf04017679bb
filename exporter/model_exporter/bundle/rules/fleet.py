"""What fires about each model, with the labels that dashboards are filtered by.

`ALERTS` has no `instance`, and some alerts have no `job`. Numbers about a model stand beside each
target that serves it; alerts of models of one name in several namespaces are counted together.
"""

from model_exporter.bundle.rules.rule import Group, Recording

_BY = "namespace, job, instance, model_name"
_ALERTS = 'ALERTS{alertstate="firing", alertname=~"Model.+", model_name!=""}'
_EACH = "namespace, job, alertname, severity, category, model_name, model_version, feature, window"


def _of_severity(severity: str) -> str:
    return _ALERTS.replace("}", f', severity="{severity}"}}')


FLEET = (
    Recording(
        record="model_target:model_alerts_firing:none",
        why="0 for every model at every target that serves it: what the next two begin from.",
        expr=f"""
            0 * (
              max by ({_BY}) (model_info)
              or
              max by ({_BY}) (model_evaluation_last_success_timestamp_seconds)
            )
        """,
    ),
    Recording(
        record="model_target:model_alerts_firing:count",
        why="Kinds of alerts that fire about a model; 0 while none does.",
        expr=f"""
            (
              model_target:model_alerts_firing:none
              + on (model_name) group_left ()
              count by (model_name) (count by (model_name, alertname) ({_ALERTS}))
            )
            or
            model_target:model_alerts_firing:none
        """,
    ),
    Recording(
        record="model_target:model_alerts_firing:severity",
        why="The worst of them: 3 critical, 2 warning, 1 info, 0 none.",
        expr=f"""
            (
              model_target:model_alerts_firing:none
              + on (model_name) group_left ()
              (
                3 * max by (model_name) ({_of_severity("critical")})
                or
                2 * max by (model_name) ({_of_severity("warning")})
                or
                max by (model_name) ({_of_severity("info")})
              )
            )
            or
            model_target:model_alerts_firing:none
        """,
    ),
    Recording(
        record="model_alert:model_alerts_firing:start_timestamp_seconds",
        why="Since when each alert has been true. Alerts are summed over replicas: they are of"
        ' instance="all", as all versions together are of model_version="all".',
        expr=f"""
            label_replace(
              label_replace(
                min by ({_EACH}) (
                  ALERTS_FOR_STATE{{alertname=~"Model.+", model_name!=""}}
                  and ignoring (alertstate)
                  {_ALERTS}
                ),
                "instance", "all", "", ""
              ),
              "job", "all", "job", ""
            )
        """,
    ),
)

GROUPS = (Group("model-exporter.fleet.recording", FLEET),)
