"""Where an exception was raised, told from the line of its stack trace that the store keeps as its frame."""

import re
from typing import Final

from pydantic import BaseModel, Field

_FRAMES: Final = [
    (language, re.compile(pattern))
    for language, pattern in (
        ("python", r'[\s|+]*File "(?P<file>[^"]+)", line \d+(?:, in (?P<function>.+))?'),
        ("go", r"(?P<function>\S.*?)(?:\([^()]*\))? (?P<file>\S*\.go):\d+.*"),
        ("rust", r"\s*\d+: +(?:0x[0-9a-f]+ - )?(?P<function>.+?)(?: (?P<file>\S+\.rs):\d+(?::\d+)?)?"),
        ("java", r"\s*at (?:[\w.@-]*/)*(?P<function>[\w.$<>-]+)\((?P<file>[\w-]+\.\w+)(?::\d+)?\)"),
        ("java", r"\s*at (?:[\w.@-]*/)*(?P<function>[\w.$<>-]+)\((?:Native Method|Unknown Source)\)"),
        ("dotnet", r"\s*at (?P<function>[^(]+)\(.*\) in (?P<file>.+):line \d+"),
        (
            "javascript",
            r"\s*at (?:async )?(?:new )?(?P<function>[^(]+?)(?: \[as [^\]]+\])? \((?P<file>.+?):\d+:\d+\)",
        ),
        ("javascript", r"\s*at (?:async )?(?P<file>.+?):\d+:\d+"),
        ("javascript", r"(?P<function>[^@]*)@(?P<file>\S+?):\d+:\d+"),
        ("ruby", r"\s*(?:from )?(?P<file>[^:]+):\d+:in [`'](?P<function>[^']+)'.*"),
        ("php", r"#\d+ (?P<file>.+)\(\d+\): (?P<function>.+?)\(.*"),
        ("dotnet", r"\s*at (?P<function>[^(]+)\(.*\)"),
    )
]
_BEFORE_PACKAGE: Final = re.compile(r"^.*[/\\](?:site|dist)-packages[/\\]|^[a-z-]+://+[^/]*|[?#].*$")
_NUMBERED: Final = re.compile(
    r"(?<=func)\d+(?:\.\d+)*$|(?<=__)\d+(?:\|\d+_\d+)?$|\|\d+_\d+|\$\d+$|::h[0-9a-f]{16}$"
)


class ErrorPlace(BaseModel):
    """Where an exception was raised: the innermost frame of the application in its stack trace."""

    language: str = Field(description="Whose format the stack trace has", examples=["python"])
    file: str | None = Field(examples=["/app/shop/orders.py"])
    function: str | None = Field(examples=["total"])
    line: str = Field(description="The line of the stack trace, of one occurrence")


def place_of(frame: str) -> ErrorPlace | None:
    """Return the place that a line of a stack trace tells, None where it is no frame that is known."""
    for language, pattern in _FRAMES:
        if match := pattern.fullmatch(frame):
            found = match.groupdict()
            file, function = found.get("file"), found.get("function")
            return ErrorPlace(
                language=language,
                file=_BEFORE_PACKAGE.sub("", file) if file else None,
                function=_NUMBERED.sub("", function) if function else None,
                line=frame.strip(),
            )
    return None
