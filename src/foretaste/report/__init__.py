"""Reports: a comparison as one self-contained HTML page, and charts for notebooks."""

from foretaste.report.api import plot, write_report
from foretaste.report.chart import Chart, Charts

__all__ = ["Chart", "Charts", "plot", "write_report"]
