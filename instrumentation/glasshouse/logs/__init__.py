"""Logs: structured loggers, console and file, and the export of what is logged, each record once."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glasshouse.logs.installation import Installed
    from glasshouse.logs.logger import Logger
    from glasshouse.settings import Settings

__all__ = ["Logger", "get_logger", "install"]


def get_logger(name: str | None = None, /, **fields: Any) -> "Logger":
    """Return a structured logger of this name, as `get_logger(__name__)`; `fields` go with all it logs.

    It logs through the `logging` logger of the same name: its level, filters and handlers apply.
    """
    from glasshouse.logs.logger import Logger, named  # noqa: F401, PLC0415 - structlog is slow to import

    return named(name, fields)


def install(settings: "Settings") -> "Installed":
    """Start to export and show what is logged, as the settings say; return what ends that.

    SettingsError where the log file cannot be written.
    """
    from glasshouse.logs.installation import install as install_logs  # noqa: PLC0415 - it loads the SDK

    return install_logs(settings)


def __getattr__(name: str) -> Any:
    if name == "Logger":
        from glasshouse.logs.logger import Logger  # noqa: PLC0415 - structlog is slow to import

        return Logger
    raise AttributeError(f"module 'glasshouse.logs' has no attribute {name!r}")
