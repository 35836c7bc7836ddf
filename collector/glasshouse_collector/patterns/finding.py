"""Finds the patterns of log records: shapes by the store, templates by mining, counts added up."""

from collections import defaultdict
from typing import Final

from glasshouse_collector.patterns.masking import mask
from glasshouse_collector.patterns.mining import mine
from glasshouse_collector.patterns.pattern import FoundPatterns, add_up
from glasshouse_collector.patterns.shapes import PatternQuestion, Shape, read_shapes
from glasshouse_collector.store import ProjectStore, QueryLimits

EMPTY: Final = "(empty)"
"""The template of records without a text."""


def find_patterns(store: ProjectStore, asked: PatternQuestion, limits: QueryLimits) -> FoundPatterns:
    """Return the patterns of the records, the most frequent first; raises `EngineFailure`.

    No record is read one by one: the store groups them, and a line of each shape is masked and mined.
    Of very many records one in so many is looked at, and of very many shapes the frequent ones:
    `looked_at` says how many records that were.
    """
    shapes = read_shapes(store, asked, limits)
    masked: dict[str, list[Shape]] = defaultdict(list)
    for shape in shapes.found:
        masked[mask(shape.first.line)].append(shape)
    grouped: dict[str, list[Shape]] = defaultdict(list)
    for line, template in mine(masked).items():
        grouped[template or EMPTY] += masked[line]
    patterns = [add_up(template, members, shapes.one_in) for template, members in grouped.items()]
    patterns.sort(key=lambda pattern: (-pattern.count, pattern.template))
    return FoundPatterns(patterns, shapes.total, sum(shape.count for shape in shapes.found))
