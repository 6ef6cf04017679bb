"""What a page says about a model: plain records, in the order in which they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model_exporter.catalogue import ScoreFamily
from model_exporter.records import Estimate


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """A score by window, longest last; where there are no labels, its estimate.

    `minimum` and `maximum` are what is expected, `violated` are the windows in which it surely is
    not; `baseline` is what it was at deployment.
    """

    family: ScoreFamily
    windows: Mapping[str, Estimate]
    baseline: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    violated: frozenset[str] = frozenset()
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class DriftLine:
    """A subject against the baseline; `detected` is None below the minimum of rows."""

    subject: str
    psi: float
    critical: float | None
    detected: bool | None
    rows: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares by bin of the baseline; those of the window are empty while it holds no value."""

    subject: str
    bins: Sequence[str]
    baseline: Sequence[float]
    window: Sequence[float]
    line: DriftLine | None


@dataclass(frozen=True, slots=True)
class WindowLine:
    """How many predictions of a window have a label by now."""

    window: str
    predictions: int
    labeled: int


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version in the longest window; `difference` is that of the first score to the champion."""

    version: str
    predictions: int
    labeled: int
    score: Estimate | None
    champion: str = ""
    difference: Estimate | None = None


@dataclass(frozen=True, slots=True)
class FeatureLine:
    """Shares of a feature's values that are not as they should be; None where it is unknown."""

    feature: str
    missing: float | None
    usual: float | None
    unseen: float | None
    out_of_range: float | None


@dataclass(frozen=True, slots=True)
class ModelContent:
    """Everything about one model; `window` is its longest."""

    name: str
    task: str
    window: str
    windows: Sequence[WindowLine]
    scores: Sequence[ScoreLine] = ()
    drift: Sequence[DriftLine] = ()
    histograms: Sequence[Histogram] = ()
    versions: Sequence[VersionLine] = ()
    features: Sequence[FeatureLine] = ()
    has_baseline: bool = False
    failures: Sequence[str] = ()

    @property
    def predictions(self) -> int:
        """Predictions in the longest window."""
        return self.windows[-1].predictions if self.windows else 0

    @property
    def labeled(self) -> int:
        """Those of them that have a label."""
        return self.windows[-1].labeled if self.windows else 0

    @property
    def drifted(self) -> Sequence[DriftLine]:
        """The subjects that moved by more than is tolerated."""
        return [line for line in self.drift if line.detected]

    @property
    def tested(self) -> Sequence[DriftLine]:
        """The subjects with rows enough to tell."""
        return [line for line in self.drift if line.detected is not None]

    @property
    def violated(self) -> Sequence[ScoreLine]:
        """The scores that are surely not as expected."""
        return [line for line in self.scores if line.violated]


@dataclass(frozen=True, slots=True)
class Content:
    """The whole page; `now` is the instant it is about, as text."""

    now: str
    version: str
    models: Sequence[ModelContent] = field(default_factory=tuple)
