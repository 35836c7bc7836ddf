"""Hold the two codecs equal on random requests and on random bytes, for as long as asked.

    .venv/bin/python tests/codec/fuzz.py --seconds 300 [--seed 1]

Prints the payload of the first difference, and exits 1.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence

from generate import request
from mutate import mutated

from glasshouse_collector.codec import Codec, Decoded
from glasshouse_collector.codec.native import NativeCodec
from glasshouse_collector.codec.upb import UpbCodec
from glasshouse_collector.core.batch import RequestKind, Signal
from glasshouse_collector.core.errors import Undecodable
from glasshouse_collector.core.schema import DECODED


def outcome(codec: Codec, kind: RequestKind, payloads: Sequence[bytes]) -> object:
    """Return what both codecs have to agree on: counts and rows, or that there are none."""
    try:
        checked = [codec.check(kind, payload) for payload in payloads]
    except Undecodable:
        checked = []
    try:
        decoded = codec.decode(kind, payloads)
    except Undecodable:
        assert not checked, "check lets in what decode refuses"
        return "undecodable"
    assert len(checked) == len(payloads), "check refuses what decode takes"
    return checked, {signal: rows(signal, decoded[signal]) for signal in decoded}


def rows(signal: Signal, decoded: Decoded) -> tuple[list[int], list[str]]:
    """Return the rows as text (so that NaN equals itself), after checking that the batch is well-formed."""
    decoded.records.validate(full=True)
    assert decoded.records.schema.equals(DECODED[signal], check_metadata=True)
    columns = [repr(column.to_pylist()) for column in decoded.records.columns]
    return list(decoded.rows_of), columns


def report(text: str) -> None:
    """Say it at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    native, python = NativeCodec(), UpbCodec()
    deadline = time.monotonic() + arguments.seconds
    tried = decodable = 0
    report(f"seed {arguments.seed}")
    while time.monotonic() < deadline:
        kind = rng.choice(list(RequestKind))
        whole = request(rng, kind)
        for payload in (whole, *(mutated(rng, whole) for _ in range(8))):
            try:
                expected, found = outcome(python, kind, [payload]), outcome(native, kind, [payload])
            except BaseException as failure:
                report(f"{kind} {payload!r}\n{failure!r}")
                raise
            tried += 1
            decodable += expected != "undecodable"
            if expected != found:
                report(f"{kind} {payload!r}\npython: {expected}\nnative: {found}")
                return 1
    report(f"{tried} payloads, {decodable} of them decodable: no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
