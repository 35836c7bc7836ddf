"""What stays the same of a log line whatever values are in it, in the styles that programs log in."""

import pytest

from glasshouse_collector.insights.records import said, statement_of
from glasshouse_collector.patterns.masking import mask

SAME = {
    "logback": (
        "17:02:12.420 INFO  v.c.Verify#54 TraceID: ae6cb5143f184c58907c [verifyCode][verify result: false]",
        "17:05:43.001 INFO  v.c.Verify#54 TraceID: 69db9e799d29d2709c24 [verifyCode][verify result: true]",
    ),
    "python": (
        "2026-11-21 18:14:51,204 WARNING shop.stock: only 3 left of sku=1882",
        "2026-11-21 18:15:07,990 WARNING shop.stock: only 11 left of sku=77",
    ),
    "json": (
        '{"level": "info", "msg": "order placed", "order": 1882, "customer": "b3a1"}',
        '{"level": "info", "msg": "order placed", "order": 7, "customer": "99fe"}',
    ),
    "go": (
        'time="2026-11-21T18:14:51Z" level=info msg="request served" status=200 took=12.5ms',
        'time="2026-11-21T18:14:52Z" level=info msg="request served" status=200 took=8.1ms',
    ),
    "nginx": (
        '10.0.3.7 - - [21/Nov/2026:18:14:51 +0000] "GET /cart?id=17 HTTP/1.1" 200 612 "-" "curl/8.5"',
        '10.0.9.1 - - [21/Nov/2026:18:14:59 +0000] "GET /cart?id=99 HTTP/1.1" 200 1410 "-" "curl/8.5"',
    ),
    "list of names": (
        "12:00:01 INFO Price#7 [query][Query price][Type: [ZhiDa, GaoTie]]",
        "12:00:09 INFO Price#7 [query][Query price][Type: [DongChe]]",
    ),
}
OTHER = {
    "logback": (
        "2023-01-29 17:02:12.420 INFO  v.c.VerifyCodeController#54 [verifyCode][verify result: false]",
        "2023-01-29 17:02:12.419 WARN  v.s.i.VerifyCodeServiceImpl#114 [verifyCode][Verify code start]",
    ),
    "level": ("12:00:01 INFO cache is cold", "12:00:01 ERROR cache is cold"),
    "python": (
        "2026-11-21 18:14:51,204 WARNING shop.stock only 3 are left",
        "2026-11-21 18:14:51,204 WARNING shop.stock none are left",
    ),
    "brackets": ("[charge][Begun for order: 17]", "[charge][Done for order: 17]"),
}


@pytest.mark.parametrize("style", SAME)
def test_values_do_not_matter(style: str) -> None:
    """Two records of one statement are the same, and something is left of them."""
    first, second = (statement_of(mask(said(line))) for line in SAME[style])
    assert first == second != ""


AFTER_A_COLON = {
    "json": ('{"level": "error", "msg": "no row"}', '{"level": "error", "msg": "card declined"}'),
    "go": ('level=error msg="no row"', 'level=error msg="card declined"'),
    "klog": ("E1121 18:14:51.2 7 server.go:18] no row", "E1121 18:14:51.2 7 server.go:25] card declined"),
    "python's default": ("ERROR:root:no row", "ERROR:root:card declined"),
    "level and colon": ("ERROR: no row", "ERROR: card declined"),
}


@pytest.mark.parametrize("style", OTHER)
def test_different_statements_stay_different(style: str) -> None:
    """What two statements say tells them apart."""
    first, second = (statement_of(mask(said(line))) for line in OTHER[style])
    assert first != second


@pytest.mark.parametrize("style", AFTER_A_COLON)
def test_what_is_said_after_a_colon(style: str) -> None:
    """Where all that a statement says follows a name, it tells one from another too."""
    first, second = (statement_of(mask(said(line))) for line in AFTER_A_COLON[style])
    assert first != second


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("17:02:12.420 INFO  Verify#54 [verifyCode][verify result: false]", "INFO|verifyCode|verify result"),
        ("Reserved [sku: 77, left: 4]", "Reserved|sku"),
        ("user=42", "user"),
        ("42", "<number>"),
        ("", ""),
        ("]]]))) closed too often", "closed too often"),
        ("]]] began [at: 1] and [by: 2]", "began|at|and|by"),
        ("Charged 17 EUR", "Charged EUR"),
    ],
)
def test_what_is_left(line: str, left: str) -> None:
    """Masks, what holds them, and what follows a name and a colon are gone."""
    assert statement_of(mask(said(line))) == left
