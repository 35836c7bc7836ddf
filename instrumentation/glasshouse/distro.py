"""Glasshouse as an OpenTelemetry distribution: what `glasshouse run` and `opentelemetry-instrument` load."""

import logging
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from opentelemetry.sdk._configuration import _BaseConfigurator

from glasshouse import configuration, instrumentors
from glasshouse.settings import SettingsError

log = logging.getLogger("glasshouse")


class GlasshouseDistro(BaseDistro):  # type: ignore[misc]
    """Loads instrumentations one by one, so that one which fails leaves the others."""

    def _configure(self, **_options: Any) -> None:
        """Do nothing: the configurator does all."""

    def load_instrumentor(self, entry_point: Any, **options: Any) -> None:
        """Load one instrumentation; called by OpenTelemetry for each that is installed."""
        if configuration.instruments():
            instrumentors.load(entry_point, **options)


class GlasshouseConfigurator(_BaseConfigurator):
    """Does all that `glasshouse.configure` does, from the variables."""

    def _configure(self, *, auto_instrumentation_version: str = "", **_options: Any) -> None:
        try:
            configuration.configure_automatically(auto_instrumentation_version)
        except SettingsError as wrong:
            # The application runs on, as it would without us.
            log.error("glasshouse sends nothing: %s", wrong)  # noqa: TRY400 - a user's mistake, no traceback
