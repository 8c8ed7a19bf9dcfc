"""The report's table of how far each choice moves the score."""

from lehr.lab.analysis.influence import SEED, Influence
from lehr.lab.analysis.results import Results
from lehr.view.markup import Markup, table, tag
from lehr.view.numbers import NARROW

_NAMES = {
    "optimizer": "Optimizer",
    "schedule": "Schedule",
    "optimizer x schedule": "How well the two suit each other",
    "peak rate": "Peak rate, within a decade around the best",
    SEED: "Seed",
}

_BAR = 160.0


def _share(each: Influence) -> Markup:
    """Draw the share as a bar with its interval."""
    x = [_BAR * s for s in (0, each.share, each.share_low or 0, each.share_high or 0)]
    bar = tag("rect", x=0.0, y=4.0, width=x[1], height=12.0, class_="bar")
    reach = tag("line", x1=x[2], x2=x[3], y1=10.0, y2=10.0, class_="reach")
    parts = [bar] if each.share_low is None else [bar, reach]
    size = f"0 0 {_BAR:g} 20"
    return tag(
        "svg", *parts, viewBox=size, width=_BAR, height=20, class_="bars", aria_hidden="true"
    )


def influences(results: Results) -> Markup:
    """Build the table, the strongest first."""
    metric = results.metric
    rows: list[Markup] = []
    for each in sorted(results.influences, key=lambda each: -each.spread):
        ends = [metric.difference(end) for end in (each.low, each.high) if end is not None]
        shares = [
            f"{100 * end:.0f}" for end in (each.share_low, each.share_high) if end is not None
        ]
        rows.append(
            tag(
                "tr",
                tag("th", _NAMES.get(each.name, each.name), scope="row"),
                tag(
                    "td",
                    tag("b", metric.difference(each.spread)),
                    tag("small", f" {'–'.join(ends)}") if ends else "",
                    class_="number",
                ),
                tag("td", _share(each), class_="share"),
                tag(
                    "td",
                    f"{100 * each.share:.0f}{NARROW}%",
                    tag("small", f" {'–'.join(shares)}") if shares else "",
                    class_="number",
                ),
            )
        )
    unit = f", {metric.units.strip()}" if metric.unit else ""
    head = tag(
        "tr",
        tag("th", "Choice", scope="col"),
        tag("th", f"Moves the score by{unit}", scope="col", class_="number"),
        tag("th", tag("span", "Share, drawn", class_="unseen"), scope="col"),
        tag("th", "Share of the variance", scope="col", class_="number"),
    )
    caption = (
        "A standard deviation over the choices compared here, and its interval; the scatter that "
        "seeds add to means is subtracted. The peak rate's part is that of the validation "
        f"{metric.name} at the peaks within half a decade of each pair's best, so that it does "
        "not depend on how wide the grid is. Another tuned number's part is that of its values, "
        "each with the peak that is best with it. Other choices would have other parts."
    )
    return table("influences", caption, head, rows)
