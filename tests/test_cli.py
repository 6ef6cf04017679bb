"""What every command has in common."""

import os
import subprocess
import sys


def test_a_reader_that_leaves_is_no_crash() -> None:
    """As in `model-exporter catalogue | head -1`: no word, and the status of SIGPIPE."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "model_exporter", "catalogue"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
