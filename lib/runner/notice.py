"""The page that stands in for a run that was left out for want of data."""

from __future__ import annotations

import json
from pathlib import Path

from lib.runner.plan import Run
from lib.runner.store import LEFT_OUT, write_whole


def write_notice(path: Path, run: Run, reason: str) -> None:
    """Write a notebook without code that says what is missing and how to fill it in.

    Parameters
    ----------
    path : Path
        Of the notebook.
    run : Run
    reason : str
        What is missing, as a verb phrase: "needs ml-20m, which no source could serve".
    """
    text = f"""# {run.title}

{run.summary}

**This page is empty here, because its data could not be had.** It {reason}. Get the data set from its publisher, put the archive or its unpacked folder into a folder of yours, and run:

```shell
MOVIELENS_DIR=/that/folder python run_notebooks.py --only {run.id}
```
"""
    notebook = {
        "cells": [{"cell_type": "markdown", "id": "notice", "metadata": {}, "source": text}],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            LEFT_OUT: reason,
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    write_whole(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
