"""`python -m model_exporter`: the command where no script is on the PATH."""

import sys

from model_exporter.cli import main

sys.exit(main())
