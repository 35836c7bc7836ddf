"""Texts as small numbers that stay the same from batch to batch."""

from collections.abc import Iterable

import numpy as np

from glasshouse_exporters.prometheus.columns import Coded, Codes

NONE = 0
"""The number of the empty text."""


class Names:
    """Numbers texts as they come."""

    def __init__(self) -> None:
        self._texts = [""]
        self._numbers = {"": NONE}

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, number: int) -> str:
        return self._texts[number]

    def number(self, text: str) -> int:
        """Return the number of a text."""
        known = self._numbers.setdefault(text, len(self._texts))
        if known == len(self._texts):
            self._texts.append(text)
        return known

    def numbers(self, coded: Coded, rows: Codes) -> Codes:
        """Return the number of the text of some rows; each text is looked at once."""
        codes = coded.codes[rows]
        used = np.flatnonzero(np.bincount(codes, minlength=coded.size))
        translated = np.zeros(coded.size, dtype=np.int64)
        translated[used] = [self.number(coded.text(code)) for code in used.tolist()]
        return translated[codes]

    def keep(self, numbers: Iterable[int]) -> Codes:
        """Forget all texts but these; return the new number of each old one."""
        kept = [NONE, *sorted(set(numbers) - {NONE})]
        moved = np.zeros(len(self._texts), dtype=np.int64)
        moved[kept] = np.arange(len(kept))
        self._texts = [self._texts[number] for number in kept]
        self._numbers = {text: number for number, text in enumerate(self._texts)}
        return moved
