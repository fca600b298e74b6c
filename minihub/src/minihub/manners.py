"""What the real Hub does and a small one need not: off unless asked for, for trying clients on it."""

from dataclasses import dataclass

STORE_LIFE_S = 3600  # how long the real Hub's signed addresses are good for


@dataclass
class Manners:
    """Habits of the real Hub, as recordings and public reports show them.

    Attributes:
        redirects: small public files lead to a cache by 307, large ones to a store on another host by 302,
            with an address that is signed, and refuses whoever sends a token too.
        store_life_s: seconds that such an address is good for.
        lag_s: seconds after a commit during which its branch may be read as it was before; the commit itself
            is there at once. Git keeps whole seconds, and so does this.
    """

    redirects: bool = False
    store_life_s: float = STORE_LIFE_S
    lag_s: float = 0.0


def another_host(endpoint: str) -> str:
    """The same server under another name, if it has one: to a client that is another host."""
    names = ("127.0.0.1", "localhost")
    for name, other in (names, names[::-1]):
        if f"//{name}:" in endpoint or endpoint.endswith(f"//{name}"):
            return endpoint.replace(name, other, 1)
    return endpoint
