"""Whether everything here works: each check on its own, so that a broken one leaves the others their say.

llama.cpp is looked at in a child process, because a build that does not suit the machine can end it.
"""

from __future__ import annotations

from localsmc.doctor.checks import checkup
from localsmc.doctor.finding import Finding, Status, Verdict, examine

__all__ = ["Finding", "Status", "Verdict", "checkup", "examine"]
