"""Log probabilities: the answer once more, cut into tokens that hide what it says."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from ._findings import Finding

_CHAT_KEYS = frozenset(("content", "refusal"))
_COMPLETION_KEYS = frozenset(
    ("text_offset", "token_logprobs", "tokens", "top_logprobs")
)


@frozen
class LogprobRedactor:
    """Redacts log probabilities as the text that their tokens make up.

    Attributes:
        analyze: Finds personal data in a text.
        redact: Redacts a text.
        walk: Redacts any value in the usual way.
    """

    analyze: Callable[[str], Sequence[Finding]]
    redact: Callable[[str], str]
    walk: Callable[[Any], Any]

    def value(self, value: Any) -> Any:
        """Redact the log probabilities of chat, completions or responses."""
        if isinstance(value, list):
            return self._entries(value)
        if _is_completion(value):
            return self._completion(value)
        if isinstance(value, dict) and _CHAT_KEYS.issuperset(value):
            return {
                key: self._entries(item) if isinstance(item, list) else self.walk(item)
                for key, item in value.items()
            }
        return self.walk(value)

    def tokens(self, tokens: Sequence[str]) -> list[str]:
        """Replace each token that is part of a finding, or is one itself."""
        findings = list(self.analyze("".join(tokens)))
        result = []
        position = current = 0
        for token in tokens:
            end = position + len(token)
            while current < len(findings) and findings[current].end <= position:
                current += 1
            if current < len(findings) and findings[current].start < end:
                result.append(f"<{findings[current].entity}>")
            else:
                result.append(self.redact(token))
            position = end
        return result

    def _entries(self, entries: list[Any]) -> Any:
        if not all(
            isinstance(e, dict) and isinstance(e.get("token"), str) for e in entries
        ):
            return self.walk(entries)
        tokens = self.tokens([entry["token"] for entry in entries])
        return [self._entry(*pair) for pair in zip(entries, tokens, strict=True)]

    def _entry(self, entry: dict[str, Any], token: str) -> dict[str, Any]:
        changed = token != entry["token"]
        result: dict[str, Any] = {}
        for key, value in entry.items():
            if key == "token":
                result[key] = token
            elif key == "bytes":
                result[key] = None if changed else self.walk(value)
            elif key == "top_logprobs" and isinstance(value, list):
                # The other candidates for a name are mostly spellings of it.
                result[key] = [] if changed else list(map(self._candidate, value))
            else:
                result[self.redact(key)] = self.walk(value)
        return result

    def _candidate(self, entry: Any) -> Any:
        if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
            return self.walk(entry)
        return self._entry(entry, self.redact(entry["token"]))

    def _completion(self, value: dict[str, Any]) -> dict[str, Any]:
        tokens = self.tokens(value["tokens"])
        result = {
            k: self.walk(v)
            for k, v in value.items()
            if k not in ("tokens", "top_logprobs")
        }
        result["tokens"] = tokens
        candidates = value.get("top_logprobs")
        if isinstance(candidates, list) and len(candidates) == len(tokens):
            result["top_logprobs"] = [
                self.walk(candidate) if token == original else {}
                for candidate, token, original in zip(
                    candidates, tokens, value["tokens"], strict=True
                )
            ]
        elif "top_logprobs" in value:
            result["top_logprobs"] = self.walk(candidates)
        return result


def _is_completion(value: object) -> bool:
    return (
        isinstance(value, dict)
        and _COMPLETION_KEYS.issuperset(value)
        and isinstance(value.get("tokens"), list)
        and all(isinstance(token, str) for token in value["tokens"])
    )
