"""Holds a model's answer against the evidence: what it names has to be there, or it is not used."""

import re
from collections.abc import Collection, Iterator
from typing import Final

from glasshouse_collector.insights.llm.answering import ModelAnswer
from glasshouse_collector.insights.llm.evidence import Names
from glasshouse_collector.insights.llm.failing import NoAnswer, Outcome

_HEX: Final = re.compile(r"(?<![\w-])[0-9a-fA-F]{16,64}(?![\w-])")
_TRACE_ID_LENGTH: Final = 32
_ADDRESS: Final = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>`)\]]+|\bwww\.[^\s\"'<>`)\]]+", re.IGNORECASE
)
_WORD: Final = re.compile(r"[^\W_](?:[\w.-]*\w)?")
_PLACES: Final = r"(?:micro)?services?|svc|pods?|components?|applications?|hosts?|databases?|deployments?"
_NEAR: Final = (
    re.compile(rf"[`'\"“]?(\w[\w./-]*\w)[`'\"”]?\s+(?:{_PLACES})\b", re.IGNORECASE),
    re.compile(rf"\b(?:{_PLACES})\s+(?:(?:named|called)\s+)?[`'\"“]?(\w[\w./-]*\w)", re.IGNORECASE),
)
_QUOTED: Final = re.compile(r"[`'\"“](\w[\w./:-]*\w)[`'\"”]")
_NAMED_SO: Final = re.compile(
    r"[-_.](?:service|svc|api|server|gateway|worker|db|cache|queue|backend|frontend|proxy)$"
)
_PLAIN: Final = re.compile(
    r"[a-z]+|[\d.,:/-]+"
    r"|(?:non|third|multi|single|high|low|well|long|short|front|back|cross|self|re|up)-[a-z-]+"
    r"|[a-z]+-(?:facing|critical|related|dependent|running|level|side|party|wide|heavy)",
    re.IGNORECASE,
)
"""Words, numbers, and what stands before "service" as an adjective does."""


def check(answer: ModelAnswer, names: Names, known_services: Collection[str]) -> None:
    """Raise `NoAnswer` for what the answer names and the evidence does not.

    `known_services` are those of the project: one that is not in the evidence has no place in an answer.
    """
    _check_cause(answer, names)
    for kind, named, known in (
        ("service", answer.services, names.services),
        ("operation", answer.operations, names.operations),
        ("trace id", answer.trace_ids, names.trace_ids),
    ):
        for name in named:
            if name not in known:
                raise _foreign(kind, name)
    for text in (answer.incident_summary, answer.root_cause, answer.suggestion):
        _check_text(text, names, known_services)


def _check_cause(answer: ModelAnswer, names: Names) -> None:
    if not names.causes:
        if answer.service or answer.operation:
            raise _discarded(f"it names a cause, {answer.service!r}, where the analysis found none")
        return
    if not answer.service:
        raise _discarded("it names no cause, where the analysis found one")
    causes = [cause for cause in names.causes if cause[0] == answer.service]
    if not causes:
        raise _discarded(f"it takes {answer.service!r} for the cause, which the analysis does not")
    if answer.operation and all(operation != answer.operation for _, operation in causes):
        raise _discarded(f"it takes {answer.operation!r} of {answer.service!r} for the cause, which is none")
    if answer.service not in answer.root_cause:
        raise _discarded(f"its root_cause says nothing of the service that it names, {answer.service!r}")


def _check_text(text: str, names: Names, known_services: Collection[str]) -> None:
    """Look for what looks like an id, an address or a service."""
    for found in _HEX.findall(text):
        known = names.trace_ids if len(found) == _TRACE_ID_LENGTH else (names.everything,)
        if not any(found.lower() in each.lower() for each in known):
            raise _foreign("id", found)
    for address in _ADDRESS.findall(text):
        if address.rstrip(".,;:") not in names.others:
            raise _foreign("address", address)
    for quoted in _QUOTED.findall(text):
        if not _PLAIN.fullmatch(quoted) and quoted not in names.everything:
            raise _foreign("name", quoted)
    for place in _places(text, names, known_services):
        if not _is_known(place, names):
            raise _foreign("service", place)


def _places(text: str, names: Names, known_services: Collection[str]) -> Iterator[str]:
    """Yield the words that are names of services, or stand where one would.

    A plain word beside "service" is a name only where a service has it: "the affected service" is none.
    """
    foreign = {service for service in known_services if service not in names.services}
    for near in _NEAR:
        for word in near.findall(text):
            if not _PLAIN.fullmatch(word) or word in foreign:
                yield word
    for word in _WORD.findall(text):
        if _NAMED_SO.search(word.lower()) or (word in foreign and not _PLAIN.fullmatch(word)):
            yield word


def _is_known(place: str, names: Names) -> bool:
    """Tell whether it is a name of the evidence, or a part of one, such as a host within an address."""
    if place in names.services or place in names.operations:
        return True
    part = re.compile(rf"(?<![\w-]){re.escape(place)}(?![\w-])")
    return any(
        part.search(each) for known in (names.services, names.operations, names.others) for each in known
    )


def _foreign(kind: str, name: str) -> NoAnswer:
    return _discarded(f"it names the {kind} {name[:100]!r}, which is not in the evidence")


def _discarded(why: str) -> NoAnswer:
    return NoAnswer(Outcome.NOT_GROUNDED, f"the model's answer was discarded: {why}")


def confidence_of(answer: ModelAnswer, names: Names) -> float:
    """Return how sure the analysis is of the cause that the model chose; 0 where there is none."""
    fitting = [
        confidence
        for (service, operation), confidence in names.causes.items()
        if service == answer.service and answer.operation in {"", operation}
    ]
    return max(fitting, default=0.0)
