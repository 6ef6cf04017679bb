"""Annotations that look up further numbers while an alert fires: thresholds, intervals, the worst.

Prometheus fills them in at each evaluation; a look-up that finds nothing leaves its words out.
`model_<score>(_ratio)` is how every score's family is named, which a test holds.
"""


def found(query: str, arguments: str, text: str) -> str:
    """Return a template: `text` for the result of a query, of which `printf` fills in `%q`."""
    return f"{{{{ with printf `{query}` {arguments} | query }}}}{text}{{{{ end }}}}"


FIRST = '{{ . | first | value | printf "%.4g" }}'
FIRST_SHARE = "{{ . | first | value | humanizePercentage }}"
NAME = "$labels.model_name"

AVAILABILITY = found(
    "model:model_objective_availability:ratio{model_name=%q}",
    NAME,
    f"Objective: {FIRST_SHARE} of the calls succeed.",
) + found(
    "model:model_prediction_errors:budget_remaining_ratio{model_name=%q}",
    NAME,
    f" Budget of 30 days left: {FIRST_SHARE}.",
)
LATENCY = found(
    "model:model_objective_latency:ratio{model_name=%q}",
    NAME,
    f"Objective: {FIRST_SHARE} of the calls are faster.",
) + found(
    "model:model_prediction_latency_seconds:budget_remaining_ratio{model_name=%q}",
    NAME,
    f" Budget of 30 days left: {FIRST_SHARE}.",
)

VERSION = "$labels.model_name $labels.model_version"
WINDOW = f"{VERSION} $labels.window"
SCORE = f"$labels.score {WINDOW}"
_WHOLE = 'model_name=%q, model_version=%q, window=%q, segment="", average=~"|binary|macro"'
_SEGMENT = 'model_name=%q, model_version=%q, window=%q, segment!="", average=~"|binary|macro"'
WORST = (
    ' Worst segment: {{ . | first | label "segment" }} ='
    f' {{{{ . | first | label "segment_value" }}}} with {FIRST}.'
)

QUALITY = (
    found(f'{{__name__=~"model_%s(_ratio)?", {_WHOLE}}}', SCORE, f"Value: {FIRST}")
    + found(f'{{__name__=~"model_%s(_ratio)?_lower", {_WHOLE}}}', SCORE, f" (95 %: {FIRST}")
    + found(f'{{__name__=~"model_%s(_ratio)?_upper", {_WHOLE}}}', SCORE, f" to {FIRST})")
    + found(
        "model_expectation_threshold{model_name=%q, score=%q, bound=%q}",
        "$labels.model_name $labels.score $labels.bound",
        f", expected {{{{ $labels.bound }}}}: {FIRST}.",
    )
    + '{{ if eq $labels.bound "max" }}'
    + found(f'topk(1, {{__name__=~"model_%s(_ratio)?", {_SEGMENT}}})', SCORE, WORST)
    + "{{ else }}"
    + found(f'bottomk(1, {{__name__=~"model_%s(_ratio)?", {_SEGMENT}}})', SCORE, WORST)
    + "{{ end }}"
)

CRITICAL_PSI = found(
    "min(model_drift_psi_critical{model_name=%q, model_version=%q, subject=%q, feature=%q})",
    f"{VERSION} $labels.subject $labels.feature",
    'Drift from about {{ . | first | value | printf "%.3f" }}',
) + found(
    "max(model_drift_rows{model_name=%q, model_version=%q, subject=%q, feature=%q})",
    f"{VERSION} $labels.subject $labels.feature",
    ', on {{ . | first | value | printf "%.0f" }} rows at most.',
)

TOP_FEATURES = (
    "{{ $drifted := printf `topk(5, max by (feature) (model_version:model_drift_psi:detected"
    f'{{model_name=%q, model_version=%q, subject="feature"}}))` {VERSION} | query }}}}'
    "{{ if not $drifted }}{{ $drifted = printf `topk(5, max by (feature)"
    " (model_version_feature:model_drift_psi:6h"
    f'{{model_name=%q, model_version=%q, subject="feature"}}))` {VERSION} | query }}}}{{{{ end }}}}'
    "Most drifted:"
    '{{ range $drifted }} {{ .Labels.feature }} ({{ .Value | printf "%.2f" }}){{ end }}.'
)
"""In the order of `topk`, the most drifted first."""
