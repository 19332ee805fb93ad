"""The report: executed notebooks become an HTML site, a PDF and tidy tables."""

from lib.report.build import build
from lib.report.errors import RenderingError

__all__ = ["RenderingError", "build"]
