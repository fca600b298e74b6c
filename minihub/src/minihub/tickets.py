"""Access tokens of the Xet store: signed, short-lived, for one repository and the token that asked."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from minihub.errors import UnauthorizedError

LIFE_S = 3600


@dataclass(frozen=True)
class Ticket:
    """What its bearer may do."""

    repo: int
    token: str  # which token of an account, without its secret; empty for nobody's
    write: bool
    expires_at: int

    def sign(self, key: bytes) -> str:
        """As text that only this Hub can have made."""
        facts = json.dumps([self.repo, self.token, self.write, self.expires_at]).encode()
        return _text(facts) + "." + _text(_mac(key, facts))


def issue_ticket(repo: int, token: str, *, write: bool) -> Ticket:
    """A ticket that holds from now on for a while."""
    return Ticket(repo, token, write, int(time.time()) + LIFE_S)


def read_ticket(key: bytes, text: str) -> Ticket:
    """The ticket that a request carries."""
    facts_text, _, mac_text = text.partition(".")
    try:
        facts, mac = _bytes(facts_text), _bytes(mac_text)
    except ValueError as error:
        raise _refused() from error
    if not hmac.compare_digest(mac, _mac(key, facts)):
        raise _refused()
    ticket = Ticket(*json.loads(facts))
    if ticket.expires_at < time.time():
        raise _refused()
    return ticket


def _refused() -> UnauthorizedError:
    return UnauthorizedError("The Xet access token is not valid, or no longer. Ask the Hub for a new one.")


def _mac(key: bytes, facts: bytes) -> bytes:
    return hmac.new(key, b"ticket of a token\n" + facts, hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
