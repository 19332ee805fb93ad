"""What every notebook writes its page with, from one place: labels, numbers in prose, figures' look, and the run's results."""

from lib.models import label
from lib.report import figures
from lib.report.columns import interval_text, interval_texts
from lib.report.prose import Numbers, enumerated, shown
from lib.report.run_writer import start_run

__all__ = [
    "Numbers",
    "enumerated",
    "figures",
    "interval_text",
    "interval_texts",
    "label",
    "shown",
    "start_run",
]
