"""The report for people: a table for a terminal, Markdown for a pull request."""

from collections.abc import Sequence

from model_exporter.gate.outcome import Decision, Finding, Report

COLUMNS = ("criterion", "what", "candidate", "reference", "difference [95 % bounds]", "margin",
           "rows", "decision")  # fmt: skip
MARKS = {Decision.PASS: "✅ pass", Decision.FAIL: "❌ fail", Decision.CANNOT_TELL: "❔ cannot tell"}
WORST_FIRST = (Decision.FAIL, Decision.CANNOT_TELL, Decision.PASS)
NOTHING = "–"


def text(report: Report) -> str:
    """Return the report as a table of plain text, worst first, then the reasons."""
    rows = [COLUMNS, *([*_cells(finding), str(finding.decision)] for finding in _sorted(report))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    reasons = [
        _plain(f"{finding.decision}: {_name(finding)}: {finding.reason}")
        for finding in _sorted(report)
        if finding.decision is not Decision.PASS
    ]
    return "\n".join([headline(report), "", *lines, *([""] if reasons else []), *reasons]) + "\n"


def markdown(report: Report) -> str:
    """Return the report for a comment on a pull request."""
    rows = [
        [MARKS[finding.decision], *_cells(finding), finding.reason] for finding in _sorted(report)
    ]
    header = ["", *COLUMNS[:-1], "why"]
    right = {"candidate", "reference", "difference [95 % bounds]", "margin", "rows"}
    table = [
        header,
        ["---:" if name in right else "---" for name in header],
        *([_escaped(cell) for cell in row] for row in rows),
    ]
    lines = [f"| {' | '.join(row)} |" for row in table]
    mark = MARKS[report.decision]
    return "\n".join([f"### Model gate: {mark}", "", headline(report), "", *lines]) + "\n"


def headline(report: Report) -> str:
    """Say in a sentence what was decided."""
    how = "row by row" if report.paired else "as two samples"
    against = f"against the {report.reference}" + (
        f", {how}" if report.reference != "nothing" else ""
    )
    if report.reference == "nothing":
        against = "by itself"
    said = f"{report.decision}: candidate {against}, {report.rows:,} labelled rows"
    if report.decision is Decision.CANNOT_TELL and report.rows_needed:
        said += f"; about {report.rows_needed:,} are needed"
    return said


def number(value: float | None) -> str:
    """Return a number with four significant digits, without an exponent where it is of that size.

    Examples
    --------
    >>> number(0.93091), number(-12345.6), number(None)
    ('0.9309', '-1.235e+04', '–')
    """
    return NOTHING if value is None else f"{value:.4g}"


def _name(finding: Finding) -> str:
    return f"{finding.criterion}, {finding.subject}"


def _sorted(report: Report) -> Sequence[Finding]:
    return sorted(report.findings, key=lambda finding: WORST_FIRST.index(finding.decision))


def _cells(finding: Finding) -> list[str]:
    difference = NOTHING
    if finding.difference is not None:
        difference = f"{finding.difference:+.4g}"
        if finding.lower is not None and finding.upper is not None:
            difference += f" [{finding.lower:+.4g}, {finding.upper:+.4g}]"
    return [
        finding.criterion,
        _plain(finding.subject),
        number(finding.candidate),
        number(finding.reference),
        difference,
        number(finding.margin),
        NOTHING if finding.rows is None else f"{finding.rows:,}",
    ]


def _plain(name: str) -> str:
    """Return a name without what would break a line or drive a terminal."""
    return "".join(c if c.isprintable() else "?" for c in name)


def _escaped(cell: str) -> str:
    """Return a cell that Markdown shows as it is: it links, embeds and mentions nothing."""
    escaped = "".join(f"\\{c}" if c in "\\|`*_[]!~#" else c for c in _plain(cell))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace("@", "&#64;")
    return escaped.replace("://", "&#58;//")
