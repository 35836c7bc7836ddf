"""The names that the collector's own metrics have on the page, which no application may take."""

from prometheus_client import CollectorRegistry

from glasshouse_exporters.prometheus.series import Kind, shown_names

_KINDS = {kind.value: kind for kind in Kind}
_SUFFIXES = {Kind.COUNTER: "_total", Kind.INFO: "_info"}


def own_names(registry: CollectorRegistry) -> set[str]:
    """Return the names of all families of a registry and of their samples."""
    names: set[str] = set()
    for family in registry.collect():
        kind = _KINDS.get(family.type, Kind.GAUGE)
        names.update(shown_names(family.name + _SUFFIXES.get(kind, ""), kind))
        names.update(sample.name for sample in family.samples)
    return names
