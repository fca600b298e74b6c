"""The address of a Hub: read strictly, because two clients that read it differently ask two hosts."""

import re
from dataclasses import dataclass, field

from dvc_objects.fs.errors import ConfigError

from dvc_hf import masks

FORM = "https://HOST[:PORT][/PATH]"
_PORTS = {"http": 80, "https": 443}
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?:(?P<user>[!-~]*)@)?(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^@\\?#\s]*)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Endpoint:
    """A Hub's address, and whose tokens may go there: scheme, host and port decide."""

    url: str = field(repr=False)  # a password may be in it
    origin: str
    shown: str

    @property
    def upgraded(self) -> str:
        """The same host over TLS, where a plain address is led to."""
        return self.origin.replace("http://", "https://", 1)


def parse_endpoint(text: str, named: str) -> Endpoint:
    """Read an address.

    Args:
        text: what somebody wrote.
        named: the option or variable that it stands in, for the message.

    Raises:
        ConfigError: it is no address of a Hub, or two clients could read it as two hosts.
    """
    url = text.strip().rstrip("/")
    found = _ADDRESS.fullmatch(url)
    user = (found and found["user"]) or ""
    if found is None or any(letter in user for letter in "/\\?#"):
        seen = "an address with a password" if "@" in url else repr(url[:100])
        message = (
            f"{named} is no address of a Hub: expected {FORM}, got {seen}. Correct it, then run it again."
        )
        raise ConfigError(message)
    masks.remember_secret(user.partition(":")[2])
    origin = origin_of(found["scheme"], found["host"], int(found["port"] or 0))
    return Endpoint(url, origin, origin + (found["path"] or ""))


def origin_of(scheme: str, host: str, port: int | None) -> str:
    """Scheme, host and port in one spelling; the scheme's own port is left out."""
    scheme, host = scheme.lower(), host.lower()
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{name}" + (f":{port}" if port and port != _PORTS.get(scheme) else "")
