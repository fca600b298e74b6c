"""What the Hub answers when it refuses: a status, a code that clients read, and a message."""


class HubError(Exception):
    """A request that the Hub refuses.

    Attributes:
        status: the HTTP status.
        code: the value of `X-Error-Code`, by which clients choose their exception; empty for none.
        message: what failed, on which thing, and what to do next.
        headers: further response headers.
    """

    status = 400
    code = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = self.status if status is None else status
        self.code = self.code if code is None else code
        self.headers = headers or {}


class BadRequestError(HubError):
    """The request itself is wrong."""

    status = 400


class UnauthorizedError(HubError):
    """Nobody knows who asks."""

    status = 401


class ForbiddenError(HubError):
    """Who asks may not do this."""

    status = 403


class ConflictError(HubError):
    """The thing exists already, or is in a state that forbids this."""

    status = 409


class TooManyRequestsError(HubError):
    """More requests than a window has room for; the real Hub answers with a page, not with JSON."""

    status = 429


class StaleParentError(HubError):
    """The branch moved on since the client looked at it."""

    status = 412


class StorageFullError(HubError):
    """There is no room for what was sent."""

    status = 507

    def __init__(self) -> None:
        super().__init__(
            "The Hub could not store this: its disk is full, and nothing was changed. Free some space there "
            "(`minihub gc` removes what nothing refers to), then send it again."
        )


class TooLargeError(HubError):
    """The request is larger than this Hub reads."""

    status = 413


class UnprocessableError(HubError):
    """The request is well formed, and cannot be carried out."""

    status = 422


class RepoNotFoundError(HubError):
    """There is no such repository, or the one who asks may not know of it."""

    status = 404
    code = "RepoNotFound"


class RevisionNotFoundError(HubError):
    """The repository has no such branch, tag or commit."""

    status = 404
    code = "RevisionNotFound"


class EntryNotFoundError(HubError):
    """The revision has no such file or folder."""

    status = 404
    code = "EntryNotFound"


class GatedRepoError(HubError):
    """The repository's files are for those who were granted access."""

    status = 403
    code = "GatedRepo"
