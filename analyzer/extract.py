"""Evidence as a capture of its own: the affected and control flows, original bytes and times, the argument as comments.

Every witness frame carries a packet comment that names the rule, its role and what was measured, so that Wireshark
shows the argument in place. The input is read a second time and only ever read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from analyzer import api
from analyzer.capture_writer import CaptureWriter
from analyzer.decode import Frames, Packets, decode
from analyzer.errors import UsageError
from analyzer.result import ACCUSING, Result, Verdict
from analyzer.sources import Source
from analyzer.tables import Table

CONTROL_FLOWS = 50  # of one kind of control; more prove nothing more
BATCH = 4096
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], np.uint64)
_PORT_MIX, _END_MIX = np.uint64(0xD6E8FEB86659FD93), np.uint64(0xFF51AFD7ED558CCD)


def chosen(result: Result, target: str | None) -> list[Verdict]:
    """The verdicts to prove: those about a target (service, service/role or name), else every accusation.

    Raises
    ------
    UsageError
        There is no such verdict.
    """
    if target:
        return list(api.only(result, target).answers)
    wanted = [v for v in result.answers if v.methods and v.state in ACCUSING]
    if not wanted:
        raise UsageError("there is no verdict that accuses anybody in this capture")
    return wanted


def flows_of(result: Result, verdicts: Iterable[Verdict]) -> set[int]:
    """Numbers of the flows that verdicts are about, and of those that they were compared with."""
    verdicts = list(verdicts)
    table = result.flow_table
    assert table is not None, "the analysis kept no flows"
    numbers = {key.flow for v in verdicts for method in v.methods for key in method.flows}
    numbers |= {flow for v in verdicts for finding in v.findings for flow in finding.flows}
    numbers |= {flow for v in verdicts for control in v.controls for flow in control.flows[:CONTROL_FLOWS]}
    targets = [v.target for v in verdicts]
    about = np.isin(table.target, targets) | np.isin(table.qname, targets) | np.isin(table.dns_name, targets)
    return numbers | set(table.flow[about].tolist())


def comments_of(verdicts: Iterable[Verdict]) -> dict[int, str]:
    """What to say at each witness frame: rule, role and measured values, one line a rule."""
    lines: dict[int, list[str]] = {}
    for verdict in verdicts:
        for finding in verdict.findings:
            measured = ", ".join(f"{key} {value}" for key, value in finding.measured.items())
            for witness in finding.witnesses:
                line = f"{finding.rule.id} [{witness.role}] {finding.rule.says}" + (
                    f" ({measured})" if measured else ""
                )
                if line not in lines.setdefault(witness.frame, []):
                    lines[witness.frame].append(line)
    return {frame: "\n".join(said) for frame, said in lines.items()}


def extract(
    result: Result,
    reopen: Callable[[], Source],
    path: str | os.PathLike,
    *,
    target: str | None = None,
) -> tuple[int, int]:
    """Write the evidence for verdicts as pcapng.

    Parameters
    ----------
    result : Result
        The analysis of the same capture.
    reopen : callable
        Opens the capture once more.
    path : path
        A new file; an existing one is never overwritten.
    target : str, optional
        Service, service/role or name; by default every accusation.

    Returns
    -------
    (frames, comments)
        How many frames were written, and how many of them carry a comment.

    Raises
    ------
    UsageError
        There is no such verdict, or the file exists.
    """
    verdicts = chosen(result, target)
    comments = comments_of(verdicts)
    wanted = _hashes(result.flow_table, flows_of(result, verdicts))
    witnesses = np.array(sorted(comments), np.int64)
    written = commented = 0
    try:
        writer = CaptureWriter(path)
    except FileExistsError:
        raise UsageError(f"{path} exists; evidence is never written over a file") from None
    with writer, reopen() as source:
        for frames in source.blocks():
            keep = _belongs(frames, wanted) | np.isin(frames.number, witnesses)
            if not keep.any():
                continue
            picked = _pick(frames, np.flatnonzero(keep))
            writer.write(picked, comments)
            written += len(picked.number)
            commented += int(np.isin(picked.number, witnesses).sum())
    return written, commented


def _pick(frames: Frames, rows: np.ndarray) -> Frames:
    columns = {name: getattr(frames, name)[rows] for name in Frames._fields if name not in ("data", "app")}
    return Frames(data=frames.data, **columns)


def _belongs(frames: Frames, wanted: np.ndarray) -> np.ndarray:
    """Frames of the wanted conversations, ICMP errors about them included."""
    out = np.zeros(len(frames.offset), bool)
    packets = Packets.allocate(BATCH)
    for first, count in _batches(len(out)):
        decode(frames, first, count, packets)
        address = packets.address[: 8 * count].reshape(-1, 8)
        ports = packets.sport[:count], packets.dport[:count]
        key = _key(packets.proto[:count], address[:, :4], ports[0], address[:, 4:], ports[1])
        out[first : first + count] = (packets.sport[:count] >= 0) & np.isin(key, wanted)
    return out


def _batches(total: int) -> Iterator[tuple[int, int]]:
    for first in range(0, total, BATCH):
        yield first, min(BATCH, total - first)


def _hashes(table: Table | None, numbers: set[int]) -> np.ndarray:
    """Keys of flows by their addresses as text."""
    assert table is not None
    rows = table[np.isin(table.flow, list(numbers))]
    ends = [
        np.array([_words(text) for text in column] or np.empty((0, 4)), np.uint64)
        for column in (rows.client, rows.server)
    ]
    return _key(rows.proto, ends[0], rows.client_port, ends[1], rows.server_port)


def _words(text: str) -> tuple[int, int, int, int]:
    import ipaddress

    value = int(ipaddress.ip_address(text))
    if ":" not in text:
        value |= 0xFFFF << 32
    return value >> 96, value >> 64 & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF, value & 0xFFFFFFFF


def _key(proto, a_words, a_port, b_words, b_port) -> np.ndarray:
    """A 64-bit hash of a conversation, the same in both directions (uint64)."""
    return _end(a_words, a_port) + _end(b_words, b_port) + proto.astype(np.uint64) * _PORT_MIX


def _end(words: np.ndarray, port: np.ndarray) -> np.ndarray:
    mixed = (words.astype(np.uint64) * _MIX).sum(axis=1, dtype=np.uint64) + port.astype(np.uint64) * _PORT_MIX
    return (mixed ^ (mixed >> np.uint64(29))) * _END_MIX
