"""Check the installation. Each check runs independently, so that one failure does not hide the others.

llama.cpp is checked in a child process, because a build that does not suit the machine can crash it.
"""

from __future__ import annotations

from localsmc.doctor.checkup import checkup
from localsmc.doctor.finding import Finding, Status, Verdict, examine

__all__ = ["Finding", "Status", "Verdict", "checkup", "examine"]
