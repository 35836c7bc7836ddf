"""The selectors that the tests of dashboards find in PromQL."""

import pytest

from promql_selectors import metric_names, selectors


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("up", ["up"]),
        ('sum by (le, a) (rate(x_bucket{a=~"b{1}",c="}"}[5m])) > 1.5e3', ['x_bucket{a=~"b{1}",c="}"}']),
        ("a / on (x, y) group_left (z) b:c:rate5m offset 5m", ["a", "b:c:rate5m"]),
        ("sum(rate(a[5m])) by (b) or 0 * c unless d and e", ["a", "c", "d", "e"]),
        ("max_over_time(a[1h:5m] @ end()) or vector(1) or a", ["a"]),
        ("# a comment with words\ncount without (x) (y)", ["y"]),
        ('topk(10, -1 * {job="no name"})', []),
    ],
)
def test_selectors_of_an_expression(expression: str, found: list[str]) -> None:
    """Names of metrics with their matchers; neither functions nor words nor labels."""
    assert selectors(expression) == found
    assert metric_names(expression) == {each.partition("{")[0] for each in found}
