"""A comparison as one page that can be read, printed and passed on without anything beside it."""

from foretaste.report.api import plot, write_report
from foretaste.report.chart import Chart, Charts

__all__ = ["Chart", "Charts", "plot", "write_report"]
