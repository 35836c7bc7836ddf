"""The noun of what is found: kept by `control.incidents`, hence written down in the core."""

from glasshouse_collector.core.incidents import (
    INSIGHTS_SERVICE,
    Incident,
    IncidentStatus,
    PastIncident,
    Severity,
)

__all__ = ["INSIGHTS_SERVICE", "Incident", "IncidentStatus", "PastIncident", "Severity"]
