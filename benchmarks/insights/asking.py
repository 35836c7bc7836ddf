"""A collector to which recordings are replayed, a project each, and which is then asked what broke."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

from glasshouse_collector.core.times import rfc3339
from glasshouse_collector.insights.windows import Window
from insights.cases import Case
from insights.scoring import Placing, placing
from programs import BIN, Failed, Glasshouse, fetch

_JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What `POST /api/v1/insights/analyze` answered, and in how many seconds."""

    case: Case
    told: Mapping[str, Any]
    seconds: float

    @property
    def causes(self) -> Sequence[Mapping[str, Any]]:
        """The root causes, best first."""
        causes: Sequence[Mapping[str, Any]] = self.told["root_causes"]
        return causes

    @property
    def first(self) -> Mapping[str, Any]:
        """The best one; empty where nothing was found."""
        return self.causes[0] if self.causes else {}

    @property
    def placing(self) -> Placing:
        """Where the right service stands."""
        return placing([cause["service"] for cause in self.causes], self.case.service)

    @property
    def service_right(self) -> bool:
        """Whether the first cause names the right service."""
        return bool(self.first) and self.first["service"] == self.case.service

    @property
    def kind_right(self) -> bool:
        """Whether the first cause names the right service and kind of fault."""
        return self.service_right and self.first["kind"] == self.case.kind

    @property
    def all_right(self) -> bool:
        """Whether service, kind and, where it is known, operation are right."""
        return self.kind_right and self.case.operation in ("", self.first["operation"])

    def as_json(self) -> dict[str, Any]:
        """Return case, verdict and the whole ranking."""
        return {
            "case": self.case.name,
            "service": self.case.service,
            "operation": self.case.operation,
            "kind": self.case.kind,
            "seconds": round(self.seconds, 3),
            "service_right": self.service_right,
            "kind_right": self.kind_right,
            "all_right": self.all_right,
            "answer": self.told,
        }


def project(collector: Glasshouse, name: str) -> str:
    """Make a project, as the operator; return its key."""
    made = _post(collector, "/api/v1/projects", {"name": name, "project_id": name}, collector.operator)
    key: str = made["api_key"]
    return key


def replay(collector: Glasshouse, files: Sequence[Path], key: str) -> None:
    """Send recordings as they are, and wait until they are stored; an empty key is none."""
    header = ("--header", f"authorization=Bearer {key}") if key else ()
    command = (BIN / "glasshouse", "send", *files, "--endpoint", f"http://{collector.grpc}", *header)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"glasshouse send: {done.stderr.strip()[-1000:]}")
    collector.drain()


def ask(collector: Glasshouse, case: Case, key: str = "") -> Answer:
    """Ask what broke in the case's incident; `Failed` tells why there is no answer."""
    question = {**_window(case.incident), "baselines": [_window(baseline) for baseline in case.baselines]}
    began = time.perf_counter()
    told = _post(collector, "/api/v1/insights/analyze", question, _bearer(key))
    return Answer(case, told, time.perf_counter() - began)


def log_record(collector: Glasshouse, log_id: str, key: str = "") -> Mapping[str, Any] | None:
    """Return the log record of an id; None: there is none."""
    url = f"http://{collector.api}/api/v1/logs/{log_id}/context?lines=1"
    try:
        found: Mapping[str, Any] = json.loads(fetch(url, headers=_bearer(key)))["log"]
    except HTTPError as refused:
        refused.close()
        return None
    return found


def _post(
    collector: Glasshouse, path: str, question: object, headers: Mapping[str, str]
) -> Mapping[str, Any]:
    body = json.dumps(question).encode()
    try:
        answer = fetch(f"http://{collector.api}{path}", body, {**_JSON, **headers})
    except HTTPError as refused:
        with refused:
            told_why = refused.read().decode(errors="replace")[:500]
        raise Failed(f"{path}: {refused.code} {told_why}") from None
    told: Mapping[str, Any] = json.loads(answer)
    return told


def _window(window: Window) -> dict[str, str]:
    return {"start": rfc3339(window.start), "end": rfc3339(window.end)}


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
