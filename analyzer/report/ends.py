"""Two captures together, in words: what `pair` found between the ends, what `compare` found between two networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analyzer.report import phrases
from analyzer.report.escape import visible
from analyzer.report.sentences import SHOWN, name, own_name
from analyzer.report.words import NN_, Words

if TYPE_CHECKING:
    from analyzer.compare import Difference
    from analyzer.pair import Paired

MOST_FRAMES = 8
SAME_CLOCK = 50_000  # ns between two clocks that would be shown as 0.0 ms
ENOUGH = 5  # attempts in each: 0 of 5 against 5 of 5 has p = 1/252, which outlasts the correction for a dozen targets
_KINDS = {  # (kind, on its way up) -> one and many
    ("forged", False): NN_(
        "{n} packet that the client received was never sent by the server (forged): client packet {frames}",
        "{n} packets that the client received were never sent by the server (forged): client packets {frames}",
    ),
    ("forged", True): NN_(
        "{n} packet that the server received was never sent by the client (forged): server packet {frames}",
        "{n} packets that the server received were never sent by the client (forged): server packets {frames}",
    ),
    ("dropped", True): NN_(
        "{n} packet of the client never reached the server (dropped): client packet {frames}",
        "{n} packets of the client never reached the server (dropped): client packets {frames}",
    ),
    ("dropped", False): NN_(
        "{n} packet of the server never reached the client (dropped): server packet {frames}",
        "{n} packets of the server never reached the client (dropped): server packets {frames}",
    ),
    ("rewritten", False): NN_(
        "{n} packet of the server came to the client as another one (rewritten): client packet {frames}",
        "{n} packets of the server came to the client as others (rewritten): client packets {frames}",
    ),
    ("rewritten", True): NN_(
        "{n} packet of the client came to the server as another one (rewritten): server packet {frames}",
        "{n} packets of the client came to the server as others (rewritten): server packets {frames}",
    ),
}


def pairing(done: Paired, words: Words) -> str:
    """What the two ends say together, as lines of text."""
    lines = [
        words.plural(
            "Both captures hold {n} connection; {packets} packets arrived as they were sent.",
            "Both captures hold {n} connections; {packets} packets arrived as they were sent.",
            done.connections,
            packets=words.number(done.packets),
        ),
        _clocks(done, words),
    ]
    counts = Counter((event.kind, event.up) for event in done.events)
    for (kind, up), (one, many) in _KINDS.items():
        if n := counts[kind, up]:
            at_client = up == (kind == "dropped")
            frames = [
                e.client_frame if at_client else e.server_frame for e in done.events if (e.kind, e.up) == (kind, up)
            ]
            shown = [*map(str, frames[:MOST_FRAMES]), *(["…"] if n > MOST_FRAMES else [])]
            lines.append("• " + words.plural(one, many, n, frames=words.listing(shown)))
    if not done.events:
        lines.append(words.say("Nothing was forged, dropped or rewritten between the two."))
    return "\n".join(lines) + "\n"


def _clocks(done: Paired, words: Words) -> str:
    offset, way = words.number(abs(done.clock.offset) / 1e6, 1), words.number(done.clock.one_way / 1e6, 1)
    if abs(done.clock.offset) < SAME_CLOCK:
        return words.say("The two clocks agree; the way takes {way} ms.", way=way)
    if done.clock.offset < 0:
        return words.say("The server's clock is {offset} ms behind; the way takes {way} ms.", offset=offset, way=way)
    return words.say("The server's clock is {offset} ms ahead; the way takes {way} ms.", offset=offset, way=way)


def comparison(
    differences: Sequence[Difference], words: Words, service_names: dict[str, str], here: str = "", there: str = ""
) -> str:
    """What differs between two networks, as lines of text: the surest first, then what does not differ.

    `here` and `there` are what the two captures are called.
    """
    surely = [d for d in differences if d.differs or _shown(d)]
    lines = []
    if here and there:
        lines.append(
            words.say(
                "Here: {here}, where it does not work. There: {there}, the control.",
                here=visible(here),
                there=visible(there),
            )
        )
    if surely:
        lines.append(
            words.plural(
                "{n} target fares worse here than there, and not by chance (●).",
                "{n} targets fare worse here than there, and not by chance (●).",
                len(surely),
            )
        )
    elif any(map(_too_few, differences)):
        lines.append(
            words.say("What fails here works there, but there are too few attempts to be sure that they differ (○).")
        )
    else:
        lines.append(words.say("Nothing differs between the two captures that chance could not explain."))
    lines.append("")
    for difference in differences:
        if difference.affected is None and difference.control is None:
            continue
        mark = "●" if difference in surely else "○" if difference.worse else " "
        states = [_state(v, words) for v in (difference.affected, difference.control)]
        lines.append(f"{mark} {_name(difference, words, service_names)}")
        lines.append("    " + words.say("here: {here}; there: {there}", here=states[0], there=states[1]))
        if difference.differs and difference.p is not None:
            lines.append("    " + words.say("chance explains this with a probability of {p}", p=f"{difference.p:.2g}"))
        elif _shown(difference):
            lines.append("    " + words.say("shown by the packets of the first capture, whatever the count"))
        elif _too_few(difference):
            lines.append("    " + words.say("too few attempts to tell; try it at least five times in both"))
    lines.append(words.say("A difference says that something on the way or at the server differs, not what."))
    return "\n".join(lines)


def _name(difference: Difference, words: Words, service_names: dict[str, str]) -> str:
    if not difference.service:
        return visible(difference.target)
    service = words.service(service_names.get(difference.service, difference.service))
    verdict = difference.affected or difference.control
    if verdict is not None and own_name(verdict, visible) is None:
        return name(verdict, words, service)
    return words.say("{service}: {name}", service=visible(service), name=visible(difference.target))


def _shown(difference: Difference) -> bool:
    """The first capture proves by itself what is done to it, and in the other it works: no count has to say more."""
    here, there = difference.affected, difference.control
    return here is not None and there is not None and here.state in SHOWN and there.state == "ok"


def _too_few(difference: Difference) -> bool:
    """It never worked here and never failed there, but so seldom that chance may have done it."""
    here, there = difference.affected, difference.control
    if difference.differs or here is None or there is None:
        return False
    split = here.failed == here.attempts > 0 and there.attempts > there.failed == 0
    return split and min(here.attempts, there.attempts) < ENOUGH


def _state(verdict, words: Words) -> str:
    if verdict is None:
        return words.say("not tried")
    said = words.say(phrases.STATES[verdict.state])
    if not verdict.attempts:
        return said
    if verdict.state == "ok":
        return words.say(
            "{state} ({fine} of {n} worked)",
            state=said,
            fine=words.number(verdict.attempts - verdict.failed),
            n=words.number(verdict.attempts),
        )
    return words.say(
        "{state} ({failed} of {n} failed)",
        state=said,
        failed=words.number(verdict.failed),
        n=words.number(verdict.attempts),
    )
