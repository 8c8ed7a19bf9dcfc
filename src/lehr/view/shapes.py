"""The report's drawings of the schedules, a small chart for each."""

from lehr.lab.analysis.pair_result import Row, present
from lehr.lab.analysis.results import ComparedSchedule, Results
from lehr.view.markup import Markup, breakable, tag
from lehr.view.numbers import plain
from lehr.view.svg import Frame, Scale, band, chart, line, nice_ticks


def _shape(name: str, what: str, values: tuple[Row, Row], least: tuple[float, ...] = ()) -> Markup:
    """Draw a curve; the axis includes the levels `least` even if the curve does not reach them."""
    xs, ys = values
    steps, numbers = present(xs), present(ys)
    if len(steps) < 2 or not numbers:
        return tag("p", "No curve recorded.", class_="soft")
    bottom, top = min([*numbers, *least]), max([*numbers, *least])
    if top <= bottom:
        bottom, top = bottom - 0.05, top + 0.05
    x = Scale(steps[0], steps[-1], 34.0, 232.0)
    y = Scale(bottom, bottom + (top - bottom) * 1.04, 104.0, 8.0)
    frame = Frame(x, y, [steps[0], steps[-1]], nice_ticks(bottom, top, 3))
    floor: Row = (bottom,) * len(ys)
    return chart(
        240,
        126,
        frame.grid(),
        band(xs, floor, ys, x, y, class_="fill"),
        line(xs, ys, x, y, class_="curve"),
        name=name,
        title=f"{what} over the run",
        text=f"From {plain(numbers[0])} at the start to {plain(numbers[-1])} at the end; "
        f"lowest {plain(min(numbers))}, highest {plain(max(numbers))}.",
        class_="chart shape",
    )


def _card(contender: ComparedSchedule, index: int) -> list[Markup]:
    caption = tag(
        "figcaption",
        tag("h3", breakable(contender.name)),
        tag("p", contender.summary) if contender.summary else "",
        tag("code", contender.text) if contender.text not in ("", contender.name) else "",
    )
    rate_chart = _shape(f"shape-{index}", f"{contender.name}: rate", contender.rate, (0.0, 1.0))
    cards = [tag("figure", rate_chart, caption, class_="card")]
    if contender.momentum:
        drawn = _shape(f"momentum-{index}", f"{contender.name}: momentum", contender.momentum)
        words = tag("p", "Its momentum, which moves against the rate.")
        cards.append(
            tag(
                "figure",
                drawn,
                tag("figcaption", tag("h3", f"{contender.name}: momentum"), words),
                class_="card momentum",
            )
        )
    return cards


def schedules(results: Results) -> Markup:
    """Draw every schedule, as small multiples."""
    _, names = results.order
    cards: list[Markup] = []
    for index, name in enumerate(names):
        cards += _card(results.schedules[name], index)
    return tag("div", *cards, class_="cards")
