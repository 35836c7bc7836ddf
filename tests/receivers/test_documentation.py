"""What docs/receivers.md says is what there is."""

import re
from pathlib import Path

import pytest

from glasshouse_collector.core.components import ComponentConfig
from glasshouse_collector.receivers.otlp_grpc import OtlpGrpcConfig
from glasshouse_collector.receivers.otlp_http import OtlpHttpConfig

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "receivers.md").read_text()


@pytest.mark.parametrize("config", [OtlpGrpcConfig, OtlpHttpConfig])
def test_every_setting_is_documented(config: type[ComponentConfig]) -> None:
    """A row of the table for each."""
    for name in config.model_fields:
        assert f"| `{name}` |" in DOCUMENT


def test_every_documented_setting_exists() -> None:
    """No row of the table is for a setting that is gone."""
    table = DOCUMENT.partition("## Settings")[2].partition("Where keys are needed")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert documented == OtlpGrpcConfig.model_fields.keys() | OtlpHttpConfig.model_fields.keys()


def test_every_reason_of_a_refusal_is_documented() -> None:
    """The labels are written once in the code, and once in the document."""
    rooms = [ROOT / "collector" / "glasshouse_collector" / room for room in ("receivers", "control")]
    code = "".join(path.read_text() for room in rooms for path in room.glob("*.py"))
    reasons = set(re.findall(r'(?:Refusal|LimitReached)\(\s*"(\w+)"', code)) | set(
        re.findall(r'refused\.labels\([^,]+, "(\w+)"', code)
    )
    section = DOCUMENT.partition("by transport and reason:")[2].partition("What gRPC itself")[0]
    assert set(re.findall(r"`(\w+)`", section)) == reasons
