"""What the built-in redactor finds in a text, and what it leaves alone."""

import pytest

FOUND = [
    # greetings
    (
        "Dear Margaret,\nthank you for writing.",
        "Dear <PERSON>,\nthank you for writing.",
    ),
    ("Hi Zbigniew,\n\nyour parcel left.", "Hi <PERSON>,\n\nyour parcel left."),
    ("Hello Ana Lucía! How are you?", "Hello <PERSON>! How are you?"),
    ("Good morning Tomomi,", "Good morning <PERSON>,"),
    ("Hey David Johnson, what's up?", "Hey <PERSON>, what's up?"),
    ("hi jennifer, are you there?", "hi <PERSON>, are you there?"),
    ("Thank you, Yusuf.", "Thank you, <PERSON>."),
    ("Dear Mr. Okonkwo:", "Dear Mr. <PERSON>:"),
    ("Dear Dr. Wei Zhang,", "Dear Dr. <PERSON>,"),
    # closings
    ("That is all. cheers Luis.", "That is all. cheers <PERSON>."),
    ("Kind regards,\n\n--Priya N.", "Kind regards,\n\n--<PERSON>."),
    ("Best,\nWojciech", "Best,\n<PERSON>"),
    ("Sincerely,\n\nMargaret O'Brien\n", "Sincerely,\n\n<PERSON>\n"),
    ("Thanks,\nKwame", "Thanks,\n<PERSON>"),
    ("thanks!\n- bob\n", "thanks!\n- <PERSON>\n"),
    ("See you.\n\n-- \nAnneliese", "See you.\n\n-- \n<PERSON>"),
    ("Best, Ann", "Best, <PERSON>"),
    ("Best,\nAnn & Bob", "Best,\n<PERSON> & <PERSON>"),
    ("Take care, Zorblat", "Take care, <PERSON>"),
    ("Talk soon,\nAnn", "Talk soon,\n<PERSON>"),
    ("Cheers, Zorblat (Support)", "Cheers, <PERSON> (Support)"),
    ("Kind regards, Ann Lee | CEO", "Kind regards, <PERSON> | CEO"),
    ("Mit freundlichen Grüßen\nZorblat", "Mit freundlichen Grüßen\n<PERSON>"),
    ("Un saludo,\nZorblat", "Un saludo,\n<PERSON>"),
    # introductions, titles and labels
    ("My name is Xochitl and I need help.", "My name is <PERSON> and I need help."),
    ("my name is priyanka", "my name is <PERSON>"),
    ("I'm Sarah Connor.", "I'm <PERSON>."),
    ("This is Kevin from accounting.", "This is <PERSON> from accounting."),
    ("Please ask for Mrs. Featherstonehaugh.", "Please ask for Mrs. <PERSON>."),
    ("Patient: Nguyen Thi Lan\nAge: 40", "Patient: <PERSON>\nAge: 40"),
    ('{"customer": "Ingrid Bergström"}', '{"customer": "<PERSON>"}'),
    ("Name: Adaeze Obi", "Name: <PERSON>"),
    # a name by its words
    ("I met Jennifer yesterday.", "I met <PERSON> yesterday."),
    ("We spoke to Vanessa P. Hertzog.", "We spoke to <PERSON>."),
    ("Is Mark there?", "Is <PERSON> there?"),
    ("Jürgen Müller\n", "<PERSON>\n"),
    ("Maria Garcia-Lopez called.", "<PERSON> called."),
    ("JOHN SMITH signed it.", "<PERSON> signed it."),
    ("Ludwig van Beethoven wrote it.", "<PERSON> wrote it."),
    ("Michael's phone is off.", "<PERSON>'s phone is off."),
    # JSON that was cut off
    ('{"text": "Dear Margaret,\\n8.8.8.8', '{"text": "Dear <PERSON>,\\n<IP_ADDRESS>'),
    ('{"to": \\"jane@example.com\\", "n', '{"to": \\"<EMAIL_ADDRESS>\\", "n'),
    # cards
    ("Visa 4111 1111 1111 1111 exp 12/27", "Visa <CREDIT_CARD> exp 12/27"),
    ("4012-8888-8888-1881", "<CREDIT_CARD>"),
    ("card 5555555555554444.", "card <CREDIT_CARD>."),
    ("2223 0031 2200 3222", "<CREDIT_CARD>"),
    ("amex 3782 822463 10005", "amex <CREDIT_CARD>"),
    ("3714-496353-98431", "<CREDIT_CARD>"),
    ("6011 1111 1111 1117", "<CREDIT_CARD>"),
    ("3530 1113 3330 0000", "<CREDIT_CARD>"),
    ("Diners 3056 930902 5904", "Diners <CREDIT_CARD>"),
    ("4111  1111  1111  1111", "<CREDIT_CARD>"),
    ("4111 - 1111 - 1111 - 1111", "<CREDIT_CARD>"),
    ("UnionPay 6200 0000 0000 0005", "UnionPay <CREDIT_CARD>"),
    ("my card number is 4222222222222", "my card number is <CREDIT_CARD>"),
    ("卡号4111111111111111。", "卡号<CREDIT_CARD>。"),
    (
        "\u0664\u0661\u0661\u0661 " + "\u0661\u0661\u0661\u0661 " * 3 + "paid",
        "<CREDIT_CARD> paid",
    ),
    # social security numbers
    ("SSN 536-90-4399", "SSN <US_SSN>"),
    ("536 90 4399", "<US_SSN>"),
    ("536.90.4399", "<US_SSN>"),
    ("my social security number is 536904399", "my social security number is <US_SSN>"),
    # telephones
    ("Call 415-555-2671 now", "Call <PHONE_NUMBER> now"),
    ("(415) 555-2671", "<PHONE_NUMBER>"),
    ("415.555.2671", "<PHONE_NUMBER>"),
    ("+1 415 555 2671", "<PHONE_NUMBER>"),
    ("+44 20 7946 0958", "<PHONE_NUMBER>"),
    ("+49.30.901820", "<PHONE_NUMBER>"),
    ("+33 (0)1 23 45 67 89", "<PHONE_NUMBER>"),
    ("001-253-366-9781", "<PHONE_NUMBER>"),
    ("1-800-555-0199 ext. 12", "<PHONE_NUMBER>"),
    ("text me at 4155552671", "text me at <PHONE_NUMBER>"),
    ("my phone: 555-0134", "my phone: <PHONE_NUMBER>"),
    ("Phone: 467 3395 / 467 3396", "Phone: <PHONE_NUMBER> / <PHONE_NUMBER>"),
    ("415-5552671", "<PHONE_NUMBER>"),
    ("They're not answering at 78 651 450", "They're not answering at <PHONE_NUMBER>"),
    ("020 7946 0958", "<PHONE_NUMBER>"),
    ("07911123456", "<PHONE_NUMBER>"),
    ("089 / 123 456 78", "<PHONE_NUMBER>"),
    ("(11) 91234-5678", "<PHONE_NUMBER>"),
    ("138 0013 8000", "<PHONE_NUMBER>"),
    ("98765 43210", "<PHONE_NUMBER>"),
    ("612 34 56 78", "<PHONE_NUMBER>"),
    ("55 1234 5678", "<PHONE_NUMBER>"),
    ("8 495 123-45-67", "<PHONE_NUMBER>"),
    ("1300 975 707", "<PHONE_NUMBER>"),
    ("210 123 4567", "<PHONE_NUMBER>"),
    ("tlf. 21 23 45 67", "tlf. <PHONE_NUMBER>"),
    ("móvil 612 345 678", "móvil <PHONE_NUMBER>"),
    # e-mail addresses
    ("write to jane.doe@example.com.", "write to <EMAIL_ADDRESS>."),
    ("jane+tag@mail.example.co.uk", "<EMAIL_ADDRESS>"),
    ("<o'neil_99@example-host.org>", "<<EMAIL_ADDRESS>>"),
    ("邮箱 li.wei@例子.中国", "邮箱 <EMAIL_ADDRESS>"),
    ("jane [at] example [dot] com", "<EMAIL_ADDRESS>"),
    ("jane.doe(at)example.com", "<EMAIL_ADDRESS>"),
    # addresses of machines
    ("from 192.168.17.4:8080", "from <IP_ADDRESS>:8080"),
    ("at 2001:db8::8a2e:370:7334 today", "at <IP_ADDRESS> today"),
    ("::1", "<IP_ADDRESS>"),
    ("ping 8.8.8.8.", "ping <IP_ADDRESS>."),
    # URLs
    ("see https://example.com:8443/a/b?c=d#frag.", "see <URL>."),
    ("(http://localhost:3000/users/7)", "(<URL>)"),
    ("www.example.co.uk/path", "<URL>"),
    ("ftp://files.example.org", "<URL>"),
    ("postgresql://joe:hunter2@db:5432/app", "<URL>"),
    ("visit example.com/jane today", "visit <URL> today"),
    # streets
    ("I live at 1600 Pennsylvania Avenue NW.", "I live at <STREET_ADDRESS>."),
    ("742 Evergreen Terrace", "<STREET_ADDRESS>"),
    ("221b Baker St, Apt 4, Springfield, IL 62704", "<STREET_ADDRESS>"),
    ("Send it to P.O. Box 1234.", "Send it to <STREET_ADDRESS>."),
    ("12 main street", "<STREET_ADDRESS>"),
    ("Ship to 19001 Lucero Ports Suite 496", "Ship to <STREET_ADDRESS>"),
    # accounts and wallets
    ("GB29 NWBK 6016 1331 9268 19", "<IBAN_CODE>"),
    ("DE89370400440532013000", "<IBAN_CODE>"),
    ("pay 1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "pay <CRYPTO>"),
    ("0x52908400098527886E0F7030069857D2E4169EE7", "<CRYPTO>"),
    # secrets
    ("key sk-proj-abcDEF0123456789abcDEF", "key <SECRET>"),
    ("AKIAIOSFODNN7EXAMPLE", "<SECRET>"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "<SECRET>"),
    ("Authorization: Bearer abcdef0123456789.abc", "Authorization: Bearer <SECRET>"),
    ("password: hunter2!", "password: <SECRET>"),
    ('{"client_secret": "correct horse"', '{"client_secret": "<SECRET>"'),
    (
        "aws wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws <SECRET>",
    ),
    (
        "-----BEGIN EC PRIVATE KEY-----\nMIIEow\nIBAA\n-----END EC PRIVATE KEY-----",
        "<SECRET>",
    ),
    ("-----BEGIN PRIVATE KEY-----\nMIIEow and no end", "<SECRET>"),
    ("DB_PASS=correcthorse", "DB_PASS=<SECRET>"),
    ("db_pass: hunter2", "db_pass: <SECRET>"),
    ("export STRIPE_KEY='a1b2c3d4'", "export STRIPE_KEY='<SECRET>'"),
    ("PGPASSWORD=foo1bar psql", "PGPASSWORD=<SECRET> psql"),
    ("curl -s -u alice:pw /x", "curl -s -u <SECRET> /x"),
    ("curl --user 'bob:a b'", "curl --user '<SECRET> b'"),
    ("mysql --password=hunter2", "mysql --password=<SECRET>"),
    ("password:\n  hunter2\n", "password:\n  <SECRET>\n"),
    ("password: |\n  Tr0ub4dor&3", "password: |\n  <SECRET>"),
    ("<password>hunter2</password>", "<password><SECRET></password>"),
    ("my password is Tr0ub4dor", "my password is <SECRET>"),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic <SECRET>"),
    ("Basic YTpi", "Basic <SECRET>"),
    ("Authorization: Bearer abc123", "Authorization: Bearer <SECRET>"),
    ("Cookie: sid=abcdef; theme=dark", "Cookie: <SECRET>"),
    ("AccountKey=abc123DEF456==;Endpoint=x", "AccountKey=<SECRET>;Endpoint=x"),
    ('{\\"pw\\": \\"abc1def', '{\\"pw\\": \\"<SECRET>'),
    # keys in the form that their vendor gave them
    ("gsk_abcdefghijklmnopqrstuvwxyz0123456789", "<SECRET>"),
    ("glpat-abc123DEF456ghi789jk", "<SECRET>"),
    ("shpat_0123456789abcdef0123456789abcdef", "<SECRET>"),
    ("dapi0123456789abcdef0123456789abcdef", "<SECRET>"),
    ("123456789:AAabcdefghijklmnopqrstuvwxyz0123456", "<SECRET>"),
    ("lsv2_pt_0123456789abcdef0123456789abcdef_01234567", "<SECRET>"),
    ("dckr_pat_abcdefghijklmnopqrstuvwx0yz", "<SECRET>"),
    ("hvs.CAESIabcdefgh0123456789", "<SECRET>"),
    ("key-0123456789abcdef0123456789abcdef", "<SECRET>"),
]

LEFT_ALONE = [
    "",
    "This is quite urgent.",
    "This is Quite Urgent",
    "Northwind Support",
    "Dear Northwind Support,",
    "Hi team,",
    "Hello World!",
    "Dear Customer,",
    "Thanks in advance.",
    "Regards,\nThe Support Team",
    "Best, as ever, is the enemy of good.",
    "Thanks for the update, much appreciated.",
    "You are a helpful assistant.",
    "Summarize the following article in three sentences.",
    "Python 3.11.7 and openai 1.55.0",
    "version 1.2.3.4 of the driver",
    "v10.0.0.1 was released",
    "import self.foo.py",
    "self.foo.bar()",
    "logger.info('done')",
    "std::vector<int> a::b",
    "the price is $1,234,567.89",
    "$1234567890",
    "19.99 USD",
    "Order #4155552671",
    "order number 20394857",
    "Invoice 2024-000123",
    "ticket 8837465920",
    "tracking 702-4567890-1234567",
    "on 2024-03-15 at 10:30:00",
    "15.03.2024 or 03/15/2024",
    "2024-03-15T10:30:00.123456Z",
    "1700000000",
    "1700000000123",
    "3.14159265358979",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "In May we will bill you.",
    "She moved from Jordan to Paris in April.",
    "Use GPT-4o or Claude with Kafka.",
    "The password is wrong.",
    "my password is: forgotten",
    "api_key = os.environ.get",
    "api_key: ${API_KEY}, password: ********",
    "password is case-sensitive, and the API key is read-only",
    "Authorization: required",
    "a basic understanding, basic principles",
    "pass: 12, fail: 3",
    "MAX_TOKEN=4096 SORT_KEY=name CACHE_KEY=user-list",
    "token = 5; tokens: 12; secret santa",
    "sk-learn-contrib-packages-are-here",
    "the-quick-brown-fox-jumps-over-the-lazy-dog",
    "password_reset_token_expiry: 3600",
    "-----BEGIN CERTIFICATE-----",
    "@dataclass",
    "lodash@4.17.21",
    "chatcmpl-9aBcD3fGhIjKlMnOpQrStUv",
    "call_abc123DEF456ghi789",
    "Hello {customer.name}, your order {order_id} is ready.",
    '{"is_valid": false, "count": 12}',
    "SELECT name FROM users WHERE id = 42",
    "def main(argv: list[str]) -> int:",
    "I took the 5 minute drive",
    "12 of the 30 items",
    "Room 101, floor 3",
    "3 Key Points",
    "In 2023 Apple Park opened.",
    "Step 2 Open the Settings Path",
    "a score of 4-2-1",
    "00:1A:2B:3C:4D:5E",
    "10:30:45",
    "16 GB of RAM, 2 TB disk",
    "chapter 1.2.3.4",
]


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_found(text, expected, redactor):
    """Personal data in its common forms is replaced by the name of its entity."""
    assert redactor.redact(text) == expected


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_left_alone(text, redactor):
    """What only looks like personal data stays as it is."""
    assert redactor.redact(text) == text


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_findings_are_what_is_replaced(text, expected, redactor):
    """``analyze`` and ``redact`` tell the same story, in order and without overlap."""
    entities = redactor.analyze(text)
    parts, position = [], 0
    for entity in entities:
        assert position <= entity.start < entity.end <= len(text)
        parts += [text[position : entity.start], f"<{entity.type}>"]
        position = entity.end
    assert "".join([*parts, text[position:]]) == expected


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_redacted_text_is_left_alone(text, expected, redactor):
    """Redacting twice changes nothing more."""
    assert redactor.redact(expected) == expected
