"""``libretto-instrument doctor``: finds out why no events arrive.

Each module checks one area and adds its facts and diagnoses to the report. Nothing is
changed, and nothing is sent that could be stored.
"""

from .command import add_arguments, run
from .report import Diagnosis, DoctorReport

__all__ = ["Diagnosis", "DoctorReport", "add_arguments", "run"]
