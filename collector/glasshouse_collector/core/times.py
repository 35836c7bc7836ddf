"""Times as they are told: RFC 3339 in UTC."""

from datetime import UTC, datetime, timedelta


def rfc3339(unix_nano: int) -> str:
    """Return a time in UTC to the nanosecond."""
    seconds, nanos = divmod(unix_nano, 10**9)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
