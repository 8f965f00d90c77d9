"""What is in ratings and what is wrong with them, before a model learns from them.

Every finding says what was found, what it does to a model, and what to type to mend it; nothing is mended
here.
"""

from foretaste.auditing.checking import audit
from foretaste.auditing.report import Audit, Finding

__all__ = ["Audit", "Finding", "audit"]
