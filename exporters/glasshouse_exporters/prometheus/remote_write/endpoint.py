"""The server that takes remote write: one request at a time, and what its answer means."""

import math
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlsplit

import cramjam
import urllib3

from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_exporters.prometheus.remote_write.config import RemoteWriteConfig

_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_MULTIPLE_CHOICES = 300
_OK = 200
_LONGEST_REASON = 200


class Refused(Exception):
    """The server will never take this request; says why."""


class Unreachable(Exception):
    """The server did not take the request now; `retry_after` is how many seconds it asks to wait."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Endpoint:
    """Sends requests, with what shows that it may."""

    def __init__(self, config: RemoteWriteConfig) -> None:
        self._config = config
        self._named = urlsplit(config.url)._replace(query="").geturl()  # a query may hold a token
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(total=config.timeout_seconds),
            retries=False,
            ca_certs=None if config.ca_file is None else str(config.ca_file),
        )

    def check(self) -> None:
        """Raise `ConfigurationError` for a file that is named and cannot be read."""
        self._authorization()
        if self._config.ca_file is not None:
            _text_of(self._config.ca_file, "ca_file")

    def send(self, request: bytes) -> None:
        """Send a request; return once it is taken. Raises `Refused`, `Unreachable`."""
        try:
            answer = self._http.request(
                "POST",
                self._config.url,
                body=bytes(cramjam.snappy.compress_raw(request)),
                headers=self._headers(),
                redirect=False,
            )
        except ConfigurationError as unreadable:
            raise Unreachable(str(unreadable)) from None
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self._named}: {error}") from None
        if _OK <= answer.status < _MULTIPLE_CHOICES:
            return
        said = answer.data.decode(errors="replace").strip().replace("\n", " ")[:_LONGEST_REASON]
        reason = f"{self._named} answered {answer.status} {said}".strip()
        if answer.status == _TOO_MANY_REQUESTS or answer.status >= _SERVER_ERROR:
            raise Unreachable(reason, _seconds(answer.headers.get("Retry-After", "")))
        raise Refused(reason)

    def _headers(self) -> dict[str, str]:
        headers = {name: value.get_secret_value() for name, value in self._config.headers.items()}
        headers |= {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "User-Agent": "glasshouse",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        authorization = self._authorization()
        return headers if authorization is None else headers | {"Authorization": authorization}

    def _authorization(self) -> str | None:
        """Return the header's value; files are read each time, so that a new secret needs no restart."""
        if self._config.bearer_token_file is not None:
            return f"Bearer {_text_of(self._config.bearer_token_file, 'bearer_token_file')}"
        basic = self._config.basic_auth
        if basic is None:
            return None
        if basic.password_file is not None:
            password = _text_of(basic.password_file, "basic_auth.password_file")
        else:
            password = basic.password.get_secret_value() if basic.password is not None else ""
        return "Basic " + b64encode(f"{basic.username}:{password}".encode()).decode()


def _text_of(path: Path, field: str) -> str:
    """Return a file's text without the white space around it."""
    setting = f"exporters.prometheus.remote_write.{field}"
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(
            f"{setting}: {path} cannot be read ({reason}); name a readable file"
        ) from None
    if not text:
        raise ConfigurationError(f"{setting}: {path} is empty; put the secret in it")
    return text


def _seconds(text: str) -> float:
    """Return a Retry-After in seconds; a date is taken as none, waits grow by themselves."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
