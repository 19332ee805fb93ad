"""Run the report's notebooks and build the report: ``python run_notebooks.py --help``."""

import sys

try:
    from lib.runner.command_line import main
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] == "lib":
        raise
    print(
        f"{sys.executable} has no {error.name}: `make install` sets up .venv with everything that the project needs; then "
        "type .venv/bin/python run_notebooks.py",
        file=sys.stderr,
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
