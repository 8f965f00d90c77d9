"""What is in ratings and what is wrong with them, before a model learns from them.

Every finding says what was found, what it does to a model, and what to type to mend it; nothing is mended
here.
"""

from foretaste.data_audit.auditor import audit
from foretaste.data_audit.findings import Audit, Finding

__all__ = ["Audit", "Finding", "audit"]
