"""Run the report's notebooks and build the report: ``python run_notebooks.py --help``."""

import sys

from lib.data.errors import lacking_package

try:
    from lib.runner.command_line import main
except ModuleNotFoundError as error:
    if not (said := lacking_package(error)):
        raise
    print(said, file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
