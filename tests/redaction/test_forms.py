"""Numbers, addresses and tokens in the forms that people and vendors give them."""

import random
import string

import pytest

FORMS = {
    "CREDIT_CARD": """
        4111_1111_1111_1111
        4111/1111/1111/1111
        4111:1111:1111:1111
        card4111111111111111
        cc 4111111111111111x
        card 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
        card 41 11 11 11 11 11 11 11
        card 4111, 1111, 1111, 1111
        card 4111|1111|1111|1111
    """,
    "US_SSN": """
        SSN 536_90_4399
        SSN 536/90/4399
        SSN 536 - 90 - 4399
    """,
    "IBAN_CODE": """
        DE89.3704.0044.0532.0130.00
        DE89_3704_0044_0532_0130_00
        DE 89 3704 0044 0532 0130 00
        ibanDE89370400440532013000
        DE89 370 400 440 532 013 000
        Gb29 Nwbk 6016 1331 9268 19
        NO93 8601 1117 947
        MT84 MALT 0110 0001 2345 MTLC AST0 01S
    """,
    "PHONE_NUMBER": """
        +52 1 55 1234 5678
        011 4123-4567
        11 2345-6789
        91 234 56 78
        22 123 45 67
        21 123 4567
        347 123 4567
        01012345678
        08031234567
        0901234567
        081234567890
        89161234567
        13800138000
    """,
    "EMAIL_ADDRESS": """
        jane.doe@203.0.113.195
        jane.doe@[192.168.2.1]
        jane.doe @ example.com
        jane.doe @example.com
        jane dot doe at example dot com
        jane.doe AT example DOT com
        jane.doe<wbr>@example.com
        <b>jane.doe</b>@example.com
        jane.doe<!-- x -->@example.com
        jane.doe[@]example[.]com
    """,
    "IP_ADDRESS": """
        203[.]0[.]113[.]195
        203{dot}0{dot}113{dot}195
    """,
    "URL": """
        //example.org/u/jane
        https[:]//example.org/u/jane
        hxxps://example[.]org/u/jane
    """,
}


@pytest.mark.parametrize(
    ("entity", "written"),
    [
        (entity, line.strip())
        for entity, lines in FORMS.items()
        for line in lines.strip().splitlines()
    ],
)
def test_forms(entity, written, redactor):
    """A value is found in each form that it is usually given."""
    redacted = redactor.redact(f"Here it is:\n{written}\nand that is all.")
    assert f"<{entity}>" in redacted
    assert sum(map(str.isdigit, redacted)) == 0
    assert "jane" not in redacted
    assert "example" not in redacted


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("From: jane.doe@exam=\nple.com", "jane.doe"),
        ("Card 4111 1111 11=\r\n11 1111 ok", "4111"),
        ("write to jane.doe=40example.com", "jane.doe"),
        ("My name is J=C3=B8rgen S=C3=B8rensen.", "rensen"),
        ("6a616e652e646f65406578616d706c652e636f6d", "6a616e65"),
        ("6a 61 6e 65 2e 64 6f 65 40 65 78 61 6d 70 6c 65 2e 63 6f 6d", "6a 61"),
        ("0x6a616e652e646f65406578616d706c652e636f6d", "6a616e65"),
        ("YW1GdVpTNWtiMlZBWlhoaGJYQnNaUzVqYjIwPQ==", "YW1GdVpT"),
        ("agBhAG4AZQBAAGUAeABhAG0AcABsAGUALgBjAG8AbQA=", "agBhAG4A"),
        (
            "RGVhciBzdXBwb3J0LCBtb3N0IG9mIHRoaXMgaXMgd29yZHMgYW5kIHRoZW4gamFuZS5k\n"
            "b2VAZXhhbXBsZS5jb20gYXQgdGhlIGVuZA==",
            "b2VAZXhh",
        ),
    ],
)
def test_encodings_of_mail_and_bytes(text, hidden, redactor):
    """Quoted-printable, hexadecimal digits and base64 of any kind are seen through."""
    assert hidden not in redactor.redact(text)


LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
CAPITALS = string.ascii_uppercase + string.digits

#: How keys of vendors start, how many characters follow, and which.
TOKENS = [
    ("sk-proj-", 40, LETTERS),
    ("sk-ant-api03-", 50, LETTERS),
    ("sk-or-v1-", 64, HEX),
    ("gsk_", 52, LETTERS),
    ("pplx-", 48, LETTERS),
    ("tgp_v1_", 40, LETTERS),
    ("pa-", 43, LETTERS),
    ("jina_", 60, LETTERS),
    ("sk_", 48, HEX),
    ("csk-", 48, LETTERS),
    ("wandb_v1_", 60, LETTERS),
    ("ghp_", 36, LETTERS),
    ("glpat-", 20, LETTERS),
    ("bkua_", 40, HEX),
    ("CCIPAT_", 60, LETTERS),
    ("dckr_oat_", 32, LETTERS),
    ("cio", 32, LETTERS),
    ("npm_", 36, LETTERS),
    ("sqp_", 40, HEX),
    ("vcp_", 56, LETTERS),
    ("rzp_live_", 14, LETTERS),
    ("re_12345678_", 24, LETTERS),
    ("mlsn.", 64, HEX),
    ("fc-", 32, HEX),
    ("apify_api_", 36, LETTERS),
    ("bb_live_", 27, LETTERS),
    ("e2b_", 40, HEX),
    ("tskey-auth-", 40, LETTERS),
    ("pk_12345678_", 32, CAPITALS),
    ("1/1234567890123456:", 32, HEX),
    ("IGQV", 80, LETTERS),
    ("AQV", 80, LETTERS),
    ("act.", 60, LETTERS),
    ("oauth:", 30, HEX),
    ("live_", 35, HEX),
    ("AQE", 60, LETTERS),
    ("tl_", 60, HEX),
    ("snyk_uat.", 60, LETTERS),
    ("CLOJARS_", 60, HEX),
    ("pat-na1-8ab976e6-64bc-4b38-98f7-", 12, HEX),
    ("sdk-8ab976e6-64bc-4b38-98f7-", 12, HEX),
]


@pytest.mark.parametrize(("prefix", "length", "alphabet"), TOKENS)
def test_tokens_of_vendors(prefix, length, alphabet, redactor):
    """A key in a vendor's format is a secret, whatever stands around it."""
    body = "A1b" if alphabet is LETTERS else ""
    body += "".join(random.Random(length).choices(alphabet, k=length - len(body)))
    for frame in ("{}", "use {} please", '{{"x": "{}"}}', "k={}&b=1", "`{}`", "({})."):
        text = frame.format(prefix + body)
        assert redactor.redact(text) == frame.format("<SECRET>")


@pytest.mark.parametrize(
    "text",
    [
        "?sv=2022-11-02&sp=r&sig=3t4kavuii3vAXpv4z2ppKt8FiHnPzRhZjTMGtB6Q9cQ%3D",
        "PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 1\n3t4kavuii3vAXpv4z2ppKt8Fi",
        "Authorization: SSWS 00abc3t4kavuii3vAXpv4z2ppKt8FiHnPzRhZj",
    ],
)
def test_secrets_by_what_stands_before_them(text, redactor):
    """Signatures, key files and headers are known by their surroundings."""
    assert "3t4kavuii3vAXpv4" not in redactor.redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "4512, 4388, 4410, 4390",
        "4512|4388|4410|4390",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "digits = '0123456789'",
        "12 345 678 and 912 345 678",
        "pi_3MtwBwLkdIwHu7ix28a3tqPa and cus_NffrFeUfNV2Hib",
        "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "x = a=41&b=42&c=4F",
        "List<b> and <code>print(1)</code>",
        "[.] and (.) and [:] and {.}",
        "look at example, dot by dot",
        "ab12 cd34 EF56 de89",
        "de89 3704 0044 0532 0130 01 is no account",
        "// a comment about nothing",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_look_alikes(text, redactor):
    """Rows of numbers, ids of records, code and hashes stay as they are."""
    assert redactor.redact(text) == text
