"""How to make a better capture next time: steps for what this one lacked, in terms of the app that made it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from analyzer.report import sentences
from analyzer.report.words import N_, Words
from analyzer.result import ACCUSING, CaptureInfo, Verdict


class Step(NamedTuple):
    text: str
    command: str = ""


class App(NamedTuple):
    """A program that captures: how it is recognised, and what to do with it."""

    mark: re.Pattern[str]
    advice: str
    command: str = ""


APPS = {
    "pcapdroid": App(
        re.compile("pcapdroid", re.IGNORECASE),
        N_(
            "In PCAPdroid, use root mode if the phone has root: without it the app writes packet headers of its own. "
            "Leave TLS decryption and the firewall off, and dump to a PCAP file."
        ),
    ),
    "ios": App(
        re.compile(r"rvi\d|rvictl|pktap", re.IGNORECASE),
        N_("On a Mac with the phone on a cable, capture its remote virtual interface."),
        "rvictl -s UDID && tcpdump -i rvi0 -s 0 -w again.pcap",
    ),
    "wireshark": App(
        re.compile("dumpcap|wireshark|tshark", re.IGNORECASE),
        N_("With Wireshark's own capturing program, whole packets for ten minutes:"),
        "dumpcap -i IFACE -s 0 -a duration:600 -w again.pcapng",
    ),
    "tcpdump": App(
        re.compile("tcpdump|libpcap", re.IGNORECASE),
        N_("With tcpdump, whole packets, on the interface that leads outside:"),
        "tcpdump -i IFACE -s 0 -w again.pcap",
    ),
}


def recognise(capture: CaptureInfo) -> str | None:
    """Which program made the capture, as far as the file says so."""
    said = " ".join(filter(None, (capture.capturer, *capture.comments)))
    return next((name for name, app in APPS.items() if app.mark.search(said)), None)


def steps(verdicts: Sequence[Verdict], app: str | None, words: Words) -> list[Step]:
    """What would answer what is still open, the most often needed first, then what always helps."""
    wanted = [verdict.next for verdict in verdicts if verdict.next]
    codes = sorted(dict.fromkeys(wanted), key=lambda code: -wanted.count(code))
    found = [Step(sentences.next_step(code, words)) for code in codes]
    if app is not None:
        found.append(Step(words.say(APPS[app].advice), APPS[app].command))
    found.append(Step(words.say(sentences.GUIDE), sentences.GUIDE_COMMAND))
    if any(verdict.state in ACCUSING for verdict in verdicts):
        found.append(
            Step(
                words.say(
                    N_(
                        "Repeat it on another network, such as a phone's hotspot: a difference there is worth more "
                        "than any rule here."
                    )
                ),
                "interference compare HERE.pcapng THERE.pcapng",
            )
        )
    found.append(Step(words.say(N_("Share this report, not the capture: whoever has a capture can read who made it."))))
    return found
