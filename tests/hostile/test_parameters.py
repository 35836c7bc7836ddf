"""Hostile values in every parameter and body: refused or without effect, never a fault, nothing lost."""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from attacked_collector import DESCRIPTION, TOKEN, TRACE, Attacked

HOSTILE = [
    "'; DROP TABLE otel_traces; --",
    "\\'; DROP TABLE otel_logs; --",
    "{x:String}",
    "1) OR 1=1 UNION ALL SELECT name FROM system.tables --",
    "`otel_logs` FORMAT Null",
    "\x00",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "%",
    "../../../../etc/passwd",
    "${jndi:ldap://127.0.0.1/a}",
    "<script>alert(1)</script>",
    "x" * 10_000,
    "9" * 400,
    "-9223372036854775809",
    "1e309",
    "NaN",
    "\U0001d7d9\u202e",
    "a=b=c>d<e!f",
    "/(a+)+$/",
    "/[/",
    '"',
    "",
]
EACH = int(os.environ.get("GLASSHOUSE_TEST_EXAMPLES", "6"))
"""Values tried in one parameter; other ones in each, so that all are tried somewhere."""
GOOD = {"trace_id": TRACE, "a": TRACE, "b": TRACE, "key": "step", "signal": "traces"}
PATHS = DESCRIPTION["paths"]


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in sorted(PATHS.items()):
        for method, operation in methods.items():
            if path.startswith("/api/v1") and not path.endswith("/tail"):
                yield method, path, operation


READS = [(path, operation) for method, path, operation in _operations() if method == "get"]
WRITES = [(method, path, operation) for method, path, operation in _operations() if method != "get"]


def _having(name: str) -> list[str]:
    return [path for path, it in READS if any(each["name"] == name for each in it.get("parameters", []))]


def _needed(path: str) -> dict[str, str]:
    """Return the parameters that a question cannot do without, with values that are right."""
    parameters = PATHS[path]["get"].get("parameters", [])
    names = [it["name"] for it in parameters if it["in"] == "query" and it.get("required")]
    return {name: GOOD.get(name, "x") for name in names}


def _names(path: str, value: str) -> dict[str, str]:
    return {name: GOOD.get(name, value) for name in re.findall(r"{(\w+)}", path)}


def _chosen(first: int) -> list[str]:
    return [HOSTILE[(first + number) % len(HOSTILE)] for number in range(min(EACH, len(HOSTILE)))]


def _address(path: str, names: dict[str, str]) -> httpx.URL:
    quoted = {name: "".join(f"%{byte:02X}" for byte in value.encode()) for name, value in names.items()}
    return httpx.URL(path.format(**quoted))


@pytest.mark.parametrize(("path", "operation"), READS, ids=[path for path, _ in READS])
def test_no_parameter_takes_anything_along(attacked: Attacked, path: str, operation: dict[str, Any]) -> None:
    """Each hostile value in each parameter, the others right: answered as documented, the store as it was."""
    before = attacked.counts()
    with attacked.client() as client:
        for number, it in enumerate(operation.get("parameters", [])):
            for value in _chosen(5 * number + len(path)):
                names, query = _names(path, "0"), _needed(path)
                headers: dict[str, str] = {}
                if it["in"] == "path":
                    names[it["name"]] = value or "''"
                elif it["in"] == "query":
                    query[it["name"]] = value
                elif value.isascii() and value.isprintable():
                    headers[it["name"]] = value
                answer = client.get(_address(path, names), params=query, headers=headers)
                where = f"{it['name']}={value[:60]!r}: {answer.text[:300]}"
                assert answer.status_code < 500, where
                assert str(answer.status_code) in operation["responses"] or answer.status_code == 404, where
    assert attacked.counts() == before


@pytest.mark.parametrize(
    ("method", "path", "operation"), WRITES, ids=[f"{method} {path}" for method, path, _ in WRITES]
)
def test_no_body_takes_anything_along(
    attacked: Attacked, method: str, path: str, operation: dict[str, Any]
) -> None:
    """Bodies that are no JSON, another type, too deep, of hostile texts: 4xx, or harmless; never a fault."""
    before = attacked.counts()
    fields = _fields(operation)
    deep = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    bodies = [b"", b"{", b"null", b"[]", b"1", b'"x"', b"\xff\xfe", deep, b"[" * 100_000]
    bodies += [json.dumps(dict.fromkeys(fields, value)).encode() for value in _chosen(len(path))]
    bodies += [json.dumps(dict.fromkeys(fields, [value] * 2)).encode() for value in HOSTILE[:4]]
    with attacked.client() as client:
        for body in bodies:
            answer = client.request(
                method,
                _address(path, _names(path, "zz")),
                content=body,
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code < 500, (body[:80], answer.text[:300])
    after = attacked.counts()
    assert [name for name, count in before.items() if after[name] < count] == []


def _fields(operation: dict[str, Any]) -> list[str]:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = DESCRIPTION["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema.get("properties", {})) or ["logs"]


@pytest.mark.parametrize("limit", ["0", "-1", "1000000000", "9" * 30, "1.5"])
@pytest.mark.parametrize("path", _having("limit"))
def test_no_page_is_huge(attacked: Attacked, path: str, limit: str) -> None:
    """A limit beyond the documented one, or none at all, is 400 and says what is expected."""
    with attacked.client() as client:
        answer = client.get(path.format(**_names(path, "shop")), params={"limit": limit, **_needed(path)})
    assert answer.status_code == 400, answer.text
    assert "limit" in answer.json()["detail"]


@pytest.mark.parametrize("cursor", ["x", "e30", "AAAA" * 100, "'", "\x00", "W10", "bnVsbA", "9" * 2001])
@pytest.mark.parametrize("path", _having("cursor"))
def test_a_made_up_cursor_is_refused(attacked: Attacked, path: str, cursor: str) -> None:
    """A cursor that no page gave is 400; it never reads elsewhere."""
    with attacked.client() as client:
        answer = client.get(path, params={"cursor": cursor, **_needed(path)})
    assert answer.status_code == 400, answer.text
    assert "cursor" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", sorted(({path for path, _ in READS} | {path for _, path, _ in WRITES}) - {"/api/v1/health"})
)
def test_nobody_comes_in_without_the_key(attacked: Attacked, path: str) -> None:
    """Every operation wants a key, and nearly the key is none; the answer tells nothing of what is there."""
    for method in PATHS[path]:
        for key in ("", "wrong", f"{TOKEN}2", TOKEN[:-1], "x" * 5000):
            headers = {"X-API-Key": key} if key else {}
            address = attacked.api + path.format(**_names(path, "0"))
            answer = httpx.request(method, address, headers=headers, timeout=60)
            assert answer.status_code in {401, 429}, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert "shop" not in answer.text
