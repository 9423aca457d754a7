"""The doctor's report: facts and diagnoses."""

from typing import Any

from attrs import define, field, frozen

__all__ = ["PROBLEM", "WARNING", "Diagnosis", "DoctorReport"]

#: Nothing, or not everything, can be recorded or delivered.
PROBLEM = "problem"
#: It may be intended.
WARNING = "warning"


@frozen
class Diagnosis:
    """One thing that is wrong, and what to do next.

    ``id`` is a stable identifier, such as ``"endpoint-dns"``; ``level`` is
    ``"problem"`` or ``"warning"``.
    """

    id: str
    level: str
    message: str
    remedy: str


@define
class DoctorReport:
    """Collects facts, by section and name, and diagnoses, in the order found."""

    facts: dict[str, dict[str, Any]] = field(factory=dict)
    diagnoses: list[Diagnosis] = field(factory=list)

    def add_fact(self, section: str, name: str, value: Any) -> None:
        """Add a fact."""
        self.facts.setdefault(section, {})[name] = value

    def add_problem(self, name: str, message: str, remedy: str) -> None:
        """Add what keeps events from being recorded or delivered."""
        self.diagnoses.append(Diagnosis(name, PROBLEM, message, remedy))

    def add_warning(self, name: str, message: str, remedy: str) -> None:
        """Add what may be intended, or not."""
        self.diagnoses.append(Diagnosis(name, WARNING, message, remedy))

    @property
    def ok(self) -> bool:
        """Whether there are no problems."""
        return all(diagnosis.level != PROBLEM for diagnosis in self.diagnoses)
