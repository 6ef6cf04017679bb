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

AVAILABILITY = 0.99
"""Share of calls that should not fail, of a model whose configuration does not say: most users
would not accept less, and a page then needs one failure in seven calls."""

PAGE_FAST, PAGE_SLOW, TICKET_FAST, TICKET_SLOW = 14.4, 6, 3, 1
"""Times the pace that would spend the error budget of 30 days in 30 days: 2 % of it in an hour, 5 %
in six, 10 % in a day or in three (Google's SRE workbook, chapter 5)."""

BUDGET_CALLS = 5
"""Failed or slow calls in a window before its pace counts: of few calls one failure is a lot."""

TRAFFIC_DEVIATIONS = 4
"""Standard deviations from the mean of a day: a daily cycle alone stays within two."""

TRAFFIC_FACTOR = 2
"""More or less than at this time a week ago; both signs must show."""

INVALID_RISE = 0.05
"""Added to twice last week's ratio, as with missing values."""

UNSEEN_RISE = 0.01
"""Categories that the model was not trained on should be rarer than broken values."""

SCHEMA_RATIO = 0.01
"""Rows without a feature, or with a new one, above it are a contract that has changed."""

INPUT_STALE_SECONDS = 24 * 3600
"""One missed run of a daily feature job."""

QUALITY_ROWS = 100
"""Labelled rows below which intervals themselves are rough."""

ESTIMATE_ERRORS = 4
"""Sampling errors between estimate and truth that are no chance, whatever the number of scores."""

ESTIMATE_SHARE = 0.05
"""Estimates of good models were off by less without concept drift; certain is not yet large."""

INVALID_RECORDS_RATIO, INVALID_RECORDS = 0.01, 10
"""Of the records read in an hour; a few broken lines are normal."""
