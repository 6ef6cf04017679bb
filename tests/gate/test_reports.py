"""The report as text, Markdown, JSON and JUnit: the same decisions, and nothing breaks out."""

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from model_exporter.gate import Decision, Finding, Report
from model_exporter.gate.junit import junit
from model_exporter.gate.render import markdown, text

HOSTILE = "x|y](http://evil) <img src=a onerror=alert(1)> @team `c` \x1b[31m\n### pwned\n| a | b"
PASS, FAIL, UNDECIDED = Decision.PASS, Decision.FAIL, Decision.CANNOT_TELL


def report(*decisions: Decision, subject: str = "accuracy") -> Report:
    findings = [
        Finding(
            "quality", subject, decision, f"because of {subject}", candidate=0.9, reference=0.91,
            difference=-0.01, lower=-0.02, upper=0.0, margin=0.01, rows=1234,
            rows_needed=5000 if decision is UNDECIDED else None,
        )
        for decision in decisions
    ]  # fmt: skip
    return Report(findings, 1234, "champion", paired=True)


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ((PASS, PASS), PASS),
        ((PASS, UNDECIDED), UNDECIDED),
        ((UNDECIDED, FAIL, PASS), FAIL),
    ],
)
def test_the_worst_decides_everywhere(decisions, expected) -> None:
    found = report(*decisions)
    assert found.decision is expected
    assert text(found).startswith(f"{expected}: candidate against the champion, row by row")
    assert json.loads(json.dumps(found.to_json()))["decision"] == str(expected)
    assert f"### Model gate: {'✅❌❔'[(PASS, FAIL, UNDECIDED).index(expected)]}" in markdown(found)
    suite = ElementTree.fromstring(junit(found)).find("testsuite")
    assert suite is not None
    broken = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
    assert bool(broken) == (expected is not PASS)
    assert len(suite.findall("testcase")) == int(suite.attrib["tests"])
    assert len(suite.findall("testcase/failure")) == decisions.count(FAIL)
    assert len(suite.findall("testcase/skipped")) == decisions.count(UNDECIDED)


def test_an_undecided_gate_says_how_many_rows_it_needs() -> None:
    found = report(UNDECIDED)
    for rendered in (text(found), markdown(found), junit(found)):
        assert "about 5,000 are needed" in rendered
    assert found.to_json()["rows_needed"] == 5000


def test_a_hostile_name_stays_a_name() -> None:
    """No line of its own, no link, no tag, no mention, no control character."""
    found = report(FAIL, subject=HOSTILE)
    assert "\x1b" not in text(found)
    (line,) = [row for row in markdown(found).splitlines() if "because" in row]
    assert "<img" not in line
    assert "@team" not in line
    assert "://" not in line
    assert not re.search(r"(?<!\\)[\]`]", line)
    assert line.replace("\\|", "").count("|") == 10
    case = ElementTree.fromstring(junit(found)).find("testsuite/testcase")
    assert case is not None
    assert case.attrib["name"].startswith("x|y](http://evil) <img src=a")


def test_the_columns_line_up() -> None:
    lines = text(report(PASS, FAIL)).splitlines()[2:5]
    assert (
        len(
            {line.index(word) for line, word in zip(lines, ("rows", "1,234", "1,234"), strict=True)}
        )
        == 1
    )
