"""A cache of redacted texts, so that a system prompt is only searched once."""

from collections import OrderedDict

from attrs import define, field


@define
class LruCache:
    """Redacted texts by their original, bounded by size, oldest use dropped first.

    Attributes:
        limit: How many characters to hold, originals and results together.
    """

    limit: int
    _texts: OrderedDict[str, str] = field(factory=OrderedDict, init=False)
    _size: int = field(default=0, init=False)

    def get(self, text: str) -> str | None:
        """Return the redacted form of ``text``, or None where it is not known."""
        redacted = self._texts.get(text)
        if redacted is not None:
            self._texts.move_to_end(text)
        return redacted

    def put(self, text: str, redacted: str) -> None:
        """Remember the redacted form of ``text``, unless it would fill the cache."""
        cost = len(text) + len(redacted)
        if cost > self.limit // 4 or text in self._texts:
            return
        self._texts[text] = redacted
        self._size += cost
        while self._size > self.limit:
            old, result = self._texts.popitem(last=False)
            self._size -= len(old) + len(result)
