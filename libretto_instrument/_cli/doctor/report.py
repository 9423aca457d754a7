"""What was found: facts, and what is wrong."""

from typing import Any

from attrs import define, field, frozen

__all__ = ["PROBLEM", "WARNING", "Diagnosis", "DoctorReport"]

#: Nothing, or not everything, can be recorded or delivered.
PROBLEM = "problem"
#: It may be meant so.
WARNING = "warning"


@frozen
class Diagnosis:
    """One thing that is wrong.

    Attributes:
        id: What, in a word that stays the same from version to version.
        level: ``"problem"`` or ``"warning"``.
        message: What, in a sentence.
        remedy: What to do next.
    """

    id: str
    level: str
    message: str
    remedy: str


@define
class DoctorReport:
    """What is written down along the way.

    Attributes:
        facts: What is there: for each thing that was looked at, what can be told of it.
        diagnoses: What is wrong, in the order in which it was found.
    """

    facts: dict[str, dict[str, Any]] = field(factory=dict)
    diagnoses: list[Diagnosis] = field(factory=list)

    def add_fact(self, section: str, name: str, value: Any) -> None:
        """Write down what is there."""
        self.facts.setdefault(section, {})[name] = value

    def add_problem(self, name: str, message: str, remedy: str) -> None:
        """Write down what keeps events from being recorded or delivered."""
        self.diagnoses.append(Diagnosis(name, PROBLEM, message, remedy))

    def add_warning(self, name: str, message: str, remedy: str) -> None:
        """Write down what may be meant so, or not."""
        self.diagnoses.append(Diagnosis(name, WARNING, message, remedy))

    @property
    def ok(self) -> bool:
        """Whether there are no problems."""
        return all(diagnosis.level != PROBLEM for diagnosis in self.diagnoses)
