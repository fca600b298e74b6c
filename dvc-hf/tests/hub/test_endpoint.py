"""The address of a Hub is read in one way only; whose tokens it may get is its origin's to say."""

import pytest
from dvc_hf.hub.endpoint import parse_endpoint
from dvc_objects.fs.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "origin", "shown"),
    [
        ("https://huggingface.co", "https://huggingface.co", "https://huggingface.co"),
        (" https://HuggingFace.co:443/ ", "https://huggingface.co", "https://huggingface.co"),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("http://[::1]:80/hub/", "http://[::1]", "http://[::1]/hub"),
        ("https://bob:pa@ss@lab.org/hub", "https://lab.org", "https://lab.org/hub"),
        ("https://huggingface.co@evil.org", "https://evil.org", "https://evil.org"),
    ],
)
def test_an_address_is_read(text: str, origin: str, shown: str) -> None:
    endpoint = parse_endpoint(text, "endpointurl")
    assert (endpoint.origin, endpoint.shown) == (origin, shown)
    assert endpoint.url == text.strip().rstrip("/")
    assert "pa@ss" not in repr(endpoint)


@pytest.mark.parametrize(
    "text",
    [
        "huggingface.co",
        "ftp://huggingface.co",
        "https://",
        "https://evil.org\\@huggingface.co",
        "https://evil.org#@huggingface.co",
        "https://evil.org?@huggingface.co",
        "https://evil.org/@huggingface.co",
        "https://huggingface.co\n.evil.org",
        "https://huggingface.co\t/",
        "https://huggingface.co:port",
        "https://hügging.co",
        "https://huggingface%2eco",
        "https://bob:hunter2/@lab.org",
    ],
)
def test_what_two_clients_could_read_as_two_hosts_is_refused(text: str) -> None:
    with pytest.raises(
        ConfigError, match="endpointurl is no address of a Hub: expected https://HOST"
    ) as info:
        parse_endpoint(text, "endpointurl")
    assert "hunter2" not in str(info.value)
