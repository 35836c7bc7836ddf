"""PromQL that is written again and again: rates, quantiles and shares of what a selector leaves."""


def rate(counter: str, selector: str, by: str = "") -> str:
    """Return how much a counter grows a second, by labels (none: all together)."""
    return f"sum by ({by}) (rate({counter}{{{selector}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, selector: str, by: str = "") -> str:
    """Return a quantile of a histogram, in its unit, by labels (none: of all)."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', selector, labels)})"


def part_of(part: str, whole: str) -> str:
    """Return the share that a part has, 0 where there is none of it, nothing where there is no whole."""
    return f"({part} or 0 * {whole}) / {whole}"
