"""A secret is masked in every form that a library may give it; other texts stay as they are."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from dvc_hf import masks
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(codec="utf-8"), min_size=8, max_size=40).filter(
    lambda text: len(text.strip()) > 7
)


def remember_only(secret: str) -> None:
    masks._forms.clear()
    masks.remember_secret(secret)


@given(TEXT)
def test_a_known_secret_is_masked_in_every_form(secret: str) -> None:
    remember_only(secret)
    for form in (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        json.dumps(secret)[1:-1],
    ):
        assert form not in masks.mask_secrets(f"before {form} after")


@given(TEXT, st.text(max_size=5), st.text(max_size=5))
def test_a_known_secret_is_masked_inside_base64(secret: str, before: str, after: str) -> None:
    remember_only(secret)
    whole = f"{before}{secret}{after}".encode()
    for encode in (b64encode, urlsafe_b64encode):
        assert masks.mask_secrets(f"Basic {encode(whole).decode()}.") == f"Basic {masks.MASK}."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bearer hf_ABCDEFGHIJKLMNOPQRSTUVWX", "Bearer ***"),
        ("https://bob:hunter2@example.org/x", "https://***@example.org/x"),
        ("https://hunter2@example.org", "https://***@example.org"),
        ("socks5h://bob:hun@ter2@example.org:1080", "socks5h://***@example.org:1080"),
        ("ssh://git@example.org/repo", "ssh://git@example.org/repo"),
        ("hf://datasets/o/n@dev/a:b@c", "hf://datasets/o/n@dev/a:b@c"),
        ("see https://example.org/a@b", "see https://example.org/a@b"),
        ("hf_transfer and hf_xet", "hf_transfer and hf_xet"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_nothing_else(text: str, shown: str) -> None:
    assert masks.mask_secrets(text) == shown


def test_a_secret_of_another_encoding_is_masked_too() -> None:
    secret = b"hf_\xe4\xfcsecret".decode(errors="surrogateescape")
    remember_only(secret)
    assert "secret" not in masks.mask_secrets(
        f"{secret} {secret!r} {secret.encode(errors='surrogateescape')!r}"
    )
