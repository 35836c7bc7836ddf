"""The extension `certificates`: when files' certificates end, whatever the files are."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from glasshouse_alerts.certificates import (
    AGAIN_SECONDS,
    CertificatesExtension,
    earliest_expiry,
)
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.pem import MOST_BYTES, Unreadable
from glasshouse_collector.core.registry import build, configure

NEAR = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
FAR = datetime(2041, 2, 3, 4, 5, 6, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
KEY_PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
PATIENCE = 30.0


def certificate(end: datetime) -> bytes:
    """Return a self-signed certificate in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "collector.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=3650))
        .not_valid_after(end)
        .sign(KEY, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


class Watched:
    """The extension, watching files."""

    def __init__(self, *files: Path) -> None:
        self.services = Services()
        self.metrics = Metrics()
        self.services.provide(Metrics, self.metrics)
        written = {"files": [str(file) for file in files], "interval_seconds": 0.1}
        self.extension: CertificatesExtension = build("extensions", "certificates", written, self.services)

    def shown(self, file: Path) -> float | None:
        """Return what the page says of a file."""
        name = "glasshouse_certificate_expiry_timestamp_seconds"
        return self.metrics.registry.get_sample_value(name, {"file": str(file)})

    async def shows(self, file: Path, expected: float) -> None:
        """Wait until the page says so."""
        async with asyncio.timeout(PATIENCE):
            while self.shown(file) != expected:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(*files: Path) -> AsyncIterator[Watched]:
    """Watch files for a while."""
    watched = Watched(*files)
    await watched.extension.start(watched.services)
    try:
        yield watched
    finally:
        await watched.extension.stop()


@pytest.mark.parametrize("order", [(NEAR, FAR), (FAR, NEAR)], ids=["first", "last"])
def test_the_first_of_a_chain_to_end_counts(tmp_path: Path, order: tuple[datetime, datetime]) -> None:
    """Wherever in the file it stands, and whatever key lies beside it."""
    file = tmp_path / "chain.pem"
    file.write_bytes(KEY_PEM + b"\n".join(map(certificate, order)))
    assert earliest_expiry(file) == NEAR.timestamp()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """Written over, replaced, or pointed elsewhere, as container platforms do with secrets."""
    written, linked = tmp_path / "written.pem", tmp_path / "linked.pem"
    near, far = tmp_path / "near.pem", tmp_path / "far.pem"
    near.write_bytes(certificate(NEAR))
    far.write_bytes(certificate(FAR))
    written.write_bytes(certificate(NEAR))
    linked.symlink_to(near)

    async def scenario() -> None:
        async with watching(written, linked) as watched:
            await watched.shows(written, NEAR.timestamp())
            await watched.shows(linked, NEAR.timestamp())
            written.write_bytes(certificate(FAR))
            (tmp_path / "new").symlink_to(far)
            (tmp_path / "new").replace(linked)
            await watched.shows(written, FAR.timestamp())
            await watched.shows(linked, FAR.timestamp())

    asyncio.run(scenario())


def test_a_file_is_read_again_after_an_hour(tmp_path: Path) -> None:
    """Also where the file system did not say that it changed."""
    file = tmp_path / "quiet.pem"
    file.write_bytes(certificate(NEAR))
    watched = Watched(file)
    (only,) = watched.extension._watched
    only.look(0.0)
    assert watched.shown(file) == NEAR.timestamp()
    watched.metrics.certificate_expiry.labels(str(file)).set(1)  # what a new reading would replace
    only.look(AGAIN_SECONDS - 1)
    assert watched.shown(file) == 1
    only.look(AGAIN_SECONDS)
    assert watched.shown(file) == NEAR.timestamp()


def test_what_cannot_be_read_is_zero_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An alert on what ends soon sees it; the log says why, and when it is over."""
    file = tmp_path / "late.pem"
    caplog.set_level(logging.INFO)

    def said() -> list[str]:
        return [each.getMessage() for each in caplog.records if each.name == "glasshouse_alerts.certificates"]

    async def scenario() -> None:
        watched = Watched(file)
        (only,) = watched.extension._watched
        for now in range(3):
            only.look(now)
        assert watched.shown(file) == 0
        assert said() == [f"certificates.files: {file}: it cannot be read: No such file or directory"]
        await watched.extension.start(watched.services)
        file.write_bytes(b"nothing yet")
        async with asyncio.timeout(PATIENCE):
            while len(said()) < 2:
                await asyncio.sleep(0.01)
        assert "a certificate is missing; PEM is expected" in said()[1]
        file.write_bytes(certificate(NEAR))
        await watched.shows(file, NEAR.timestamp())
        await watched.extension.stop()
        assert said()[2:] == [f"certificates.files: {file} can be read again"]

    asyncio.run(scenario())


def _pipe(path: Path) -> None:
    os.mkfifo(path)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "a certificate is missing"),
    "binary": (lambda path: path.write_bytes(bytes(range(256)) * 100), "a certificate is missing"),
    "der": (
        lambda path: path.write_bytes(
            x509.load_pem_x509_certificate(certificate(NEAR)).public_bytes(serialization.Encoding.DER)
        ),
        "a certificate is missing; PEM is expected",
    ),
    "key alone": (lambda path: path.write_bytes(KEY_PEM), "a certificate is missing"),
    "cut off": (lambda path: path.write_bytes(certificate(NEAR)[:300]), "a certificate is damaged"),
    "one of two damaged": (
        lambda path: path.write_bytes(
            certificate(FAR) + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        ),
        "a certificate is damaged",
    ),
    "huge": (
        lambda path: path.write_bytes(certificate(NEAR) * (MOST_BYTES // 100)),
        f"it has more than {MOST_BYTES} bytes",
    ),
    "endless": (lambda path: path.symlink_to("/dev/zero"), "it is no file"),
    "pipe": (_pipe, "it is no file"),
    "folder": (lambda path: path.mkdir(), "it cannot be read: Is a directory"),
    "loop": (lambda path: path.symlink_to(path), "it cannot be read: Too many levels"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_of_any_other_kind_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    """It costs one reading of a bounded size, and never waits."""
    make, reason = HOSTILE[name]
    file = tmp_path / "file.pem"
    make(file)
    with pytest.raises(Unreadable, match=reason):
        earliest_expiry(file)


def test_a_name_no_file_can_have_is_refused() -> None:
    """What a configuration file may hold, the system may not take."""
    with pytest.raises(Unreadable, match="it cannot be read"):
        earliest_expiry(Path("a\0b"))


def test_nothing_is_watched_unless_it_is_said() -> None:
    """The default has no files, no task and no series."""

    async def scenario() -> None:
        async with watching() as watched:
            assert watched.extension._watching is None
            assert not next(iter(watched.metrics.certificate_expiry.collect())).samples

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"files": "cert.pem"}, r"extensions\.certificates\.files: Input should be a valid tuple"),
        ({"files": [7]}, r"extensions\.certificates\.files\.0: Input is not a valid path"),
        ({"interval_seconds": 0}, r"extensions\.certificates\.interval_seconds: .* greater than or equal"),
    ],
    ids=["one string", "a number", "no pause"],
)
def test_a_wrong_setting_is_named(written: dict[str, object], message: str) -> None:
    """The field, what was wrong, what would be right."""
    with pytest.raises(ConfigurationError, match=message):
        configure("extensions", "certificates", written)
