"""The extension `alerts`: takes what Alertmanager tells, keeps it, and lists it."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from glasshouse_alerts.alert_routes import alert_routes
from glasshouse_alerts.webhook_access import AlertAccess, token_from
from glasshouse_collector.core.components import ComponentConfig, Services


class AlertsConfig(ComponentConfig):
    """What a user may set of the webhook."""

    webhook_token: SecretStr | None = Field(None, min_length=8)
    """Opens the webhook alone, sent as `Authorization: Bearer <token>`, beside the collector's own keys."""
    webhook_token_file: Path | None = None
    """The same from a file, such as a container's secret; read at start."""
    trace_links: int = Field(5, ge=0, le=50)
    """Traces that an alert is kept with."""

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.webhook_token is not None and self.webhook_token_file is not None:
            raise ValueError("webhook_token and webhook_token_file are both set; one is expected")
        return self


class AlertsExtension:
    """Routes for alerts. Keeps nothing in memory: what the webhook answered with success, the store has."""

    Config: ClassVar[type[ComponentConfig]] = AlertsConfig

    def __init__(self, config: AlertsConfig, services: Services) -> None:
        self._config = config
        self._access = AlertAccess(services)
        self.routes = alert_routes(services, self._access, config.trace_links)

    async def start(self, services: Services) -> None:
        """Read the token; `ConfigurationError` where its file cannot be read."""
        del services
        self._access.token = token_from(self._config.webhook_token, self._config.webhook_token_file)

    async def stop(self) -> None:
        """Nothing to finish: requests belong to the API, the store to the service."""
