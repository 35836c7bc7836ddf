"""Rankings beside each other: ours, simple ones on the same input, published figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from insights.scoring import Accuracy, Bucket, Placing, calibration_error
from insights.simple import PUBLISHED

_OURS = "Glasshouse"


def comparison(ours: Sequence[Placing], simple: Mapping[str, Sequence[Placing]]) -> str:
    """Return the table of who names the service, in percent of the cases."""
    lines = [
        f"| who names the service, {len(ours)} cases | top-1 | top-3 | top-5 | Avg@5 |",
        "|---|---|---|---|---|",
        _row(_OURS, Accuracy.of(ours)),
    ]
    lines += [_row(name, Accuracy.of(placed)) for name, placed in simple.items()]
    for paper in PUBLISHED:
        top3 = "-" if paper.top3 is None else f"{paper.top3:.1f}"
        lines.append(f"| {paper.name}, published, of the whole 45 | {paper.top1:.1f} | {top3} | - | - |")
    return "\n".join(lines) + "\n"


def by_kind(rows: Mapping[str, Sequence[tuple[Placing, bool]]]) -> str:
    """Return the table of each kind of fault: the service, and whether service and kind are right."""
    lines = [
        "| kind of fault | cases | service top-1 | top-3 | top-5 | Avg@5 | service and kind top-1 |",
        "|---|---|---|---|---|---|---|",
    ]
    everything = [each for rows_of in rows.values() for each in rows_of]
    for kind, placed in {**rows, "all": everything}.items():
        accuracy = Accuracy.of(placing for placing, _ in placed)
        right = sum(kind_right for _, kind_right in placed) / len(placed)
        shares = (accuracy.top1, accuracy.top3, accuracy.top5, accuracy.avg5, right)
        lines.append(
            f"| {kind} | {len(placed)} | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |"
        )
    return "\n".join(lines) + "\n"


def calibration_table(buckets: Sequence[Bucket]) -> str:
    """Return what was said with which confidence, and how much of it was right."""
    lines = ["| confidence | answers | mean confidence | right |", "|---|---|---|---|"]
    lines += [
        f"| from {bucket.least:.1f} | {bucket.answers} | {bucket.confidence:.2f} | {bucket.right:.2f} |"
        for bucket in buckets
    ]
    return "\n".join([*lines, "", f"Expected calibration error: {calibration_error(buckets):.3f}"]) + "\n"


def accuracy_json(accuracy: Accuracy) -> dict[str, Any]:
    """Return the shares for a program."""
    return {name: getattr(accuracy, name) for name in ("top1", "top3", "top5", "avg5", "cases")}


def _row(name: str, accuracy: Accuracy) -> str:
    shares = (accuracy.top1, accuracy.top3, accuracy.top5, accuracy.avg5)
    return f"| {name} | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |"
