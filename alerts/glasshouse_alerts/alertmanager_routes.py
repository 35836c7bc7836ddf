"""The routing tree of Alertmanager, and which alert makes which other one needless."""

from typing import Any

_SERVICE = ["project", "service_name", "deployment_environment_name"]
# Labels that are missing count as equal: without this an alert of the collector would silence all others.
_HAS_SERVICE = 'service_name=~".+"'

_TIMES = {
    # severity: wait for others of the group, wait with news of it, say it again
    "critical": ("10s", "1m", "1h"),
    "high": ("30s", "5m", "4h"),
    "medium": ("1m", "10m", "12h"),
}


def tree() -> dict[str, Any]:
    """Return the route: the collector hears of everything at once, people by severity.

    What has no severity, or one that we do not know, goes where `high` goes: rather too loud than lost.
    """
    to_collector = {
        "receiver": "collector",
        "continue": True,
        "group_by": ["alertname", "project", "service_name"],
        "group_wait": "5s",
        "group_interval": "1m",
        "repeat_interval": "12h",
    }
    by_severity = [
        {"receiver": severity, "matchers": [f'severity="{severity}"'], **_times(*_TIMES[severity])}
        for severity in _TIMES
    ]
    digest = {
        "receiver": "low",
        "matchers": ['severity="low"'],
        "group_by": ["severity"],
        **_times("10m", "12h", "24h"),
    }
    # Having matched the first, an alert would not come back to the root by itself.
    rest = {"receiver": "high"}
    return {
        "receiver": "high",
        "group_by": ["alertname", "project", "service_name"],
        **_times(*_TIMES["high"]),
        "routes": [to_collector, *by_severity, digest, rest],
    }


def _times(group_wait: str, group_interval: str, repeat_interval: str) -> dict[str, str]:
    return {"group_wait": group_wait, "group_interval": group_interval, "repeat_interval": repeat_interval}


def inhibitions() -> list[dict[str, Any]]:
    """Return the rules by which an alert silences others while it fires."""
    return [
        _silences("CollectorDown", "IngestStopped|ServiceDown", []),
        {
            "source_matchers": ['alertname="ServiceDown"', _HAS_SERVICE],
            "target_matchers": ['alertname!="ServiceDown"', _HAS_SERVICE],
            "equal": _SERVICE,
        },
        {
            "source_matchers": ['severity="critical"', _HAS_SERVICE],
            "target_matchers": ['severity=~"high|medium|low"', _HAS_SERVICE],
            "equal": _SERVICE,
        },
        _silences("VerySlowResponses", "HighLatencyP99|HighLatencyP95", _SERVICE),
        _silences("HighLatencyP99", "HighLatencyP95", _SERVICE),
        _silences("DatabaseQueryTimeout", "SlowDatabaseQueries", _SERVICE),
        _silences("MemoryNearlyExhausted", "HighMemoryUsage", [*_SERVICE, "instance"]),
        _silences("SloBurnsFast", "SloBurnsSlowly", ["project", "slo"]),
        _silences("StoreUnavailable", "ExporterFailing|DeliveryDelayed|JournalGrowing", ["instance"]),
        _silences("JournalNearlyFull", "JournalGrowing|DeliveryDelayed", ["instance"]),
        _silences("CardinalityOverflow", "SeriesNearLimit", ["instance"]),
        _silences("CertificateExpiresNow", "CertificateExpiresSoon", ["instance", "file"]),
    ]


def _silences(source: str, targets: str, equal: list[str]) -> dict[str, Any]:
    rule = {"source_matchers": [f'alertname="{source}"'], "target_matchers": [f'alertname=~"{targets}"']}
    return {**rule, **({"equal": equal} if equal else {})}
