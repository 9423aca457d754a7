"""What was found: facts, and what is wrong."""

from typing import Any

from attrs import define, field, frozen

__all__ = ["PROBLEM", "WARNING", "Finding", "Report"]

#: Nothing, or not everything, can be recorded or delivered.
PROBLEM = "problem"
#: It may be meant so.
WARNING = "warning"


@frozen
class Finding:
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
class Report:
    """What is written down along the way.

    Attributes:
        facts: What is there: for each thing that was looked at, what can be told of it.
        findings: What is wrong, in the order in which it was found.
    """

    facts: dict[str, dict[str, Any]] = field(factory=dict)
    findings: list[Finding] = field(factory=list)

    def fact(self, section: str, name: str, value: Any) -> None:
        """Write down what is there."""
        self.facts.setdefault(section, {})[name] = value

    def problem(self, name: str, message: str, remedy: str) -> None:
        """Write down what keeps events from being recorded or delivered."""
        self.findings.append(Finding(name, PROBLEM, message, remedy))

    def warn(self, name: str, message: str, remedy: str) -> None:
        """Write down what may be meant so, or not."""
        self.findings.append(Finding(name, WARNING, message, remedy))

    @property
    def well(self) -> bool:
        """Whether there are no problems."""
        return all(finding.level != PROBLEM for finding in self.findings)
