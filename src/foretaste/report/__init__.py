"""A comparison as one page that can be read, printed and passed on without anything beside it."""

from foretaste.report.charts import Chart, Charts
from foretaste.report.writing import plot, write_report

__all__ = ["Chart", "Charts", "plot", "write_report"]
