"""The label matchers that dashboard queries share.

Every selector carries `job` and `instance`, as dashboard-linter asks. Series that pool every
version (`model_version="all"`) and series of segments stand beside the series they are made of:
a query that forgets to leave them out counts everything twice.
"""

TARGET = 'job=~"$job", instance=~"$instance"'
MODEL = f'{TARGET}, model_name=~"$model_name"'
VERSION = f'{MODEL}, model_version=~"$model_version", model_version!="all"'
WINDOWED = f'{VERSION}, window="$window"'
WHOLE = f'{WINDOWED}, segment="", segment_value=""'
SEGMENTS = f'{WINDOWED}, segment=~"$segment", segment!=""'
FEATURE_DRIFT = f'{WINDOWED}, subject="feature"'
OUTPUT_DRIFT = f'{WINDOWED}, subject!="feature"'
ONE_FEATURE = f'{VERSION}, subject="feature", feature="$feature"'
USUAL_AVERAGE = 'average!~"micro|weighted"'
"""Precision, recall and F1 as in `expectations`: of the positive class, or macro."""

# An alert may lack any of these labels; "|" also matches series without the label. Alerts are
# summed over replicas: they have no `instance`.
ALERT = 'job=~"$job|", model_name=~"$model_name|"'

PER_MODEL = "model_name, model_version"
