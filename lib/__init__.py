"""The library behind the report: data, splits, models, measurement and rendering."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The project's top folder: notebooks, data and reports are found from here, whatever the working folder."""
