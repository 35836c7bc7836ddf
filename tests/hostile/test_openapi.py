"""Whatever fits the API's own description, or just does not, is answered as the description says."""

import os
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from attacked_collector import DESCRIPTION, Attacked

EXAMPLES = int(os.environ.get("GLASSHOUSE_TEST_EXAMPLES", "10"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = "/api/v1/logs/tail"
SCHEMA = schemathesis.openapi.from_dict(dict(DESCRIPTION)).exclude(path=ENDLESS)


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_documented(case: schemathesis.Case[Any], attacked: Attacked) -> None:
    """No server error, no status, content type or shape of an answer that the document does not tell."""
    case.call_and_validate(
        base_url=attacked.api, headers={"X-API-Key": attacked.token}, checks=CHECKS, timeout=60
    )


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({}, 200),
        ({"last": "0"}, 200),
        ({"last": "-1"}, 400),
        ({"level": "loud"}, 400),
        ({"cursor": "'"}, 400),
    ],
)
def test_the_endless_answer_is_documented_too(
    attacked: Attacked, parameters: dict[str, str], status: int
) -> None:
    """Following log records begins as an event stream, or is refused as anything else."""
    with attacked.client() as client, client.stream("GET", ENDLESS, params=parameters) as answer:
        assert answer.status_code == status
        kind = "text/event-stream" if answer.is_success else "application/problem+json"
        assert answer.headers["content-type"].startswith(kind)


def test_the_collector_goes_on(attacked: Attacked) -> None:
    """After all of that nothing is lost and everything is answered."""
    kept = attacked.counts()
    assert kept["spans"] >= 4
    assert kept["logs"] >= 5
    assert httpx.get(f"{attacked.api}/ready", timeout=60).status_code == 200
