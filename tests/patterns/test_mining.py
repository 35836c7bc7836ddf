"""Masks and templates, held against lines whose template is known."""

import random
from collections import defaultdict
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse_collector.patterns.masking import RULES, mask
from glasshouse_collector.patterns.mining import FEW, mine
from glasshouse_collector.patterns.pattern import Trend, pattern_id, trend


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("took 5 ms, then 0.25s", "took <duration>, then <duration>"),
        ("in 3 minutes of 10", "in <duration> of <number>"),
        ("from 10.0.0.1:8080 to 192.168.1.7", "from <ip> to <ip>"),
        ("from fe80::1 and ::1 and 2001:db8:0:0:0:0:0:1", "from <ip> and <ip> and <ip>"),
        ("std::vector and a.b.c", "std::vector and a.b.c"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id <uuid>"),
        ("trace 4bf92f3577b34da6a3ce929d0e0e4736 at 0x7f3a", "trace <hex> at <hex>"),
        ("a facade of deadbeef", "a facade of deadbeef"),
        ("2026-11-21T14:00:00.123Z start", "<timestamp> start"),
        ("[2026-11-21 14:00:00,123] start", "[<timestamp>] start"),
        ("on 2026-11-21 at 14:00:00", "on <timestamp> at <timestamp>"),
        ("Mon, 21 Nov 2026 12:00:00 GMT", "<timestamp>"),
        ("Nov 21 12:00:00 host", "<timestamp> host"),
        ("GET /api/v1/users/17?page=2 200", "GET <path> <number>"),
        ("GET /cart 404", "GET /cart <number>"),
        ("see https://example.org/a/b, please", "see <path>, please"),
        (r"open C:\logs\app\x.txt", "open <path>"),
        ("no user 'bob the builder' here", "no user <quoted> here"),
        ('title "a \\"b\\" c"', "title <quoted>"),
        ("don't and can't", "don't and can't"),
        ('{"user": "bob", "age": 5}', '{"user": <quoted>, "age": <number>}'),
        ("99% of 1,024 in v1.2.3", "<number> of <number> in v<number>"),
        ("worker-3 of db7, x=-5", "worker-<number> of db<number>, x=<number>"),
        ("", ""),
    ],
)
def test_what_varies_by_kind_is_named(line: str, masked: str) -> None:
    """And what is a word stays."""
    assert mask(line) == masked


@given(st.text(max_size=400))
def test_any_text_is_masked_and_mined(line: str) -> None:
    """No digit is left, and the template has as many words."""
    masked = mask(line)
    assert not any(letter in "0123456789" for letter in masked)
    (template,) = mine([masked]).values()
    assert len(template.split()) <= 80
    assert set(RULES) >= {"number", "ip", "uuid", "hex", "timestamp", "duration", "path", "quoted"}


NAMES = [
    f"{first}{second}" for first in ("an", "bo", "ca", "du", "el") for second in ("na", "bert", "rl", "d")
]
TEMPLATES: list[Callable[[random.Random], str]] = [
    lambda any_: f"order {any_.randrange(9999)} placed by {any_.choice(NAMES)} in {any_.randrange(900)} ms",
    lambda any_: (
        f"order {any_.randrange(9999)} cancelled by {any_.choice(NAMES)} in {any_.randrange(900)} ms"
    ),
    lambda any_: f"user {any_.choice(NAMES)} logged in from 10.0.{any_.randrange(255)}.7",
    lambda any_: f"user {any_.choice(NAMES)} logged out",
    lambda any_: f"connection to db-{any_.randrange(5)}.internal refused",
    lambda any_: f"connection to db-{any_.randrange(5)}.internal established",
    lambda any_: f"cache miss for key {any_.getrandbits(64):016x}a0",
    lambda any_: f"cache hit for key {any_.getrandbits(64):016x}a0",
    lambda any_: f"GET /api/{any_.choice(NAMES)}/{any_.randrange(99)} 200 {any_.random():.3f}s",
    lambda any_: f"POST /api/{any_.choice(NAMES)}/{any_.randrange(99)} 500 {any_.random():.3f}s",
    lambda any_: f"retry {any_.randrange(5)} of 5: timeout after {any_.randrange(9000)}ms",
    lambda any_: f"retry {any_.randrange(5)} of 5: broken pipe",
    lambda any_: f'payment declined: "{any_.choice(NAMES)} has no card"',
    lambda _: "starting worker pool",
    lambda _: "stopping worker pool",
    lambda any_: f"job {any_.choice(NAMES)} finished with {any_.choice(NAMES)}",
    lambda any_: f"2026-11-21 {any_.randrange(10, 24)}:00:00 INFO app.main#12 ready",
    lambda any_: f"2026-11-21 {any_.randrange(10, 24)}:00:00 INFO app.main#30 shop is open now",
    lambda any_: f"2026-11-21 {any_.randrange(10, 24)}:00:00 ERROR app.main#30 shop is open now",
]


@pytest.mark.parametrize("seed", range(3))
def test_lines_of_known_templates_are_grouped_as_they_were_made(seed: int) -> None:
    """Each template's lines together, and no two templates' lines."""
    chance = random.Random(seed)
    made = [(label, make(chance)) for label, make in enumerate(TEMPLATES) for _ in range(200)]
    templates = mine(mask(line) for _, line in made)
    found = defaultdict(set)
    for label, line in made:
        found[label].add(templates[mask(line)])
    assert {label: len(names) for label, names in found.items()} == dict.fromkeys(range(len(TEMPLATES)), 1)
    assert len({name for names in found.values() for name in names}) == len(TEMPLATES)
    assert "order <number> placed by <*> in <duration>" in found[0]


@given(st.permutations([f"user {name} left the {place}" for name in NAMES for place in ("shop", "cart")]))
def test_templates_do_not_depend_on_the_order(lines: list[str]) -> None:
    """The same lines, the same templates, hence the same ids."""
    assert set(mine(lines).values()) == {"user <*> left the shop", "user <*> left the cart"}


def test_few_variants_are_words_and_more_are_a_value() -> None:
    """As many as a programmer writes out."""
    few = [f"state is now {name}" for name in NAMES[:FEW]]
    assert set(mine(few).values()) == set(few)
    assert set(mine([f"state is now {name}" for name in NAMES[: FEW + 1]]).values()) == {"state is now <*>"}


def test_lines_without_likeness_are_mined_to_an_end() -> None:
    """However many: each is held against some of the others only."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghij", k=6)) for _ in range(1000)]
    lines = {" ".join(chance.choices(words, k=8)) for _ in range(3000)}
    assert set(mine(lines)) == lines


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (0, 1, Trend.NEW),
        (7, 0, Trend.GONE),
        (100, 100, Trend.STEADY),
        (1, 4, Trend.STEADY),
        (100, 160, Trend.RISING),
        (160, 100, Trend.FALLING),
        (100_000, 110_000, Trend.STEADY),
    ],
)
def test_halves_are_compared_beyond_chance(before: int, after: int, word: Trend) -> None:
    """A few more, or a small part more, are nothing to tell of."""
    assert trend(before, after) is word


def test_an_id_is_its_templates_alone() -> None:
    """It stays the same from one version to the next: what was noted down is found again."""
    assert pattern_id("user <*> logged out") == "1590366975801ca8"
    assert pattern_id("user <*> logged in") != pattern_id("user <*> logged out")
