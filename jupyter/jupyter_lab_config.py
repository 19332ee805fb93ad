"""JupyterLab as `make lab` starts it: on the start page, with the settings that lie beside this file."""

from pathlib import Path

c = get_config()  # noqa: F821
c.LabApp.default_url = "/lab/tree/START.md"
c.LabApp.app_settings_dir = str(Path(__file__).resolve().parent / "settings")
