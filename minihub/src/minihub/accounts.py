"""Users, organisations and tokens: who asks, and what they may do."""

import hashlib
import hmac
import json
import secrets
import string
from dataclasses import dataclass, field, replace
from sqlite3 import Row

from minihub.clock import now
from minihub.errors import BadRequestError, ConflictError, UnauthorizedError
from minihub.names import new_name
from minihub.storage.database import Database

TOKEN_PREFIX = "hf_"  # noqa: S105 - by which scanners know a token, not a token
SELECTOR_LENGTH = 10  # characters that find the row
SECRET_LENGTH = 24  # characters that are hashed; 62^24 is more than 2^140
ROLES = ("read", "write", "fineGrained")
PERMISSIONS = {"read", "write"}  # of a fine-grained token, for one repository or all of a namespace
SCRYPT = {"n": 2**12, "r": 8, "p": 1}  # the secret is random, so this need not slow a guesser down much

_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Viewer:
    """Who asks. Nobody in particular when `name` is empty."""

    name: str = ""
    role: str = ""
    token: str = ""  # which token, without its secret
    token_name: str = ""
    orgs: dict[str, str] = field(default_factory=dict)  # organisation (lower case) -> role in it
    scopes: dict[str, list[str]] = field(default_factory=dict)  # namespace or repository -> permissions

    def belongs_to(self, namespace: str) -> bool:
        """Whether the namespace is the viewer's own or of an organisation of theirs."""
        return bool(self.name) and (namespace.lower() == self.name.lower() or namespace.lower() in self.orgs)

    def may_read(self, namespace: str, repo_id: str) -> bool:
        """Whether the viewer sees what is private in a repository."""
        return self.belongs_to(namespace) and self.reaches(namespace, repo_id)

    def may_write(self, namespace: str, repo_id: str) -> bool:
        """Whether the viewer changes a repository."""
        if not self.belongs_to(namespace) or self.orgs.get(namespace.lower()) == "read":
            return False
        return self.may_propose(namespace, repo_id)

    def may_propose(self, namespace: str, repo_id: str) -> bool:
        """Whether the viewer's token writes, so that they may propose changes to what they may read."""
        if self.role == "fineGrained":
            return "write" in self._granted(namespace, repo_id)
        return self.role == "write"

    def reaches(self, namespace: str, repo_id: str) -> bool:
        """Whether the token is meant for a repository: a fine-grained one is for those that it names."""
        return self.role != "fineGrained" or bool(self._granted(namespace, repo_id))

    @property
    def sender(self) -> str:
        """Whose uploads these are: a fine-grained token has no part in what the user's other tokens sent."""
        return f"{self.name}:{self.token}" if self.role == "fineGrained" else self.name

    def _granted(self, namespace: str, repo_id: str) -> set[str]:
        scopes = {key.lower(): permissions for key, permissions in self.scopes.items()}
        return {*scopes.get(namespace.lower(), ()), *scopes.get(repo_id.lower(), ())}


ANYONE = Viewer()


class Accounts:
    """The accounts of one Hub."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._proved: dict[bytes, bytes] = {}  # sha256 of a token -> the hash it was found equal to

    def add_user(self, name: str, *, fullname: str = "", email: str = "") -> None:
        """Make a user."""
        self._add("user", name, fullname, email, private_by_default=False)

    def add_org(self, name: str, *, private_by_default: bool = False) -> None:
        """Make an organisation."""
        self._add("org", name, "", "", private_by_default=private_by_default)

    def rename_in_full(self, name: str, fullname: str) -> None:
        """Change the name that people read."""
        self._db.write("UPDATE accounts SET fullname = ? WHERE name = ?", fullname, name)

    def add_member(self, org: str, user: str, *, role: str = "write") -> None:
        """Let a user act for an organisation; role is read, write or admin."""
        if not self.exists(user):
            message = (
                f"{org} got no member: there is no user {user!r}. Make it with `minihub user add {user}`."
            )
            raise BadRequestError(message)
        self._db.write("INSERT OR REPLACE INTO members (org, user, role) VALUES (?, ?, ?)", org, user, role)

    def add_token(
        self, user: str, *, role: str = "write", name: str = "", scopes: dict[str, list[str]] | None = None
    ) -> str:
        """Make a token and return it; only its hash is kept.

        Args:
            user: whose token it is.
            role: `read`, `write` or `fineGrained`.
            name: what it is for.
            scopes: of a fine-grained token: namespace or `namespace/name` -> permissions, `read` or `write`.
        """
        if role not in ROLES:
            message = f"A token for {user} cannot have the role {role!r}: expected one of {', '.join(ROLES)}."
            raise BadRequestError(message)
        _require_permissions(scopes or {})
        if not self.exists(user):
            message = f"No token was made: there is no user {user!r}. Make it with `minihub user add {user}`."
            raise BadRequestError(message)
        selector, secret = _random(SELECTOR_LENGTH), _random(SECRET_LENGTH)
        salt = secrets.token_bytes(16)
        self._db.write(
            "INSERT INTO tokens (selector, user, name, role, scopes, salt, hash, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(selector, user, name or role, role, json.dumps(scopes or {})),
            *(salt, _hash(secret, salt), now()),
        )
        return f"{TOKEN_PREFIX}{selector}{secret}"

    def viewer(self, token: str) -> Viewer:
        """Whose token this is."""
        body = token.removeprefix(TOKEN_PREFIX)
        row = self._token(body[:SELECTOR_LENGTH])
        if not self._proves(token, body[SELECTOR_LENGTH:], row["salt"], row["hash"]):
            raise _unknown()
        return self._holder(row)

    def bearer(self, selector: str) -> Viewer:
        """Who holds the token that a ticket was issued for, with what it may do now; empty is nobody's."""
        return self._holder(self._token(selector)) if selector else ANYONE

    def _token(self, selector: str) -> Row:
        row = self._db.row("SELECT * FROM tokens WHERE selector = ?", selector)
        if row is None:
            raise _unknown()
        return row

    def _holder(self, row: Row) -> Viewer:
        return replace(
            self.member(row["user"]),
            role=row["role"],
            token=row["selector"],
            token_name=row["name"],
            scopes=json.loads(row["scopes"]),
        )

    def member(self, user: str) -> Viewer:
        """A user and the organisations they act for, whatever token they hold."""
        rows = self._db.rows("SELECT org, role FROM members WHERE user = ?", user)
        return Viewer(name=user, orgs={row["org"].lower(): row["role"] for row in rows})

    def exists(self, name: str) -> bool:
        """Whether a user or an organisation has this name."""
        return self._db.row("SELECT 1 FROM accounts WHERE name = ?", name) is not None

    def describe(self, name: str) -> dict[str, object]:
        """An account's public facts."""
        row = self._db.row("SELECT * FROM accounts WHERE name = ?", name)
        if row is None:
            return {}
        return {
            "type": row["kind"],
            "id": row["name"],
            "name": row["name"],
            "fullname": row["fullname"] or row["name"],
            "email": row["email"],
            "isPro": False,
            "avatarUrl": "",
            "createdAt": row["created_at"],
        }

    def orgs(self, user: str) -> list[dict[str, object]]:
        """The organisations of a user, as whoami names them."""
        rows = self._db.rows("SELECT org, role FROM members WHERE user = ? ORDER BY org", user)
        return [{**self.describe(row["org"]), "roleInOrg": row["role"]} for row in rows]

    def is_private_by_default(self, name: str) -> bool:
        """Whether new repositories of this account are private unless said otherwise."""
        row = self._db.row("SELECT private_by_default FROM accounts WHERE name = ?", name)
        return bool(row and row["private_by_default"])

    def _add(self, kind: str, name: str, fullname: str, email: str, *, private_by_default: bool) -> None:
        new_name(name, "An account")
        added = self._db.write(
            "INSERT OR IGNORE INTO accounts (name, kind, fullname, email, private_by_default, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(name, kind, fullname, email or f"{name}@minihub.invalid", private_by_default, now()),
        )
        if not added:
            message = f"The {kind} {name} was not made: an account of that name exists. Choose another name."
            raise ConflictError(message)

    def _proves(self, token: str, secret: str, salt: bytes, stored: bytes) -> bool:
        key = hashlib.sha256(token.encode()).digest()
        if hmac.compare_digest(self._proved.get(key, b""), stored):
            return True
        if not hmac.compare_digest(_hash(secret, salt), stored):
            return False
        self._proved[key] = stored
        return True


def _require_permissions(scopes: dict[str, list[str]]) -> None:
    for place, permissions in scopes.items():
        if not isinstance(permissions, list) or not PERMISSIONS.issuperset(permissions):
            known = ", ".join(sorted(PERMISSIONS))
            message = (
                f"No token was made: its scope {place!r} is {permissions!r}, expected a list of {known}."
            )
            raise BadRequestError(message)


def _unknown() -> UnauthorizedError:
    return UnauthorizedError("Invalid credentials in Authorization header")


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, **SCRYPT)
