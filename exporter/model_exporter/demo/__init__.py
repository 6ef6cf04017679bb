"""The runnable story: real models, real data, real drift, in a minute and a half.

`run` is the whole of it. The modules: `datasets` and `training` make the models, `serving` is the
process they live in, `replay` plays the data, `stack` starts what else is installed, `readings`,
`alerts` and `table` show what /metrics says, `story` tells it in order.
"""

import importlib.util
from pathlib import Path

SECONDS = 90.0
NEEDED = ("duckdb", "ibis", "pyarrow", "rich", "scipy", "sklearn", "yaml")
"""Some of them only child processes import; their absence is to be told before the story begins."""


def run(*, once: bool, seconds: float = SECONDS, picture: Path | None = None) -> int:
    """Run the demo and return its exit status.

    Parameters
    ----------
    once
        Run to the end without a terminal: lines of progress, then the table. Else a live table,
        which stays until Ctrl-C.
    seconds
        Length of the story; starting and training come on top.
    picture
        SVG file to write the last table and the alerts to.

    Raises
    ------
    ModuleNotFoundError
        If a package of the extra ``model-exporter[demo]`` is missing.
    """
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    from model_exporter.demo.story import tell

    return tell(once=once, seconds=seconds, picture=picture)


__all__ = ["run"]
