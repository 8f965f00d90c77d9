"""Checks ratings before training: what they contain and what is wrong with them.

Every finding states the problem, its effect on a model, and the argument that fixes it; the ratings are not
changed.
"""

from foretaste.data_audit.auditor import Audit, audit
from foretaste.data_audit.findings import Finding

__all__ = ["Audit", "Finding", "audit"]
