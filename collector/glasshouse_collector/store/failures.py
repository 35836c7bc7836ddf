"""Which failures pass, and which never will.

Codes are ClickHouse's own (src/Common/ErrorCodes.cpp).
"""

from glasshouse_collector.core.errors import GlasshouseError, Permanent, Retryable
from glasshouse_collector.store.engine import EngineFailure

UNKNOWN_TABLE, UNKNOWN_DATABASE, NO_SUCH_COLUMN, UNKNOWN_IDENTIFIER = 60, 81, 16, 47
TYPE_MISMATCH, CANNOT_CONVERT_TYPE, TOO_LARGE_STRING = 53, 70, 131
AUTHENTICATION_FAILED, ACCESS_DENIED, WRONG_PASSWORD, UNKNOWN_USER = 516, 497, 193, 192

LOGIN_REFUSED = frozenset({AUTHENTICATION_FAILED, WRONG_PASSWORD, UNKNOWN_USER, ACCESS_DENIED, 194})

_PERMANENT = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        9,  # SIZES_OF_COLUMNS_DOESNT_MATCH
        10,  # NOT_FOUND_COLUMN_IN_BLOCK
        NO_SUCH_COLUMN,
        20,  # NUMBER_OF_COLUMNS_DOESNT_MATCH
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        33,  # CANNOT_READ_ALL_DATA
        36,  # BAD_ARGUMENTS
        43,  # ILLEGAL_TYPE_OF_ARGUMENT
        44,  # ILLEGAL_COLUMN
        UNKNOWN_IDENTIFIER,
        50,  # UNKNOWN_TYPE
        TYPE_MISMATCH,
        62,  # SYNTAX_ERROR
        69,  # ARGUMENT_OUT_OF_BOUND
        CANNOT_CONVERT_TYPE,
        117,  # INCORRECT_DATA
        TOO_LARGE_STRING,
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        407,  # DECIMAL_OVERFLOW
        469,  # VIOLATED_CONSTRAINT
        636,  # CANNOT_EXTRACT_TABLE_STRUCTURE
    }
)
"""The rows themselves are refused: the same rows are refused again."""


def classify(failure: EngineFailure, doing: str) -> GlasshouseError:
    """Return `Permanent` or `Retryable` for a failed insert."""
    reason = f"{doing}: {failure}"
    if failure.code in _PERMANENT:
        return Permanent(reason)
    return Retryable(reason)
