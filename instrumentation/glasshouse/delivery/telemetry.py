"""What delivery tells about itself, as metrics."""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Observation, get_meter

from glasshouse.delivery.outbox import Outbox

_OUTCOMES = ("sent", "spooled", "replayed", "dropped", "refused")
_observed = False


def observe(outbox: Callable[[], Outbox | None]) -> None:
    """Register the metrics, once in a process: they follow the outbox that is in force."""
    global _observed  # noqa: PLW0603 - the SDK warns of instruments made twice
    if _observed:
        return
    _observed = True
    meter = get_meter("glasshouse.delivery")

    def batches(_options: CallbackOptions) -> Iterable[Observation]:
        current = outbox()
        if current is not None:
            counts = current.counts
            for outcome in _OUTCOMES:
                yield Observation(getattr(counts, outcome), {"outcome": outcome})

    def rejected(_options: CallbackOptions) -> Iterable[Observation]:
        current = outbox()
        if current is not None:
            yield Observation(current.counts.rejected)

    def waiting(_options: CallbackOptions) -> Iterable[Observation]:
        current = outbox()
        if current is not None:
            for where, size in zip(("memory", "disk"), current.waiting_bytes(), strict=True):
                yield Observation(size, {"where": where})

    meter.create_observable_counter(
        "glasshouse.delivery.batches", [batches], "{batch}", "Export requests, by what became of them"
    )
    meter.create_observable_counter(
        "glasshouse.delivery.rejected", [rejected], "{record}", "Records left out of batches that were taken"
    )
    meter.create_observable_up_down_counter(
        "glasshouse.delivery.waiting", [waiting], "By", "Export requests not delivered yet"
    )
