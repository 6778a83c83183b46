"""What the environment says of proxies and certificates: an error before any request, where it is invalid."""

from __future__ import annotations

import sys

import pytest
from wording import refused

from toyadmos_datasets.archives.remote.fetch_options import RetryPolicy
from toyadmos_datasets.archives.remote.http_request import HttpClient
from toyadmos_datasets.errors import OptionError


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize("value", ["foo://user:canary@host", "http://user:canary@host:port"])
def test_a_proxy_that_cannot_be_one_is_an_error_that_names_the_variable_and_no_password(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with refused(OptionError) as caught:
        HttpClient(RetryPolicy())

    assert caught.value.where == name
    assert "http://host:port" in caught.value.expected
    assert "canary" not in str(caught.value)


def test_a_socks_proxy_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "socksio", None)

    with refused(OptionError, "pip install socksio"):
        HttpClient(RetryPolicy())


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_invalid_file_of_certificates_is_an_error_that_names_it(monkeypatch, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    with refused(OptionError) as caught:
        HttpClient(RetryPolicy())

    assert caught.value.where == f"SSL_CERT_FILE={path}"
