"""Masks credentials among a call's parameters: headers, tokens, keys, passwords.

Callers hand them to MCP servers, search services and gateways, and some answers repeat
them. They are never recorded, with or without redaction.
"""

import json
import re
from functools import lru_cache
from typing import Any

from attrs import define, field

MASKED = "<SECRET>"

_MAX_DEPTH = 32
#: Shorter values are not looked for in the answer: they would be found in words.
_MIN_REPEATED = 8
_MAX_KEY = 64
_MASKABLE = (str, dict, list)
#: The parts of a response that the model wrote.
_CONTENT = frozenset(("choices", "output"))

#: How keys end whose value is a credential; only their letters and digits count.
_KEY = re.compile(
    r"(?:(?:api|access|secret|private|subscription|account|auth|license|signing|master"
    r"|admin|service|shared|functions?|encryption|storage|app|application|client"
    r"|anthropic|azure|bing|brave|cohere|exa|firecrawl|gemini|google|groq|jina|litellm"
    r"|mistral|openai|openrouter|pinecone|qdrant|serper|serpapi|tavily|voyage)key"
    r"|passphrase|pwd|(?:^|db|user)pass|bearer|connectionstring|^jwt|^sas|^sig|authheader"
    r"|accountjson"
    r"|(?:^|auth|authorization|access|api|refresh|session|bearer|secret|security|id|hf"
    r"|github|oauth|jwt|sas|csrf|xsrf|personal|service|bot|user|proxy|ad|aad|entra"
    r")token)$"
)
#: The same in a URL's query, where shorter ones are usual.
_URL_KEY = re.compile(r"(?:key|sig|signature|auth)")
#: Keys under which every value counts as one, but for the ``type`` that some have.
_CONTAINER = re.compile(
    r"(?:headers|authentication|^x?auth|authori[sz]ation|credentials?|secrets?|cookies?"
    r"|passw(?:or)?ds?)$"
)
#: What holds names in a JSON schema, and none of their values.
_SCHEMA_NAMES = frozenset(
    ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
)
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,20}://)(?P<user>[^/?#\s@]{1,512}@)?"
)
_QUERY = re.compile(r"(?<=[?&;#])(?P<key>[^=&#\s]{1,64})=(?P<value>[^&#\s]+)")
#: What names an item beside its ``value``, as of a header or a variable.
_LABELS = ("name", "key")
#: Longer texts are not read as JSON.
_MAX_JSON_CHARS = 100_000


@define(eq=False, repr=False)
class CredentialMask:
    """Masks the credentials of one call, and remembers them to find them repeated."""

    _found: set[str] = field(factory=set)

    def mask(self, value: Any, depth: int = 0) -> Any:
        """Return JSON data with its credentials masked; what has none is shared."""
        if isinstance(value, str):
            return self._mask_text(value, depth)
        if isinstance(value, dict):
            if depth > _MAX_DEPTH:
                return MASKED
            # A JSON schema names parameters, and holds none of their values.
            if isinstance(value.get("properties"), dict):
                rest = {n: v for n, v in value.items() if n not in _SCHEMA_NAMES}
                return {**value, **self._mask_fields(rest, depth)}
            return self._mask_fields(value, depth)
        if isinstance(value, list):
            if depth > _MAX_DEPTH:
                return MASKED
            return [self.mask(item, depth + 1) for item in value]
        return value

    def _mask_fields(self, fields: dict[str, Any], depth: int) -> dict[str, Any]:
        masked = {}
        for name, value in fields.items():
            kind = _classify(name[-_MAX_KEY:])
            if name == "value" and _is_labelled(fields):
                kind = "container"
            if kind and (kind == "container" or isinstance(value, str | list)):
                masked[name] = self._mask_all(value, depth)
            elif isinstance(value, _MASKABLE):
                masked[name] = self.mask(value, depth + 1)
            else:
                masked[name] = value
        return masked

    def _mask_all(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool) or value == "":
            return value
        if isinstance(value, dict) and depth <= _MAX_DEPTH:
            return {
                name: item if name == "type" else self._mask_all(item, depth + 1)
                for name, item in value.items()
            }
        if isinstance(value, list) and depth <= _MAX_DEPTH:
            return [self._mask_all(item, depth + 1) for item in value]
        if isinstance(value, str):
            # "Bearer" is not a secret, and a server may repeat the token without it.
            self._remember(value, *value.split()[-1:])
        return MASKED

    def _mask_text(self, text: str, depth: int) -> str:
        """Mask credentials in the URLs of a text, or in the fields of JSON."""
        if text.lstrip()[:1] in ("{", "[") and len(text) <= _MAX_JSON_CHARS:
            try:
                value = json.loads(text)
                masked = self.mask(value, depth + 1)
            except (ValueError, RecursionError):
                pass
            else:
                if masked != value:
                    return json.dumps(masked, ensure_ascii=False)
        return self._mask_urls(text) if "://" in text else text

    def _mask_urls(self, text: str) -> str:
        """Mask the users, and the credentials of the queries, of the URLs in a text."""

        def mask_user(match: re.Match[str]) -> str:
            if not match["user"]:
                return match.group()
            self._remember(match["user"][:-1].rpartition(":")[2])
            return f"{match['scheme']}{MASKED}@"

        def mask_query(match: re.Match[str]) -> str:
            key = match["key"].lower()
            if not (_classify(key) or _URL_KEY.fullmatch(key)):
                return match.group()
            self._remember(match["value"])
            return f"{match['key']}={MASKED}"

        return _QUERY.sub(mask_query, _URL.sub(mask_user, text))

    def mask_sent(self, message: str, exc: BaseException) -> str:
        """Return an error's message with the credentials masked that were sent."""
        try:
            sent = list(exc.request.headers.items())  # type: ignore[attr-defined]
        except (AttributeError, RuntimeError):  # httpx raises where none is set.
            sent = []
        for name, value in sent:
            if _classify(name[-_MAX_KEY:]):
                self._remember(value, *value.split()[-1:])
        return str(self.mask_repeated(message))

    def _remember(self, *values: str) -> None:
        self._found.update(value for value in values if len(value) >= _MIN_REPEATED)

    def mask_repeated(self, value: Any, depth: int = 0) -> Any:
        """Return JSON data with the credentials masked that were found before."""
        if not self._found:
            return value
        if isinstance(value, str):
            for credential in sorted(self._found, key=len, reverse=True):
                value = value.replace(credential, MASKED)
            return value
        if isinstance(value, dict):
            return {
                self.mask_repeated(name): self.mask_repeated(item, depth + 1)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.mask_repeated(item, depth + 1) for item in value]
        return value

    def mask_response(self, raw: Any) -> Any:
        """Return a response with the credentials masked that it repeats.

        What the model said is left as it is, but for credentials that were sent.
        """
        if not isinstance(raw, dict):
            return self.mask_repeated(raw)
        content = {name: value for name, value in raw.items() if name in _CONTENT}
        # Named here, and masked with the rest, to keep the order of the fields.
        masked = self._mask_fields({**raw, **dict.fromkeys(content)}, 0)
        return self.mask_repeated({**masked, **content})


def _is_labelled(fields: dict[str, Any]) -> bool:
    """Return whether an item is named as a credential beside its ``value``."""
    label = next((fields[name] for name in _LABELS if name in fields), None)
    return isinstance(label, str) and bool(_classify(label[-_MAX_KEY:]))


@lru_cache(2_048)
def _classify(key: str) -> str:
    """Return "credential", "container" (of some), or "": what a key says it holds."""
    plain = _SEPARATORS.sub("", key.lower())
    if _CONTAINER.search(plain):
        return "container"
    return "credential" if _KEY.search(plain) else ""
