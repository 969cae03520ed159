"""What is hidden in logs, and what is left readable."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.drivers.local.lines import LineSplitter
from orchestrator.masking import CUT, HIDDEN, Masker

SECRET = "s3cr3t/Value+with&odd=chars"


def masked(text: str, **variables: str) -> str:
    return Masker(variables).mask(text)


def test_a_secret_is_hidden_wherever_it_stands() -> None:
    assert masked(f"token {SECRET}, again {SECRET}.", API_TOKEN=SECRET) == f"token {HIDDEN}, again {HIDDEN}."


@pytest.mark.parametrize(
    "form", [quote(SECRET, safe=""), json.dumps(SECRET)[1:-1], base64.b64encode(SECRET.encode()).decode()]
)
def test_encoded_it_is_hidden_too(form: str) -> None:
    assert form not in masked(f"<{form}>", X=SECRET)
    assert HIDDEN in masked(f"<{form}>", X=SECRET)


@given(st.binary(max_size=7), st.text(min_size=12, max_size=40, alphabet="abcXYZ019+/_-"), st.binary(max_size=7))
def test_in_base64_it_is_hidden_at_every_offset(before: bytes, secret: str, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + secret.encode() + after).decode()
        shown = masked(text, PASSWORD=secret)
        assert HIDDEN in shown
        # At most two bytes of it share a letter with what stands around it.
        assert len(shown.replace(HIDDEN, "")) <= len(text) - (len(secret) * 4 // 3) + 4


def test_each_line_of_a_value_with_several_is_hidden() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----"
    shown = [masked(line, TLS=key) for line in key.splitlines()]
    assert shown[1:3] == [HIDDEN, HIDDEN]


def test_the_password_of_an_address_is_hidden_and_the_address_with_it() -> None:
    url = "postgres://app:hunter22@db.example.org/app"
    assert masked(f"connecting to {url}", DATABASE_URL=url) == f"connecting to {HIDDEN}"
    assert masked("password authentication failed: hunter22", DATABASE_URL=url).endswith(HIDDEN)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NODE_ENV", "production"),
        ("HOST", "db.example.org:5432"),
        ("API_URL", "https://api.example.org/v1"),
        ("VERSION", "20.11.1"),
        ("DATA_DIR", "/app/data"),
        ("DEBUG", "1"),
        ("PASSWORD", "abc"),
    ],
)
def test_plain_words_stay_readable(name: str, value: str) -> None:
    assert masked(f"using {value} now", **{name: value}) == f"using {value} now"


def test_a_plain_word_is_hidden_when_its_name_says_that_it_is_a_secret() -> None:
    assert masked("it is correcthorse", DB_PASSWORD="correcthorse") == f"it is {HIDDEN}"


def test_of_two_secrets_the_longer_one_is_hidden_whole() -> None:
    assert masked("abcdef123456", A_KEY="abcdef", B_KEY="abcdef123456") == HIDDEN


def test_a_line_that_was_cut_shows_no_beginning_of_a_secret() -> None:
    assert masked(f"x {SECRET[:12]}{CUT}", KEY=SECRET) == f"x {HIDDEN}{CUT}"
    assert masked(f"x {SECRET[:12]}", KEY=SECRET) == f"x {SECRET[:12]}"


def test_lines_are_cut_in_the_way_that_is_looked_for() -> None:
    (line,) = LineSplitter(10).feed(b"x" * 20 + b"\n")
    assert line == "x" * 10 + CUT


def test_without_variables_nothing_is_hidden() -> None:
    assert Masker().mask("anything") == "anything"
