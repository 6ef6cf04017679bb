"""The numbers that alert rules and dashboards share, each with its reason."""

PSI_NOTABLE = 0.1
"""The habitual "look at it" mark; colours dashboards, alerts nobody."""

PSI_DRIFT = 0.25
"""The habitual "it has moved" mark: about half a standard deviation on ten bins."""

DRIFT_ROWS = 500
"""Below it a PSI is mostly noise: with ten bins and no drift at all its mean is 9 / rows."""

PSI_FLOOR = 0.0001
"""Proportions are floored here, as in the job, so that an empty bin gives a finite term."""

WIDESPREAD_SHARE = 0.3
"""Share of a model's features; one broken column is a ticket, a third of them is an upstream
change."""

WIDESPREAD_FEATURES = 3
"""A share alone would call one feature out of two widespread."""

ERROR_RATIO = 0.05
"""A model that fails one call in twenty is felt by its users, whatever its objective."""

ERROR_CALLS = 20
"""Calls an hour below which one failure alone would cross the error ratio."""

LATENCY_FACTOR = 3
"""Against the model's own day before: no objective needs to be known, and a neighbouring
histogram bucket (about a factor of two) is not enough."""

LATENCY_FLOOR_SECONDS = 0.01
"""Three times a microsecond is nobody's problem."""

MISSING_RISE = 0.05
"""Added to twice last week's ratio, so that features which are often missing stay quiet."""

MISSING_BROKEN = 0.9
"""A feature that is this often missing is broken with or without a history."""

LABELS_STALE_SECONDS = 2 * 24 * 3600
"""Two missed runs of a daily label job."""

COVERAGE_FRACTION = 0.5
"""Of the coverage a week before; absolute marks would page whoever labels a sample by design."""

EVALUATION_STALE_SECONDS = 15 * 60
"""Thirty missed polls at the default interval."""

DROPPED_RATIO = 0.01
"""Dropped telemetry above it moves a ratio or a PSI visibly."""

IDLE_CALLS = 20
"""Calls an hour that make a model count as used; less may pause at any time."""
