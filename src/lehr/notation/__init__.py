"""The text and the JSON form of schedules, both ways.

A text is typed by people and printed by ``repr``:

>>> import lehr
>>> s = lehr.parse("warmup('10%') >> cosine(to=0.1)")
>>> s
warmup('10%') >> cosine(to=0.1)

Reading it runs nothing: only the functions of the catalogue, the leaves, the operators and the
methods of a schedule are known. The other form is a plain dict, for JSON, YAML and TOML:

>>> print(lehr.cosine("20%", to=0.1).to_json())
{
  "lehr": 1,
  "kind": "piece",
  "steps": "20%",
  "to": 0.1,
  "ease": "cosine"
}

Both are safe to read from untrusted sources: anything other than a schedule raises
:class:`ParseError`, and their length, depth, numbers and work are bounded.
"""

from lehr.notation.given import ScheduleLike, as_schedule
from lehr.notation.text import parse
from lehr.schedule.problem import ParseError
from lehr.schedule.tree import from_dict, from_json

__all__ = [
    "ParseError",
    "ScheduleLike",
    "as_schedule",
    "from_dict",
    "from_json",
    "parse",
]
