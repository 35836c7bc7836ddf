"""Names as Prometheus has them, for metrics, attributes and resources of OpenTelemetry.

A metric's name is cut into words at all that is no letter, digit or colon. Then come the words of its unit,
`ratio` for a gauge of unit 1, and `total` for a counter; none of them twice.
Sources: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility"; UCUM, as in the semantic
conventions; and where they leave a choice, what Prometheus' own translator of OTLP does.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from glasshouse_exporters.prometheus.labels import label_name
from glasshouse_exporters.prometheus.series import Kind

_UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "kBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
_PER_UNITS = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}

_NO_WORD = re.compile(r"[^a-zA-Z0-9:]+")
_SERVICE = frozenset({"service.name", "service.namespace", "service.instance.id"})


@lru_cache(maxsize=4096)
def metric_name(name: str, unit: str, kind: Kind) -> str:
    """Return the name of a metric's family; the empty text where no letter or digit is left of the name."""
    words = [word for word in _NO_WORD.split(name) if word]
    if not words:
        return ""
    words += [word for word in unit_words(unit) if word not in words]
    if kind is Kind.COUNTER:
        words = [word for word in words if word != "total"] + ["total"]
    if kind is Kind.GAUGE and unit == "1":
        words = [word for word in words if word != "ratio"] + ["ratio"]
    joined = "_".join(words)
    return f"_{joined}" if joined[0].isdigit() else joined


def unit_words(unit: str) -> list[str]:
    """Return what a unit adds to a name: `By/s` gives `bytes` and `per_second`; annotations give nothing."""
    main, _, per = unit.partition("/")
    return [word for word in (_unit(main, _UNITS, ""), _unit(per, _PER_UNITS, "per_")) if word]


def _unit(text: str, words: Mapping[str, str], before: str) -> str:
    text = text.strip()
    if not text or "{" in text or "}" in text:
        return ""
    word = _NO_WORD.sub("_", words.get(text, text)).strip("_")
    return before + word if word else ""


def attribute_labels(attributes: Iterable[tuple[str, str]], taken: Collection[str]) -> list[tuple[str, str]]:
    """Return attributes as labels, in the order of their names.

    Values whose keys become the same label are joined by `;` in the order of the keys. A label that is
    `taken` by what identifies a series is called `exported_…`, as Prometheus does.
    """
    labels: dict[str, str] = {}
    for key, value in sorted(attributes):
        name = label_name(key)
        while name in taken:
            name = f"exported_{name}"
        labels[name] = f"{labels[name]};{value}" if name in labels else value
    return sorted(labels.items())


def job(resource: Mapping[str, str]) -> str:
    """Return what Prometheus calls the job: `service.namespace/service.name`; empty without a name."""
    name, namespace = resource.get("service.name", ""), resource.get("service.namespace", "")
    return f"{namespace}/{name}" if name and namespace else name


def instance(resource: Mapping[str, str]) -> str:
    """Return what Prometheus calls the instance, if the resource says one."""
    return resource.get("service.instance.id", "")


def describing(resource: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the attributes of a resource that are neither in `job` nor in `instance`."""
    return [(key, value) for key, value in resource.items() if key not in _SERVICE]
