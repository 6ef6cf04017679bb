"""The report as JUnit XML, which every CI shows as tests."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from model_exporter.gate.outcome import Decision, Finding, Report
from model_exporter.gate.render import headline, text

SUITE = "model-exporter gate"


def junit(report: Report) -> str:
    """Return a test case for each finding: a failure where it fails, skipped where undecided.

    An undecided gate has an error of its own, since skipped tests look like success.
    """
    undecided = report.decision is Decision.CANNOT_TELL
    counts = {
        "tests": len(report.findings) + undecided,
        "failures": _count(report, Decision.FAIL),
        "errors": int(undecided),
        "skipped": _count(report, Decision.CANNOT_TELL),
    }
    attributes = {name: str(count) for name, count in counts.items()}
    root = Element("testsuites", {"name": SUITE, **attributes})
    suite = SubElement(root, "testsuite", {"name": SUITE, **attributes})
    for finding in report.findings:
        _case(suite, finding)
    if undecided:
        case = SubElement(suite, "testcase", {"classname": "gate", "name": "decision"})
        SubElement(case, "error", {"message": headline(report)})
    SubElement(suite, "system-out").text = _xml_text(text(report))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _count(report: Report, decision: Decision) -> int:
    return sum(finding.decision is decision for finding in report.findings)


def _case(suite: Element, finding: Finding) -> None:
    name = {"classname": f"gate.{finding.criterion}", "name": _xml_text(finding.subject)}
    case = SubElement(suite, "testcase", name)
    if finding.decision is not Decision.PASS:
        kind = "failure" if finding.decision is Decision.FAIL else "skipped"
        SubElement(case, kind, {"message": _xml_text(finding.reason)})


def _xml_text(value: str) -> str:
    """Return text without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in value)
