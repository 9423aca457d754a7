"""Lists of words from data files: sections in brackets, comments, words in between."""

from importlib import resources

from attrs import frozen


@frozen
class WordLists:
    """The sections of one data file.

    Attributes:
        sections: The words of each section, in the order of the file.
    """

    sections: dict[str, list[str]]

    @classmethod
    def load(cls, package: str, name: str) -> "WordLists":
        """Read ``data/<name>.txt`` of a package."""
        path = resources.files(package).joinpath("data", f"{name}.txt")
        sections: dict[str, list[str]] = {}
        words: list[str] = []
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("[") and line.endswith("]"):
                words = sections.setdefault(line[1:-1], [])
            elif not line.startswith("#"):
                words.extend(line.split())
        return cls(sections)

    def words(self, *sections: str) -> frozenset[str]:
        """Return the words of some sections together."""
        return frozenset(word for name in sections for word in self.sections[name])

    def phrases(self, section: str) -> frozenset[str]:
        """Return the words of a section, with a space for each underscore."""
        return frozenset(word.replace("_", " ") for word in self.sections[section])

    def pattern(self, section: str) -> str:
        """Return a regular expression for any word of a section."""
        return f"(?:{'|'.join(self.sections[section])})"
