"""Random damage to OTLP requests: broken bytes, and fields another way than a serializer has them."""

import random

from generate import EDGES


def varint(value: int) -> bytes:
    """Return `value` as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


Field = tuple[int, int, bytes]
"""A field's number, its wire type, and its value: without the size where it has one."""


def split(message: bytes) -> list[Field] | None:
    """Return the fields of what may be a message; None where it is none. Groups are not followed."""
    fields: list[Field] = []
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, end = _read_varint(message, at)
        elif wire == 2:
            size, at = _read_varint(message, at)
            end = at + size
        elif wire in (1, 5):
            end = at + (8 if wire == 1 else 4)
        else:
            return None
        if end > len(message) or number == 0:
            return None
        fields.append((number, wire, message[at:end]))
        at = end
    return fields


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
    return 0, len(message) + 1


def join(fields: list[Field]) -> bytes:
    """Return the message that has the fields."""
    return b"".join(
        varint(number << 3 | wire) + (varint(len(value)) if wire == 2 else b"") + value
        for number, wire, value in fields
    )


def mutated(rng: random.Random, message: bytes) -> bytes:
    """Return the bytes with a little damage, or with their fields another way than a serializer has them."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        message = _reshaped(rng, message, 12) if rng.random() < 0.7 else _damaged(rng, message)
    return message


def _damaged(rng: random.Random, message: bytes) -> bytes:
    at = rng.randrange(len(message) + 1)
    to = min(len(message), at + rng.choice((1, 1, 2, 4, 9)))
    match rng.randrange(5):
        case 0:
            return message[:at]
        case 1:
            return message[:at] + rng.randbytes(rng.choice((1, 1, 2, 5))) + message[at:]
        case 2:
            return message[:at] + message[to:]
        case 3 if at < len(message):
            return message[:at] + bytes([message[at] ^ 1 << rng.randrange(8)]) + message[at + 1 :]
        case _:
            return message[:at] + rng.choice((b"\xff", b"\x80", b"\x00", b"\x7f")) * (to - at) + message[to:]


def _reshaped(rng: random.Random, message: bytes, depth: int) -> bytes:
    """Descend to some message inside, and rearrange its fields."""
    fields = split(message)
    if not fields:
        return message + _strange(rng)
    inner = [index for index, field in enumerate(fields) if field[1] == 2 and field[2]]
    if inner and depth and rng.random() < 0.85:
        index = rng.choice(inner)
        number, wire, value = fields[index]
        fields[index] = (number, wire, _reshaped(rng, value, depth - 1))
        return join(fields)
    if rng.random() < 0.15:
        cut = rng.randrange(len(fields) + 1)
        return join(fields[:cut]) + _strange(rng) + join(fields[cut:])
    _rearrange(rng, fields)
    return join(fields)


def _rearrange(rng: random.Random, fields: list[Field]) -> None:
    index = rng.randrange(len(fields))
    number, wire, value = fields[index]
    match rng.randrange(8):
        case 0:
            rng.shuffle(fields)
        case 1:
            fields.insert(rng.randrange(len(fields) + 1), fields[index])
        case 2:
            del fields[index]
        case 3:
            fields.insert(index, (rng.choice((3, 9, 100)), 2, _strange(rng)))
        case 4:
            fields[index] = (rng.randrange(1, 18), wire, value)
        case 5:  # As two occurrences, which merge.
            parts = split(value) if wire == 2 else None
            if parts:
                cut = rng.randrange(len(parts) + 1)
                fields[index : index + 1] = [(number, 2, join(parts[:cut])), (number, 2, join(parts[cut:]))]
        case 6:
            fields += [rng.choice(fields) for _ in range(rng.randrange(4))]
        case _:
            fields[index] = (number, wire, _other_value(rng, wire, value))


def _other_value(rng: random.Random, wire: int, value: bytes) -> bytes:
    if wire == 0:
        return rng.choice(
            (
                b"\x00",
                b"\x01",
                b"\x80\x00",
                b"\xff" * 9 + b"\x01",
                b"\xff" * 9 + b"\x7f",
                b"\xff" * 10,
                varint(rng.choice(EDGES)),
            )
        )
    if wire == 2:
        return rng.choice(
            (
                b"",
                b"\xff",
                b"\xc3",
                b"\xed\xa0\x80",
                value + value,
                value[:-1],
                b"\xa9" + value,
                value + b"\xc3",
            )
        )
    return rng.randbytes(len(value))


def _strange(rng: random.Random) -> bytes:
    """Return a field that no serializer writes, or that belongs nowhere."""
    deep = rng.choice((1, 3, 90, 94, 95, 96, 97, 98, 99, 100, 101, 102))
    number = rng.choice((1, 2, 3, 5, 6, 9, 15, 16, 100, 2**29 - 1))
    start, end = varint(number << 3 | 3), varint(number << 3 | 4)
    return rng.choice(
        (
            start * deep + end * deep,
            start + b"\x08\x01\x12\x01a" + end,
            start + b"\x00\x00" + end,
            start,
            end,
            b"\x00",
            varint(number << 3) + b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
            varint(number << 3 | 1) + b"12345678",
            varint(number << 3 | 5) + b"1234",
            varint(number << 3 | 6),
            varint(number << 3 | 2) + b"\x03" + rng.choice((b"abc", b"\xff\xfe\xfd", b"\x0a\x01x")),
            b"\x8a\x80\x80\x80\x00\x81\x80\x80\x80\x00a",
            b"\x8a\x80\x80\x80\x80\x00\x01a",
            b"\xff\xff\xff\xff\x7f\x01",
            varint(number << 3 | 2) + nested(deep // 2),
            varint(number << 3 | 2) + varint(len(nested(deep))) + nested(deep),
        )
    )


def nested(depth: int) -> bytes:
    """Return an AnyValue inside which `depth` messages are nested: arrays and their elements."""
    value = b""
    for level in range(depth, 0, -1):
        value = (b"\x2a" if level % 2 else b"\x0a") + varint(len(value)) + value
    return value
