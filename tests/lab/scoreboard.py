"""Tables of how the analyzer fared, as Markdown: per method and vantage, what was taken for what, who was accused wrongly.

A method counts as found when a verdict accuses one of its flows with the action that it is at this vantage (`traces`), or
with the one it was meant as; as misnamed when with another. Methods that leave no trace at a vantage are listed and cannot be
missed. A method that is said is right when it accuses only flows that were interfered with so, and wrong when it accuses
one that was not interfered with. Flows that a rule met without effect count neither way.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.exact import wilson

if TYPE_CHECKING:
    from tests.lab.accuracy import Done, Judged, Said

BEGIN, END = "<!-- accuracy: written by `make accuracy` -->", "<!-- end of accuracy -->"
_VANTAGES = ("client", "server", "phone")
_CLOSE = {"rate": 0.05, "bucket": 0.15}  # errors that a number may have
# Words for one thing that a capture cannot always tell apart: silence after the trigger, or some packets later.
_SILENT = {"drop", "delayed_drop"}
_ALIKE = ({"drop", "delayed_drop", "freeze"}, {"blockpage", "forged_data"})


def same(one: str, other: str) -> bool:
    return one == other or any(one in words and other in words for words in _ALIKE)


def share(hits: int, tried: int) -> str:
    """`12/13 = .92 (.67–.99)`."""
    if not tried:
        return "–"
    low, high = wilson(hits, tried)
    return f"{hits}/{tried} = {_short(hits / tried)} ({_short(low)}–{_short(high)})"


def _short(value: float) -> str:
    return f"{value:.2f}".lstrip("0") if value < 1 else "1"


def outcome(done: Done, said: Iterable[Said]) -> str:
    """`found`, the other action that was named, or `missed`."""
    flows = set(done.flows)
    named = [each for each in said if flows & set(each.flows)]
    if any(each.action in (done.action, done.meant) for each in named):
        return "found"
    alike = [each for each in named if names(each.action, done)]
    return (alike or named)[0].action if named else "missed"


def names(action: str, done: Done) -> bool:
    """Whether an action is what was done, as it shows here or as it was meant."""
    return same(action, done.action) or same(action, done.meant)


def standing(said: Said, judged: Judged) -> str:
    """`right`, `misnamed` (these flows were interfered with otherwise), `wrong` or `unjudged`."""
    flows = set(said.flows)
    if said.position == "device" and flows & judged.device:
        return "right"
    if any(names(said.action, done) and flows & set(done.flows) for done in judged.truth):
        return "wrong" if any(key in judged.genuine for key in flows) else "right"
    if flows & judged.harmed:
        return "misnamed"
    return "wrong" if flows & judged.genuine.keys() else "unjudged"


def tables(judged: Sequence[Judged]) -> str:
    scenarios = {each.scenario for each in judged}
    interfering = {each.scenario for each in judged if each.truth}
    about = f"{len(judged)} captures of {len(scenarios)} scenarios, {len(interfering)} of them with interference."
    parts = [
        f"{about} Shares with 95 % Wilson intervals.",
        _overall(judged), _at_server(judged), _methods(judged), _traceless(judged), _confusion(judged), _axes(judged),
        _rates(judged), _causes(judged),
    ]  # fmt: skip
    failures = [each for each in judged if each.error]
    if failures:
        parts.append(f"Not analysed: {len(failures)} ({failures[0].scenario}: {failures[0].error}).")
    return "\n\n".join(part for part in parts if part)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def _shown(judged: Judged) -> list[Done]:
    """Methods that this capture could show."""
    return [done for done in judged.truth if done.action]


def _at(judged: Sequence[Judged], vantage: str) -> list[Judged]:
    return [each for each in judged if each.vantage == vantage]


def _overall(judged: Sequence[Judged]) -> str:
    rows = []
    for vantage in _VANTAGES:
        here = _at(judged, vantage)
        found = Counter(_coarse(outcome(done, each.said), done) for each in here for done in _shown(each))
        traceless = sum(not done.action for each in here for done in each.truth)
        stand = Counter(standing(said, each) for each in here for said in each.said)
        named = sum(stand[word] for word in ("right", "misnamed", "wrong"))
        wronged = sum(len(accused(each)) for each in here)
        rows.append((
            vantage, share(found["found"], sum(found.values())), found["misnamed"], found["missed"], traceless,
            share(stand["right"], named), stand["misnamed"], stand["wrong"],
            share(wronged, sum(len(each.genuine) for each in here)),
        ))  # fmt: skip
    head = (
        "vantage",
        "methods found (recall)",
        "misnamed",
        "missed",
        "without a trace",
        "methods said right (precision)",
        "misnamed",
        "wrong",
        "genuine flows accused",
    )
    return _table(head, rows)


def _at_server(judged: Sequence[Judged]) -> str:
    """At a server it matters what there is to compare with: what one client leaves, its own device may have left."""
    kinds: dict[str, list[tuple[Done, str]]] = defaultdict(list)
    for each in _at(judged, "server"):
        for done in _shown(each):
            kind = "several" if each.networks > 1 else "missing" if done.action in _SILENT else "came"
            kinds[kind].append((done, _coarse(outcome(done, each.said), done)))
    rows = []
    for kind, about in (
        ("several", "clients of several networks"),
        ("came", "one client, and something came or was slowed"),
        ("missing", "one client that falls silent: often what a filter on its own device leaves too"),
    ):
        words = [word for _, word in kinds[kind]]
        rows.append((about, share(words.count("found"), len(words)), words.count("misnamed"), words.count("missed")))
    head = ("seen from the server", "methods found (recall)", "misnamed", "missed")
    return "**At the server, by what there is to compare with**\n\n" + _table(head, rows)


def _coarse(word: str, done: Done) -> str:
    return "found" if word == "found" or names(word, done) else "missed" if word == "missed" else "misnamed"


def accused(judged: Judged) -> dict:
    """Genuine flows under an accusing verdict, unless it says that the device did it, and the device did."""
    wrong = {}
    for said in judged.said:
        for key in said.flows:
            if key in judged.genuine and not (said.position == "device" and key in judged.device):
                wrong[key] = said
    return wrong


def _methods(judged: Sequence[Judged]) -> str:
    actions = sorted({done.action for each in judged for done in _shown(each)})
    rows = []
    for action in actions:
        row = [f"`{action}`"]
        for vantage in _VANTAGES[:2]:
            here = _at(judged, vantage)
            found = [
                _coarse(outcome(done, each.said), done)
                for each in here
                for done in _shown(each)
                if done.action == action
            ]
            stand = Counter(standing(said, each) for each in here for said in each.said if said.action == action)
            row += [
                share(found.count("found"), len(found)),
                share(stand["right"], stand["right"] + stand["misnamed"] + stand["wrong"]),
            ]
        rows.append(row)
    return "**Methods, by what was done**\n\n" + _table(
        ("done", "recall, client", "precision, client", "recall, server", "precision, server"), rows
    )


def _traceless(judged: Sequence[Judged]) -> str:
    """What no capture at a vantage can show, and how often it was inferred all the same."""
    rows = []
    for vantage in _VANTAGES[:2]:
        counts: dict[tuple[str, str], list[str]] = defaultdict(list)
        for each in _at(judged, vantage):
            for done in each.truth:
                if not done.action:
                    counts[done.meant, done.trigger].append(_coarse(outcome(done, each.said), done))
        rows += [
            (vantage, f"`{meant}`", f"`{trigger}`", len(words), words.count("found") or "")
            for (meant, trigger), words in sorted(counts.items())
        ]
    head = ("vantage", "done", "by", "methods", "named all the same")
    return "**Methods that leave no trace at a vantage**\n\n" + _table(head, rows) if rows else ""


def _meant(done: Done) -> str:
    return done.action if done.action == done.meant else f"{done.action} of a {done.meant}"


def _confusion(judged: Sequence[Judged]) -> str:
    parts = []
    for vantage in _VANTAGES[:2]:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for each in _at(judged, vantage):
            for done in _shown(each):
                word = outcome(done, each.said)
                counts[done.action][done.action if word == "found" else word] += 1
        said = sorted({word for counter in counts.values() for word in counter} - {"missed"})
        rows = [(f"`{done}`", *(counts[done][word] or "" for word in [*said, "missed"])) for done in sorted(counts)]
        parts.append(f"**Done (rows) and said (columns), {vantage}**\n\n" + _table(("", *said, "missed"), rows))
    return "\n\n".join(parts)


def _axes(judged: Sequence[Judged]) -> str:
    """Of methods found: how often trigger and position are right too, or left open."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in judged:
        for done in each.truth:
            said = next((s for s in each.said if same(s.action, done.action) and set(s.flows) & set(done.flows)), None)
            if said:
                counts["trigger"][
                    "right" if said.trigger == done.trigger else "open" if said.trigger == "none_seen" else "wrong"
                ] += 1
                counts["position"][
                    "right" if said.position == done.position else "open" if said.position == "unknown" else "wrong"
                ] += 1
    rows = [
        (axis, counts[axis]["right"], counts[axis]["open"], counts[axis]["wrong"]) for axis in ("trigger", "position")
    ]
    return "**Of the methods found**\n\n" + _table(("axis", "right", "left open", "another word"), rows)


def _rates(judged: Sequence[Judged]) -> str:
    """How far the numbers of limiters are from the truth: rates, and policers' buckets."""
    rows = []
    for action, what in (("police", "rate"), ("police", "bucket"), ("shape", "rate")):
        for vantage in _VANTAGES[:2]:
            met = [
                (done, said) for each in _at(judged, vantage) for done in each.truth for said in each.said
                if done.action == said.action == action and set(done.flows) & set(said.flows)
            ]  # fmt: skip
            pairs = [
                (said.rate_kbps, done.rate_kbps) if what == "rate" else (said.bucket_bytes, done.bucket_bytes)
                for done, said in met
            ]
            found = sorted(abs(one / true - 1) for one, true in pairs if one and true)
            if found:
                close = _CLOSE[what]
                row = len(found), f"{statistics.median(found):.1%}", f"{_ninth(found):.1%}", f"{found[-1]:.1%}"
                rows.append((f"`{action}`", what, vantage, *row, share(sum(e <= close for e in found), len(found))))
    head = ("action", "number", "vantage", "n", "median", "90th percentile", "worst", "rate within 5 %, bucket 15 %")
    return "**Numbers of limiters, |said ÷ true − 1|**\n\n" + _table(head, rows) if rows else ""


def _ninth(ordered: Sequence[float]) -> float:
    """The 90th percentile: nine tenths are no larger."""
    return ordered[math.ceil(0.9 * len(ordered)) - 1]


def _causes(judged: Sequence[Judged]) -> str:
    """Genuine flows, by what ordinary thing happened to them."""
    flows, wronged = Counter(), Counter()
    for each in judged:
        flows.update(cause or "nothing" for cause in each.genuine.values())
        wronged.update(each.genuine[key] or "nothing" for key in accused(each))
    rows = [(f"`{cause}`", flows[cause], wronged[cause] or "") for cause in sorted(flows)]
    return "**Genuine flows, by cause**\n\n" + _table(("cause", "flows", "accused"), rows)


def errors(judged: Sequence[Judged]) -> str:
    """Every miss, misnaming and false accusation, those of one kind together, to start from."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for each in judged:
        for done in _shown(each):
            word = outcome(done, each.said)
            if _coarse(word, done) != "found":
                taken = "missed" if word == "missed" else f"taken for {word}"
                kinds[f"{taken}: {_meant(done)} by {done.trigger}, {each.vantage}"].append(each.scenario)
        for said in each.said:
            if standing(said, each) == "wrong":
                innocent = [key for key in said.flows if key in each.genuine]
                cause = Counter(each.genuine[key] or "nothing" for key in innocent).most_common(1)[0][0]
                kinds[f"wrong: {said.state} {said.action}, though it was {cause}, {each.vantage}"].append(
                    f"{each.scenario} ({len(innocent)} genuine flows of {said.target}; {', '.join(said.rules)})"
                )
    return "\n".join(f"{kind}\n    {', '.join(dict.fromkeys(kinds[kind]))}" for kind in sorted(kinds, reverse=True))


def keep(text: str, readme: Path) -> None:
    """Put the tables between their marks."""
    whole = readme.read_text()
    before, _, rest = whole.partition(BEGIN)
    after = rest.partition(END)[2] if rest else ""
    readme.write_text(f"{before.rstrip()}\n\n{BEGIN}\n{text}\n{END}{after or chr(10)}")
