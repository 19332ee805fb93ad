"""What every notebook writes its page with, from one place: labels, numbers in prose, figures' look, and the run's results."""

from lib.models import label as label
from lib.report import figures as figures
from lib.report.columns import interval_text as interval_text
from lib.report.columns import interval_texts as interval_texts
from lib.report.columns import p_texts as p_texts
from lib.report.prose import Numbers as Numbers
from lib.report.prose import enumerated as enumerated
from lib.report.prose import shown as shown
from lib.report.run_writer import start_run as start_run
