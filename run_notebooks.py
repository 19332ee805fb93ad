"""Run the report's notebooks and build the report: ``python run_notebooks.py --help``."""

import sys

from lib.runner.command_line import main

if __name__ == "__main__":
    sys.exit(main())
