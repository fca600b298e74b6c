"""Times as the Hub writes them."""

from datetime import UTC, datetime

END_OF_CALENDAR = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


def now() -> str:
    """This moment."""
    return stamp(datetime.now(UTC).timestamp())


def stamp(seconds: float) -> str:
    """Seconds since 1970 in the Hub's form, in UTC, to the millisecond; at most the calendar's end."""
    moment = datetime.fromtimestamp(min(max(seconds, 0), END_OF_CALENDAR), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
