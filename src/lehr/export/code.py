"""Formulas as text: one more kind of number for the formulas of :mod:`lehr.curves`.

The formulas of schedules are written once, against :class:`~lehr.curves.arithmetic.Arithmetic`.
Called with :class:`Text` instead of numbers they return their own text, so no formula is repeated
here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

from lehr.curves import functions
from lehr.curves.arithmetic import Arithmetic, Column, as_number
from lehr.errors import ScheduleError

# How strongly the outermost operator of a text binds, in Python's order.
_CHOICE, _AND, _COMPARE, _BITS, _PLUS, _TIMES, _MINUS, _POWER, _ATOM = range(9)

_ONE: Final = "1.0"
_NAMED: Final = {math.pi / 2: "math.pi / 2", math.pi / 4: "math.pi / 4"}


class Text:
    """An expression, as text; arithmetic on it gives the text of the result."""

    def __init__(
        self,
        text: str,
        strength: int = _ATOM,
        *,
        spare: bool = False,
        multiple: tuple[Text, int | float] | None = None,
    ) -> None:
        self.text, self.strength = text, strength
        # Whether it replaces a value that is never selected.
        self.spare = spare
        # The text that it is a multiple of, and the factor: dividing by that gives the text again.
        self._multiple = multiple

    def within(self, strength: int) -> str:
        """Return the text for use in an operator of ``strength``, in brackets if it needs them."""
        return self.text if self.strength >= strength else f"({self.text})"

    def _with(self, other: Any, sign: str, own: int, *, turned: bool = False) -> Text:
        left, right = (number(other), self) if turned else (self, number(other))
        if sign == "*" and _ONE in (left.text, right.text):
            return right if left.text == _ONE else left
        return Text(f"{left.within(own)} {sign} {right.within(own + 1)}", own)

    def __add__(self, other: Any) -> Text:
        if isinstance(other, int | float) and other <= 0:
            return self if other == 0 else self - -other
        return self._with(other, "+", _PLUS)

    def __radd__(self, other: Any) -> Text:
        return self._with(other, "+", _PLUS, turned=True)

    def __sub__(self, other: Any) -> Text:
        if isinstance(other, int | float) and other <= 0:
            return self if other == 0 else self + -other
        return self._with(other, "-", _PLUS)

    def __rsub__(self, other: Any) -> Text:
        return self._with(other, "-", _PLUS, turned=True)

    def __mul__(self, other: Any) -> Text:
        if other == 1:
            return self
        product = self._with(other, "*", _TIMES)
        plain = isinstance(other, int) and other > 1
        return Text(product.text, _TIMES, multiple=(self, other)) if plain else product

    def __rmul__(self, other: Any) -> Text:
        return self if other == 1 else self._with(other, "*", _TIMES, turned=True)

    def __truediv__(self, other: Any) -> Text:
        if other == 1:
            return self
        if self._multiple is not None and self._multiple[1] == other:
            return self._multiple[0]
        return self._with(other, "/", _TIMES)

    def __rtruediv__(self, other: Any) -> Text:
        return self._with(other, "/", _TIMES, turned=True)

    def _bits(self, other: Any, sign: str) -> Text:
        # Few readers know how strongly these bind, so their operands get brackets.
        return Text(f"{self.within(_ATOM)} {sign} {number(other).within(_ATOM)}", _BITS)

    def __xor__(self, other: Any) -> Text:
        return self._bits(other, "^")

    def __and__(self, other: Any) -> Text:
        return self._bits(other, "&")

    def __rshift__(self, other: Any) -> Text:
        return self._bits(other, ">>")

    def __neg__(self) -> Text:
        return Text(f"-{self.within(_MINUS)}", _MINUS)

    def __pow__(self, other: Any) -> Text:
        if other == 1:
            return self
        return Text(f"{self.within(_ATOM)} ** {number(other).within(_MINUS)}", _POWER)

    def __rpow__(self, other: Any) -> Text:
        if other == 1:
            return Text(_ONE)
        return Text(f"{number(other).within(_ATOM)} ** {self.within(_MINUS)}", _POWER)

    # Never equal: formulas leave out a factor that is 1, which a text is not.
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self.text == other.text


def number(value: Any) -> Text:
    """Return a number's text; a text as it is."""
    if isinstance(value, Text):
        return value
    if value in _NAMED:
        return Text(_NAMED[value], _TIMES)
    return Text(repr(value), _MINUS if value < 0 else _ATOM)


class Writer(Arithmetic):
    """The arithmetic of texts: intermediate results of a formula become lines with names.

    Its library is ``"math"``, for Python's own numbers, or ``"jnp"``, for JAX's arrays.
    """

    def __init__(self, library: str) -> None:
        self.library, self.arrays = library, library != "math"
        self.lines: list[str] = []
        # The lines of the tables in which the other lines look numbers up.
        self.tables: list[str] = []
        self._taken: set[str] = set()
        self._known: dict[str, str] = {}
        for name, kind in Arithmetic.__annotations__.items():
            # The functions that formulas use have the same names in all libraries.
            if str(kind).startswith("Callable"):
                setattr(self, name, self._function(name))

    def _function(self, name: str) -> Callable[[Any], Text]:
        return lambda x: Text(f"{self.library}.{name}({number(x).text})")

    def begin(self) -> None:
        """Begin a new branch of the function, which cannot use the lines of earlier branches."""
        self.lines, self._known, self._taken = [], {}, set()

    def named(self, name: str, value: Text) -> Text:
        if value.text not in self._known:
            count = sum(taken.rstrip("0123456789") == name for taken in self._taken)
            chosen = f"{name}{count + 1}" if count else name
            self._taken.add(chosen)
            self._known[value.text] = chosen
            self.lines.append(f"{chosen} = {value.text}")
        return Text(self._known[value.text])

    def _reachable(self, values: Sequence[Any]) -> list[Any]:
        """Return a table without the steps beyond the 32 bits that JAX counts in."""
        far = self.arrays and all(isinstance(value, int) for value in values)
        return [value for value in values if value < 2**31] if far else list(values)

    def _table(self, values: Sequence[Any]) -> str:
        text = f"{self.library}.asarray({list(values)})" if self.arrays else f"{list(values)}"
        for line in self.tables:
            known, _, content = line.partition(" = ")
            if content == text:
                return known
        name = f"TABLE_{len(self.tables) + 1}"
        self.tables.append(f"{name} = {text}")
        return name

    def real(self, t: Any) -> Any:
        return t

    def fractions(self, t: Any, steps: int | float) -> tuple[Any, Any]:
        return self.named("u", t / steps), self.named("w", (steps - t) / steps)

    def minus(self, t: Any, start: Any) -> Any:
        if isinstance(start, int | float) and start == 0:
            return t
        if isinstance(start, Fraction):
            parts = start.denominator
            if parts >= 2**20:
                return self.named("t", t - float(start))
            return self.named("t", (t * parts - start.numerator) / parts)
        return self.named("t", t - start)

    def floor_divide(self, t: Any, size: Fraction | int) -> Any:
        size = Fraction(size)
        if size == 1:
            # Whole counts stay whole: real numbers of 32 bits would lose their last digits.
            whole = f"({t.within(_TIMES)} // 1).astype(int)"
            return self.named("n", Text(whole if self.arrays else f"math.floor({t.text})"))
        scaled = t * size.denominator
        return self.named("n", Text(f"{scaled.within(_TIMES)} // {size.numerator}", _TIMES))

    def scaled(self, count: Any, size: Fraction) -> Any:
        return count * as_number(size)

    def find(self, starts: Column, t: Any) -> Any:
        table = self._table(self._reachable(starts.values))
        found = f"bisect.bisect_right({table}, {t.text}) - 1"
        if self.arrays:
            found = f"jnp.searchsorted({table}, {t.text}, side='right') - 1"
        return self.named("n", Text(found, _PLUS))

    def take(self, values: Column, index: Any) -> Any:
        table = self._table(self._reachable(values.values))
        return self.named("entry", Text(f"{table}[{index.text}]"))

    def full_like(self, t: Any, value: float) -> Any:
        return number(value)

    def map(self, function: Callable[[Any], Any], t: Any) -> Any:
        curve: Any = getattr(function, "__self__", None)
        own = getattr(curve, "function", None) or getattr(curve, "ease", None)
        named = functions.show(own) if callable(own) else own or function
        raise ScheduleError(
            f"{named} is a function of your own, "
            "which cannot be written as code; write what it gives as a table, "
            "lehr.table(schedule.over(1000).values()), or hand the schedule itself to LambdaLR"
        )

    def snapped(self, value: Any, t: Any, factor: Any) -> Any:
        rounded = f"jnp.round({value.text}, 5)" if self.arrays else f"round({value.text}, 12)"
        return self.named("t", Text(rounded))

    def clip(self, value: Any, low: float, high: float) -> Any:
        names = ("jnp.maximum", "jnp.minimum") if self.arrays else ("max", "min")
        text = number(value).text
        if low > -math.inf:
            text = f"{names[0]}({text}, {low!r})"
        if high < math.inf:
            text = f"{names[1]}({text}, {high!r})"
        return Text(text)

    def like(self, t: Any, value: float) -> Any:
        # Only one branch is evaluated, so the others need no safe argument.
        return Text(repr(value), spare=True)

    def inside(self, t: Any, start: float, stop: float) -> Any:
        begins = [] if start == 0 else [f"{t.text} >= {start!r}"]
        ends = [] if stop == math.inf else [f"{t.text} < {stop!r}"]
        if self.arrays:
            return _Condition(" & ".join(f"({side})" for side in begins + ends) or "True")
        return _Condition(" and ".join(begins + ends) or "True", _AND)

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        yes, no = number(yes), number(no)
        if no.spare or yes.text == no.text or condition.text == "True":
            return yes
        if self.arrays:
            return Text(f"jnp.where({condition.text}, {yes.text}, {no.text})")
        return Text(f"{yes.within(_AND)} if {condition.text} else {no.text}", _CHOICE)


class _Condition(Text):
    """A text that is true or false."""

    def __and__(self, other: Any) -> _Condition:
        if self.text == "True":
            return _Condition(other.text, other.strength)
        return _Condition(f"({self.text}) & ({other.text})")
