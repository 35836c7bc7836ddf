"""What applications import: one package over the OpenTelemetry SDK."""

from glasshouse._version import __version__

__all__ = ["__version__"]
