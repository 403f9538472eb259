"""What the numbers in some columns stand for. Kernels know these, and nothing else of the tables."""

from enum import IntEnum, IntFlag


class Kind(IntEnum):
    """What a TCP segment's bytes are to its direction's sequence space."""

    NONE = 0  # no payload (or not TCP)
    NEW = 1  # continues or opens a gap
    FILL = 2  # fills a hole sooner than a resend could: reordered on the way
    RESENT = 3  # fills a hole late: bytes that were lost before this point
    SPURIOUS = 4  # bytes seen here before: lost after this point, or not lost at all
    KEEPALIVE = 5  # one byte (or none) below the next sequence number


class Stage(IntEnum):
    """How far a conversation came."""

    NONE = 0  # nothing that can be judged (begun before the capture, other protocols)
    SYN = 1  # asked for a connection, no SYN/ACK
    SYNACK = 2  # SYN/ACK came, the client's ACK did not
    OPEN = 3  # handshake complete, client has asked nothing yet
    ASKED = 4  # the client sent payload, the server none
    ANSWERED = 5  # the server sent payload after that
    SERVED = 6  # the conversation went on: the client sent more and the server answered that too, or a long answer came


class End(IntEnum):
    """What ended a conversation, as seen here."""

    OPEN = 0  # alive at the end of the capture, or nothing marked an end
    FIN = 1  # both sides closed, or one did and the other had nothing against it
    RST_DOWN = 2  # the first reset came from the server's side
    RST_UP = 3  # the first reset came from the client's side
    SILENCE = 4  # the last thing asked was resent and never acknowledged or answered
    ICMP = 5  # an ICMP error quoting it came, and nothing after


class Vantage(IntEnum):
    UNKNOWN = 0
    CLIENT = 1
    SERVER = 2
    MIDDLE = 3


class Cut(IntFlag):
    """Why a flow's picture is not whole."""

    MIDWAY = 1  # begun before the capture (no SYN seen)
    ONE_DIRECTION = 2  # packets of one direction only, although the other must exist
    SNAPLEN = 4  # payload cut by the capture's snapshot length
    GAP = 8  # ACKs of bytes that are not in the capture
    ROWS = 16  # more packets than are kept
    HEAD = 32  # more payload than is kept (normal for bulky flows; says nothing bad by itself)
    SERIES = 64  # series capped
    PART = 128  # finished early for want of memory; goes on as another part
    PROXIED = 256  # TCP/IP headers invented by the capturing device
    PROBE = 1024  # payload sent with another TTL than the SYN: a traceroute-like probe or a local packet tool
    CAPTURE_END = 512  # still exchanging packets within the last two seconds of the capture


class Bad(IntFlag):
    """What was wrong with a frame (0: nothing)."""

    LINK = 1  # link type not supported, or its header cut
    NOT_IP = 2  # ARP and the like: fine, but not ours
    IP = 4  # IP header cut, wrong version or impossible lengths
    FRAGMENT = 8  # not the first fragment: no ports
    TRANSPORT = 16  # TCP or UDP header cut or impossible
    OPTIONS = 32  # TCP options malformed (the rest of the packet is used)
    PROTOCOL = 64  # another protocol above IP


class Tunnel(IntEnum):
    """What a packet was read out of: the innermost tunnel around it."""

    NONE = 0
    IP_IN_IP = 1  # RFC 2003, RFC 2473
    SIX_IN_FOUR = 2  # IPv6 in IPv4: configured tunnels, 6to4, ISATAP (RFC 4213)
    GRE = 3  # RFC 2784, PPTP's variant and wireless controllers' included
    ERSPAN = 4  # a mirror port's copy
    VXLAN = 5  # RFC 7348
    GENEVE = 6  # RFC 8926
    GTP = 7  # between the parts of a mobile network (3GPP TS 29.281)
    TEREDO = 8  # IPv6 in UDP, by hosts behind a NAT (RFC 4380)


TCP_FIN, TCP_SYN, TCP_RST, TCP_PSH, TCP_ACK, TCP_URG, TCP_ECE, TCP_CWR = 1, 2, 4, 8, 16, 32, 64, 128
