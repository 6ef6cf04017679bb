"""The builder of dashboards, and the families that its panels take several of at once."""

import re

from model_exporter.bundle import families
from model_exporter.bundle.grafana import Panel, Query, Row, dashboard
from model_exporter.catalogue import ESTIMATES, SCORES


def test_an_id_stays_when_panels_come_and_go() -> None:
    def panel(title: str) -> Panel:
        return Panel(
            kind="stat", title=title, description="", unit="none", queries=[Query("1")], empty=""
        )

    def ids(*titles: str) -> dict[str, int]:
        row = Row("row", [panel(title) for title in titles])
        made = dashboard(
            "u", "t", description="", variables=[], annotations=[], rows=[row]
        )  # fmt: skip
        return {one["title"]: one["id"] for one in made["panels"]}

    assert ids("a", "b").items() <= ids("new", "b", "a").items()


def test_a_collapsed_row_holds_its_panels_and_takes_one_line() -> None:
    inside = Panel(
        kind="stat", title="in", description="", unit="none", queries=[Query("1")], empty=""
    )
    rows = [Row("closed", [inside], collapsed=True), Row("next", [])]
    made = dashboard("u", "t", description="", variables=[], annotations=[], rows=rows)
    closed, following = made["panels"]
    assert [one["title"] for one in closed["panels"]] == ["in"]
    assert following["gridPos"]["y"] == closed["gridPos"]["y"] + 1


def test_every_score_that_can_be_expected_is_on_the_scorecard() -> None:
    """Those without an average of their own, or with the usual one: as in `expectations`."""
    scores = [score for score in SCORES if score.extra in {(), ("average",)}]
    assert families.SCORES.split("|") == [score.name for score in scores]
    assert families.LOWER_ENDS.split("|") == [score.lower for score in scores]
    assert families.UPPER_ENDS.split("|") == [score.upper for score in scores]
    assert families.BASELINES.split("|") == [score.baseline for score in scores]
    assert families.ESTIMATES.split("|") == [score.name for score in ESTIMATES]


def test_scores_are_named_as_in_expectations() -> None:
    """The pattern that makes `score` of a family's name gives the key of the configuration."""
    for score in SCORES:
        found = re.fullmatch("model_(.+?)(?:_ratio)?", score.name)
        assert found
        assert found[1] == score.key
