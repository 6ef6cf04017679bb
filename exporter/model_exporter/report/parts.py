"""The parts of the page about one model, in their order."""

from collections.abc import Sequence

from model_exporter.report.content import FeatureLine, ModelContent, ScoreLine, VersionLine
from model_exporter.report.pictures import (
    bars,
    drift_bar,
    intervals,
    number,
    percent,
    plain,
    share_bar,
)

SHOWN = 12
"""Pictures and rows that are open; the others are one click away."""
NAMES = {
    "accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "precision": "Precision",
    "recall": "Recall", "f1": "F1", "specificity": "Specificity", "mcc": "Matthews correlation",
    "roc_auc": "ROC AUC", "average_precision": "Average precision", "log_loss": "Log loss",
    "brier_score": "Brier score", "calibration_error": "Calibration error",
    "mae": "Mean absolute error", "mse": "Mean squared error", "rmse": "Root mean squared error",
    "r2": "R²", "mape": "Mean absolute percentage error", "wape": "Weighted percentage error",
    "bias": "Bias",
}  # fmt: skip


def name_of(line: ScoreLine) -> str:
    """Return the name of a score for people."""
    return NAMES.get(line.family.key, line.family.key)


def quality(model: ModelContent) -> str:
    """Show each score with its interval in each window."""
    if not model.scores:
        text = (
            "No labels yet. Scores with their intervals appear here as labels arrive; with a "
            "baseline that has labels and scores, estimates appear before that."
        )
        return f'<section><h3>Quality</h3><p class="empty">{text}</p></section>'
    key = ['<span><i class="dot"></i>score and 95 % interval</span>']
    if any(line.baseline is not None for line in model.scores):
        key.append('<span><i class="tick"></i>on the baseline</span>')
    if any(line.minimum is not None or line.maximum is not None for line in model.scores):
        key.append('<span><i class="wash"></i>not as expected</span>')
    rows = [_score(line) for line in model.scores]
    head = (
        '<tr><th>score</th><th class="number">value</th><th>95 % interval</th><th>by window</th>'
        '<th class="number">baseline</th><th>expected</th></tr>'
    )
    note = ""
    if any(line.estimated for line in model.scores):
        note = (
            '<p class="small soft">Estimated scores are of all predictions, before their labels '
            "come: they see inputs that moved, not labels that changed their meaning.</p>"
        )
    return (
        f'<section><h3>Quality</h3><div class="key">{"".join(key)}</div>{note}'
        + _folded(rows, head, "scores")
        + "</section>"
    )


def _score(line: ScoreLine) -> str:
    found = list(line.windows.values())[-1]
    expected = []
    if line.minimum is not None:
        expected.append(f"at least {number(line.minimum)}")
    if line.maximum is not None:
        expected.append(f"at most {number(line.maximum)}")
    mark = '<span class="badge bad">violated</span>' if line.violated else ""
    about = '<span class="soft small">estimated</span>' if line.estimated else ""
    interval = "–"
    if found.lower is not None and found.upper is not None:
        interval = f"{number(found.lower)} to {number(found.upper)}"
    return (
        f'<tr><td class="name">{plain(name_of(line))}{about}</td>'
        f'<td class="number big">{number(found.value)}</td><td class="whole">{interval}</td>'
        f'<td>{intervals(line)}</td><td class="number">{number(line.baseline)}</td>'
        f'<td class="whole">{" and ".join(expected) or "–"} {mark}</td></tr>'
    )


def _folded(rows: Sequence[str], head: str, what: str) -> str:
    """Return a table of the first rows, and one to open with the others."""
    table = f'<div class="scroll"><table>{head}{"".join(rows[:SHOWN])}</table></div>'
    if len(rows) <= SHOWN:
        return table
    return (
        f"{table}<details><summary>{len(rows) - SHOWN} more {what}</summary>"
        f'<div class="scroll"><table>{head}{"".join(rows[SHOWN:])}</table></div></details>'
    )


def versions(model: ModelContent) -> str:
    """Show the versions in the longest window."""
    if not model.versions:
        return ""
    score = name_of(model.scores[0]) if model.scores else "Score"
    rows = [_version(line) for line in model.versions]
    head = (
        '<tr><th>version</th><th class="number">predictions</th><th class="number">labelled</th>'
        f'<th class="number">{plain(score.lower())}</th><th>95 % interval</th>'
        "<th>against the champion</th></tr>"
    )
    return f"<section><h3>Versions</h3>{_folded(rows, head, 'versions')}</section>"


def _version(line: VersionLine) -> str:
    value = number(line.score.value) if line.score else "–"
    interval = "–"
    if line.score and line.score.lower is not None and line.score.upper is not None:
        interval = f"{number(line.score.lower)} to {number(line.score.upper)}"
    against = "–"
    if line.difference is not None:
        found = line.difference
        against = f"{found.value:+.3g}"
        if found.lower is not None and found.upper is not None:
            against += f" (95 %: {found.lower:+.3g} to {found.upper:+.3g})"
        against += f' <span class="soft">to {plain(line.champion)}</span>'
    return (
        f'<tr><td class="name">{plain(line.version or "–")}</td>'
        f'<td class="number">{line.predictions:,}</td>'
        f'<td class="number">{line.labeled:,}</td><td class="number big">{value}</td>'
        f'<td class="whole">{interval}</td><td>{against}</td></tr>'
    )


def drift(model: ModelContent) -> str:
    """Show how far each distribution is from the baseline's."""
    if not model.drift:
        text = "No predictions to compare yet." if model.has_baseline else (
            "Without a baseline there is nothing to compare with: make one with "
            "<code>model-exporter baseline</code>."
        )  # fmt: skip
        return f'<section><h3>Drift</h3><p class="empty">{text}</p></section>'
    rows = []
    for line in model.drift:
        verdict = '<span class="badge good">no drift</span>'
        if line.detected is None:
            verdict = '<span class="badge none">too few rows</span>'
        elif line.detected:
            verdict = '<span class="badge bad">drifted</span>'
        rows.append(
            f'<tr><td class="name">{plain(line.subject)}</td><td>{drift_bar(line)}</td>'
            f'<td class="number">{line.psi:.3f}</td>'
            f'<td class="number">{number(line.critical)}</td>'
            f'<td class="number">{line.rows:,}</td><td>{verdict}</td></tr>'
        )
    head = (
        "<tr><th>distribution</th><th>population stability index</th>"
        '<th class="number">PSI</th><th class="number">critical</th><th class="number">rows</th>'
        "<th>verdict</th></tr>"
    )
    key = (
        '<div class="key"><span><i class="mark"></i>beyond this it is no chance, and more than is '
        "tolerated</span><span>bars end at 1, on a scale of roots</span></div>"
    )
    return (
        f"<section><h3>Drift against the baseline, last {plain(model.window)}</h3>{key}"
        + _folded(rows, head, "distributions")
        + "</section>"
    )


def distributions(model: ModelContent) -> str:
    """Show the distributions of the longest window over those of the baseline."""
    if not model.histograms or not model.predictions:
        return ""
    figures = []
    for found in model.histograms:
        line, note = found.line, '<span class="soft">no values</span>'
        if line is not None:
            kind = "moved" if line.detected else "soft"
            note = f'<span class="{kind}">PSI {line.psi:.3f}</span>'
        name = plain(found.subject)
        figures.append(
            f'<figure><figcaption><span title="{name}">{name}</span>{note}'
            f"</figcaption>"
            f'{bars(found)}<div class="ends"><span>{plain(found.bins[0])}</span>'
            f"<span>{plain(found.bins[-1])}</span></div></figure>"
        )
    key = (
        f'<div class="key"><span><i class="now"></i>last {plain(model.window)}</span>'
        '<span><i class="was"></i>baseline</span></div>'
    )
    shown = f'<div class="grid">{"".join(figures[:SHOWN])}</div>'
    if len(figures) > SHOWN:
        shown += (
            f"<details><summary>{len(figures) - SHOWN} more distributions</summary>"
            f'<div class="grid">{"".join(figures[SHOWN:])}</div></details>'
        )
    return f"<section><h3>Distributions</h3>{key}{shown}</section>"


def coverage(model: ModelContent) -> str:
    """Show how many predictions have a label."""
    if not model.predictions:
        return ""
    rows = []
    for line in model.windows:
        share = line.labeled / line.predictions if line.predictions else None
        bar = share_bar(share) if share is not None else ""
        rows.append(
            f'<tr><td class="name">{plain(line.window)}</td>'
            f'<td class="number">{line.predictions:,}</td>'
            f'<td class="number">{line.labeled:,}</td><td>{bar}{percent(share)}</td></tr>'
        )
    head = (
        '<tr><th>window</th><th class="number">predictions</th><th class="number">labelled</th>'
        "<th>coverage</th></tr>"
    )
    return f"<section><h3>Labels</h3>{_folded(rows, head, 'windows')}</section>"


def features(model: ModelContent) -> str:
    """Show the features whose values are not as they should be first."""
    if not model.features or not model.predictions:
        return ""
    rows = [_feature(line) for line in sorted(model.features, key=_trouble)]
    head = (
        '<tr><th>feature</th><th class="number">missing</th>'
        '<th class="number">missing in the baseline</th>'
        '<th class="number">unseen categories</th><th class="number">out of range</th></tr>'
    )
    return f"<section><h3>Data quality</h3>{_folded(rows, head, 'features')}</section>"


def _trouble(line: FeatureLine) -> tuple[float, str]:
    excess = (line.missing or 0) - (line.usual or 0)
    return -max(excess, line.unseen or 0, line.out_of_range or 0), line.feature


def _feature(line: FeatureLine) -> str:
    cells = (line.missing, line.usual, line.unseen, line.out_of_range)
    return f'<tr><td class="name">{plain(line.feature)}</td>' + "".join(
        f'<td class="number">{percent(share)}</td>' for share in cells
    ) + "</tr>"  # fmt: skip
