"""Values that something beside them names: a key, a heading, a tag, a pair."""

import json

import pytest

#: An object, and what of it must not leave.
OBJECTS = [
    ({"full_name": ["Zorblax Quindle", "Mirtha Oskov"]}, ("Zorblax", "Mirtha")),
    ({"patient": {"first": "Zorblax", "last": "Quindle"}, "x": 1}, ("Zorblax",)),
    ({"password": "correct horse"}, ("correct", "horse")),
    ({"passwords": ["hunter2", "swordfish9"]}, ("hunter2", "swordfish9")),
    ({"api_keys": {"prod": "abcdef123456"}}, ("abcdef123456",)),
    ({"phone": {"home": "4673395", "work": {"value": "4673396"}}}, ("46733",)),
    ({"phones": [4673395]}, ("4673395",)),
    ({"ssn": "4399"}, ("4399",)),
    ({"cardNumber": 4111111111111112}, ("4111111111111112",)),
    ({"cvv": 123, "pin": "1234"}, ("123",)),
    ({"iban": "DE89 3704 0044 0532 0130 01"}, ("3704",)),
    ({"address": {"line1": "Unter den Linden 5"}}, ("Linden",)),
    ({"Nachname": "Quindle", "telefono": "467 3395"}, ("Quindle", "3395")),
    ({"user_password_hash": "$2b$12$abcdefghijk"}, ("abcdefghijk",)),
    ({"headers": [{"name": "Cookie", "value": "id=12345"}]}, ("12345",)),
    ({"headers": [["Authorization", "Basic 12345"]]}, ("12345",)),
    ({"env": [{"key": "DB_PASSWORD", "value": "hunter2"}]}, ("hunter2",)),
]

#: Ways in which a program puts an object into a text.
WRITTEN = {
    "JSON": json.dumps,
    "JSON in prose": lambda v: f"The result: {json.dumps(v)}. And now?",
    "fenced": lambda v: f"```json\n{json.dumps(v, indent=2)}\n```",
    "lines": lambda v: f"{json.dumps(v)}\n{json.dumps(v)}",
    "JSON in JSON": lambda v: json.dumps({"y": json.dumps(v)}),
    "a string": lambda v: json.dumps(json.dumps(v)),
    "cut off": lambda v: json.dumps(v)[: -len("}") - 1],
    "JSON in JSON, cut off": lambda v: json.dumps({"y": json.dumps(v)})[:-4],
    "shown by Python": lambda v: f"ValueError: bad input {v!r}",
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize(("value", "parts"), OBJECTS)
def test_keys_are_believed_however_json_is_written(value, parts, written, bodies):
    """A value is redacted by its key as an object and in a text, whole or cut off."""
    text = WRITTEN[written](value)
    for body in (
        {"params": value},
        {"response": text},
        {"toolCalls": [{"function": {"name": "f", "arguments": text}}]},
        {"modelParameters": {"metadata": {"note": [value, text]}}},
    ):
        redacted = json.dumps(bodies.redact(body))
        for part in parts:
            assert part not in redacted


FOUND = [
    ("<ssn>4399</ssn>", "<ssn><US_SSN></ssn>"),
    ("<lastName>Quindle</lastName>", "<lastName><PERSON></lastName>"),
    ("Customer(first_name='Zorblax')", "Customer(first_name='<PERSON>')"),
    ('user surname="Quindle" age="4"', 'user surname="<PERSON>" age="4"'),
    ("{ssn: '4399', lastName: `Quindle`}", "{ssn: '<US_SSN>', lastName: `<PERSON>`}"),
    ("'phone' => '467 3395'", "'phone' => '<PHONE_NUMBER>'"),
    ("a=1&ssn=4399&pin=1234", "a=1&ssn=<US_SSN>&pin=<SECRET>"),
    ("last_name=Quindle&x=", "last_name=<PERSON>&x="),
    (
        'form-data; name="pin"\r\n\r\n1234\r\n',
        'form-data; name="pin"\r\n\r\n<SECRET>\r\n',
    ),
    ("Password:\nhunter2", "Password:\n<SECRET>"),
    ("**Password:** hunter2", "**Password:** <SECRET>"),
    ("Password - hunter2", "Password - <SECRET>"),
    ("my pin is 4821", "my pin is <SECRET>"),
    ("CVC 123 exp 12/27", "CVC <SECRET> exp 12/27"),
    ("login bob password s3cr3t9", "login bob password <SECRET>"),
    (
        "ALTER USER bob WITH PASSWORD 'hunter2'",
        "ALTER USER bob WITH PASSWORD '<SECRET>'",
    ),
    ("mysql -u root -phunter2 db", "mysql -u root -p<SECRET> db"),
    ("bob:$apr1$abcdefgh$ijklmnopqrstuv012345", "bob:<SECRET>"),
    (
        "Seed phrase: legal winner thank year wave sausage worth useful legal winner"
        " thank yellow",
        "Seed phrase: <SECRET>",
    ),
    ("PIN: 1234\n", "PIN: <SECRET>\n"),
    ("- **CVV**: 123", "- **CVV**: <SECRET>"),
    ("ssn: xxx-xx-4399", "ssn: <US_SSN>"),
    ("passwords:\n  - hunter2\n  - x9\n", "passwords:\n  - <SECRET>\n  - <SECRET>\n"),
    ("last_name,city\nQuindle,Rome\n", "last_name,city\n<PERSON>,Rome\n"),
    ("city;phone\r\nRome;467 3395\r\n", "city;phone\r\nRome;<PHONE_NUMBER>\r\n"),
    ("pin\tn\n1234\t1\n5678\t2", "pin\tn\n<SECRET>\t1\n<SECRET>\t2"),
    (
        "| Last name | Town |\n|---|---|\n| Quindle | Rome |",
        "| Last name | Town |\n|---|---|\n| <PERSON> | Rome |",
    ),
]


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_labels_in_a_text(text, expected, redactor):
    """Tags, keyword arguments, lines, lists and headings of tables are believed."""
    assert redactor.redact(text) == expected


INNOCENT = [
    {"password": {"type": "string", "minLength": 12, "description": "8 or more"}},
    {"phone": {"type": "string", "pattern": "^[0-9]{10}$", "title": "Phone (1)"}},
    {"secret": {"$ref": "#/definitions/v1.SecretSource2024"}},
    {"columns": ["password", "phone"]},
    {"fields": [{"name": "password", "type": "str"}, {"name": "phone", "value": ""}]},
    {"name": "total", "value": "1234567"},
    {"token": {"count": 512, "limit": 4096}},
]


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("value", INNOCENT, ids=json.dumps)
def test_what_describes_a_value_is_left_alone(value, written, bodies):
    """Schemas and lists of columns hold nothing personal under their telling keys."""
    text = WRITTEN[written](value)
    body = {"params": value, "response": text}
    assert bodies.redact(body) == body


@pytest.mark.parametrize(
    "text",
    [
        "Password: at least 8 characters",
        "name='total', surname=None, phone=''",
        "<phone>unknown</phone> <password>forgotten</password>",
        "phone,ssn\n-,-\nn/a,none\n",
        "| token | count |\n|---|---|\n| the | 3 |",
        "passwords:\n  - must be long\n",
        "Password:\nmust be long\n",
        "**Password:** required",
        "a=1&phone=&pin=none&b=2",
        "GPIO pin 123 and pin 4",
        "mysql -p -P 3306 db",
        "const labels = {lastName: 'Last name', phone: 'Phone'}",
        "price: $6$ or $2$",
        "pin: none\ncvv: required\n",
    ],
)
def test_labels_without_a_value(text, redactor):
    """A label that stands before a remark, or before nothing, is not a finding."""
    assert redactor.redact(text) == text
