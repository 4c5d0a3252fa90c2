"""An address or a secret that can't be one is a usage error that names the fix and shows neither."""

import base64

import pytest
from pydantic import SecretStr

from autoscaler.errors import UsageError
from autoscaler.settings import load_settings
from tests.support.webhook_receiver import SECRET

URL = "https://hooks.example.com/VERYSECRET"


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(b"\xfb" * size).decode()


@pytest.mark.parametrize(
    ("url", "where"),
    (
        (URL, "https://hooks.example.com"),
        ("https://ada:VERYSECRET@hooks.example.com:8443/x?key=VERYSECRET#VERYSECRET", "https://hooks.example.com:8443"),
        ("HTTPS://HOOKS.example.com", "https://hooks.example.com"),
        ("https://hänger.example/x", "https://xn--hnger-gra.example"),
        ("http://127.0.0.1:8000/VERYSECRET", "http://127.0.0.1:8000"),
        ("http://127.9.9.9/x", "http://127.9.9.9"),
        ("http://localhost:8000/x", "http://localhost:8000"),
        ("http://LOCALHOST/x", "http://localhost"),
        ("http://[::1]:8000/x", "http://[::1]:8000"),
    ),
)
async def test_an_address_is_shown_as_scheme_and_host(posting, url, where):
    assert posting(url).where == where


@pytest.mark.parametrize(
    ("url", "fix"),
    (
        ("hooks.example.com/VERYSECRET", "no https:// address"),
        ("/VERYSECRET", "no https:// address"),
        ("ftp://hooks.example.com/VERYSECRET", "no https:// address"),
        ("https:///VERYSECRET", "no https:// address"),
        ("https://hooks.example.com:VERYSECRET/", "no https:// address"),
        ("https://[::VERYSECRET/", "no https:// address"),
        ("https://hooks.example.com/a\nVERYSECRET", "no https:// address"),
        ("https://VERY SECRET.example/", "no https:// address"),
        ("https://VERY%20SECRET.example/", "no https:// address"),
        (f"https://{'VERYSECRET' * 7}.example/", "no https:// address"),
        ("https://..VERYSECRET/", "no https:// address"),
        ("http://hooks.example.com/VERYSECRET", "Use the receiver's https:// address"),
        ("http://localhost.VERYSECRET.example/x", "Use the receiver's https:// address"),
        ("http://10.0.0.1/VERYSECRET", "Use the receiver's https:// address"),
    ),
)
async def test_an_address_that_will_not_do_is_a_usage_error_that_does_not_show_it(posting, url, fix):
    with pytest.raises(UsageError, match=fix) as caught:
        posting(url)
    assert "WEBHOOK_URL" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("size", (24, 32, 64))
async def test_a_secret_of_the_standards_sizes_will_do(posting, size):
    assert posting(URL, secret_of(size))


@pytest.mark.parametrize(
    ("secret", "wrong"),
    (
        (secret_of(23), "23 bytes, not 24 to 64"),
        (secret_of(65), "65 bytes, not 24 to 64"),
        ("whsec_", "0 bytes"),
        ("whsec_VERYSECRET", "no whsec_ and base64"),
        ("whsec_not base64, though long enough to be: VERYSECRET", "no whsec_ and base64"),
        (SECRET.removeprefix("whsec_"), "no whsec_ and base64"),
        ("a plain text that is long enough to be a good VERYSECRET", "no whsec_ and base64"),
        (f"{SECRET[:20]} {SECRET[20:]}", "no whsec_ and base64"),
        ("whsk_" + SECRET.removeprefix("whsec_"), "no whsec_ and base64"),
        (SECRET + "é", "no whsec_ and base64"),
    ),
)
async def test_a_secret_that_will_not_do_is_a_usage_error_that_says_how_to_make_one(posting, secret, wrong):
    with pytest.raises(UsageError, match=wrong) as caught:
        posting(URL, secret)
    assert "openssl rand -base64 32" in str(caught.value)
    assert "VERYSECRET" not in str(caught.value)
    assert SECRET.removeprefix("whsec_") not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_address_without_a_secret_says_how_to_make_one():
    with pytest.raises(UsageError, match="openssl rand -base64 32") as caught:
        load_settings({"WEBHOOK_URL": URL, "WEBHOOK_SECRET": " "}).need_webhook_secret()
    assert "VERYSECRET" not in str(caught.value)


def test_the_settings_show_neither():
    settings = load_settings({"WEBHOOK_URL": URL, "WEBHOOK_SECRET": SECRET})
    assert settings.webhook_url == SecretStr(URL)
    assert settings.need_webhook_secret() == SecretStr(SECRET)
    assert "VERYSECRET" not in repr(settings)
    assert SECRET not in repr(settings)
