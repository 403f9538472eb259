"""Every table of the analyzer and every column in it: name, dtype, unit, meaning. Declared here and nowhere else.

Inside, a table is a `Table`: named NumPy columns of one length. pandas appears only at the public boundary
(`Table.to_pandas`, imported there), because it costs more start-up time than a small capture takes to analyse.
Missing is null, never 0: each column names the value that stands for "not known" and becomes NA in pandas.
The unit `time` is a point in time in nanoseconds since 1970 (UTC); `ns` is a duration.
"""

from analyzer.tables.by_flow import greatest, least
from analyzer.tables.codes import (
    TCP_ACK,
    TCP_CWR,
    TCP_ECE,
    TCP_FIN,
    TCP_PSH,
    TCP_RST,
    TCP_SYN,
    TCP_URG,
    Bad,
    Cut,
    End,
    Kind,
    Stage,
    Tunnel,
    Vantage,
)
from analyzer.tables.conclusions import EVIDENCE, VERDICTS, WITNESSES
from analyzer.tables.seen import ATTEMPTS, ENDPOINTS, ICMP_ERRORS, NAMES, QUESTIONS, RESETS
from analyzer.tables.table import Column, Table
from analyzer.tables.traffic import COMMUNITY_ID, FLOWS, JA3, PACKETS, SERIES

TABLES = {
    "packets": PACKETS, "flows": FLOWS, "attempts": ATTEMPTS, "endpoints": ENDPOINTS, "resets": RESETS,
    "questions": QUESTIONS, "names": NAMES, "icmp_errors": ICMP_ERRORS, "series": SERIES,
    "evidence": EVIDENCE, "witnesses": WITNESSES, "verdicts": VERDICTS,
}  # fmt: skip

__all__ = [
    "ATTEMPTS", "COMMUNITY_ID", "ENDPOINTS", "EVIDENCE", "FLOWS", "ICMP_ERRORS", "JA3", "NAMES", "PACKETS", "QUESTIONS",
    "RESETS", "SERIES", "TABLES", "TCP_ACK", "TCP_CWR", "TCP_ECE", "TCP_FIN", "TCP_PSH", "TCP_RST", "TCP_SYN", "TCP_URG",
    "VERDICTS", "WITNESSES", "Bad", "Column", "Cut", "End", "Kind", "Stage", "Table", "Tunnel", "Vantage",
    "greatest", "least",
]  # fmt: skip
