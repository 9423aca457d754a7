"""Diagnosis out why nothing arrives: ``libretto-instrument doctor``.

Each module looks at one thing and writes down what is there and what is wrong with it.
Nothing is changed, and nothing is sent that could be stored.
"""

from .command import add_arguments, doctor_command
from .report import Diagnosis, DoctorReport

__all__ = ["Diagnosis", "DoctorReport", "add_arguments", "doctor_command"]
