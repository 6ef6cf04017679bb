"""Jensen-Shannon distance."""

import math

from model_exporter.drift.comparison import ANY_KIND, Comparison, DriftResult, DriftStatistic


def js_distance(comparison: Comparison) -> DriftResult | None:
    """Square root of the Jensen-Shannon divergence in base 2; 0 (equal) to 1 (disjoint).

    A metric, without floors: empty bins do no harm. Undefined where a side has no value. Misleads
    with few rows, as every distance of counts: it is never 0 then. Tools that use the natural
    logarithm show 0.8326 times this.

    Examples
    --------
    >>> from model_exporter.distribution import CategoricalDistribution
    >>> reference = CategoricalDistribution.fit(["a"] * 50 + ["b"] * 50, max_categories=10)
    >>> round(js_distance(Comparison.categorical(reference, {"a": 80, "b": 20})).value, 4)
    0.2704

    References
    ----------
    Endres and Schindelin, A new metric for probability distributions, IEEE Trans. Inf. Theory 49
    (2003) 1858-1860.
    """
    # Imported here: the base installation has no scipy, and `psi` does without.
    from scipy.special import rel_entr

    shares = comparison.proportions()
    if shares is None:
        return None
    reference, current = shares
    middle = (reference + current) / 2
    nats = float((rel_entr(reference, middle) + rel_entr(current, middle)).sum()) / 2
    return DriftResult(min(1.0, math.sqrt(max(0.0, nats) / math.log(2))))


STATISTIC = DriftStatistic("model_drift_js_distance", None, ANY_KIND, js_distance)
