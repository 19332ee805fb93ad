"""The page that stands in for a run that was left out, for want of data or as another profile's."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lib.runner.plan import Run
from lib.runner.store import LEFT_OUT, write_whole


def write_notice(path: Path, run: Run, reason: str, *, profile: str | None = None) -> None:
    """Write a notebook without code that says what is missing and how to fill it in.

    Parameters
    ----------
    path : Path
        Of the notebook.
    run : Run
    reason : str
        What is missing, as a verb phrase: "needs ml-20m, which no source could serve".
    profile : str, optional
        The profile that makes the run, where that is why it was left out.
    """
    command = f"python run_notebooks.py --only {run.id}"
    if profile:
        opening, remedy = (
            "This page is empty here, because the report was made without its run.",
            "To make it, run:",
        )
        command = command.replace("--only", f"--profile {profile} --only")
    else:
        opening = "This page is empty here, because its data could not be had."
        remedy = "Get the data set from its publisher, put the archive or its unpacked folder into a folder of yours, and run:"
        command = f"MOVIELENS_DIR=/that/folder {command}"
    reason_shown = re.sub(r"--profile \w+", r"`\g<0>`", reason)  # prose would make a dash of the two hyphens
    text = f"""# {run.title}

{run.summary}

**{opening}** It {reason_shown}. {remedy}

```shell
{command}
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
