"""The page as one HTML file: no script, nothing that is fetched, every text escaped."""

from importlib.resources import files

from model_exporter.report.content import Content, ModelContent, ScoreLine
from model_exporter.report.parts import (
    coverage,
    distributions,
    drift,
    features,
    name_of,
    quality,
    versions,
)
from model_exporter.report.pictures import number, percent, plain

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(content: Content) -> str:
    """Return the whole page."""
    models = content.models
    title = "Model report" if len(models) != 1 else f"{models[0].name}: model report"
    links = "".join(_link(i, model) for i, model in enumerate(models)) if len(models) > 1 else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{plain(title)}</title><style>{_style()}</style></head><body><main>"
        f'<h1>Model report</h1><p class="soft">As of {plain(content.now)}</p>'
        + (f"<nav>{links}</nav>" if links else "")
        + "".join(_model(i, model) for i, model in enumerate(models))
        + _footer(content)
        + "</main></body></html>\n"
    )


def status(model: ModelContent) -> tuple[str, str]:
    """Return the colour and the text of what matters most about a model."""
    if model.failures:
        return "bad", "Source unreadable"
    if not model.predictions:
        return "none", "No predictions"
    if model.violated:
        return "bad", "Worse than expected"
    if model.drifted:
        return "warn", "Inputs or predictions moved"
    if not model.labeled:
        return "none", "No labels yet"
    expected = any(line.minimum is not None or line.maximum is not None for line in model.scores)
    return "good", "As expected" if expected else "Nothing unusual"


def _style() -> str:
    return (files("model_exporter.report") / "page.css").read_text("utf-8")


def _link(place: int, model: ModelContent) -> str:
    colour, text = status(model)
    first = model.scores[0] if model.scores else None
    said = "no score yet"
    if first is not None:
        about = "estimated " if first.estimated else ""
        said = f"{about}{name_of(first).lower()} {number(_newest(first))}"
    return (
        f'<a href="#model-{place}"><strong>{plain(model.name)}</strong>'
        f'<span class="badge {colour}">{text}</span> '
        f'<span class="soft small">{plain(said)}</span></a>'
    )


def _model(place: int, model: ModelContent) -> str:
    colour, text = status(model)
    parts = [
        f'<article id="model-{place}"><header class="model"><h2>{plain(model.name)}</h2>'
        f'<span class="badge none">{plain(model.task)}</span>'
        f'<span class="badge {colour}">{text}</span></header>',
        f'<p class="lead">{_lead(model)}</p>',
        *(
            f'<section class="alarm"><h3>A source could not be read</h3>'
            f"<p>{plain(failure)}</p></section>"
            for failure in model.failures
        ),
        _tiles(model),
        quality(model),
        versions(model),
        drift(model),
        distributions(model),
        coverage(model),
        features(model),
        "</article>",
    ]
    return "".join(parts)


def _lead(model: ModelContent) -> str:
    """Say in two or three sentences what there is to know."""
    window = plain(model.window)
    if not model.predictions:
        return f"There is no prediction in the last {window}."
    said = [
        f"{model.labeled:,} of {model.predictions:,} predictions of the last {window} have a label."
    ]
    if model.scores:
        first = model.scores[0]
        found = list(first.windows.values())[-1]
        about = "is estimated at" if first.estimated else "is"
        text = f"{name_of(first)} {about} <b>{number(found.value)}</b>"
        if found.lower is not None and found.upper is not None:
            text += f" (95 %: {number(found.lower)} to {number(found.upper)})"
        if first.baseline is not None:
            text += f"; it was {number(first.baseline)} on the baseline"
        said.append(text + ".")
    else:
        said.append("Quality appears here as soon as labels arrive.")
    if model.drifted:
        names = ", ".join(plain(line.subject) for line in model.drifted[:3])
        more = len(model.drifted) - 3
        said.append(
            f"Moved since the baseline: {names}" + (f" and {more} more." if more > 0 else ".")
        )
    elif model.tested:
        said.append("Nothing moved beyond the tolerance.")
    elif model.drift:
        said.append("There are too few to tell whether anything moved.")
    return " ".join(said)


def _tiles(model: ModelContent) -> str:
    if not model.predictions:
        return ""
    tiles = [
        (f"{model.predictions:,}", f"predictions, last {model.window}"),
        (percent(model.labeled / model.predictions), "have a label"),
    ]
    if model.scores:
        first = model.scores[0]
        about = "estimated " if first.estimated else ""
        tiles.append((number(_newest(first)), f"{about}{name_of(first).lower()}"))
    if model.tested:
        tiles.append((f"{len(model.drifted)} of {len(model.tested)}", "distributions moved"))
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><b>{plain(value)}</b>'
            f'<span class="soft small">{plain(text)}</span></div>'
            for value, text in tiles
        )
        + "</div>"
    )


def _newest(line: ScoreLine) -> float:
    return list(line.windows.values())[-1].value


def _footer(content: Content) -> str:
    return (
        '<footer class="small soft"><p>Intervals hold the true score in 95 % of cases, if rows are '
        "independent. A score is violated, a distribution drifted, only where chance is no "
        "explanation. PSI is the population stability index on the bins of the baseline.</p>"
        f"<p>model-exporter {plain(content.version)}</p></footer>"
    )
