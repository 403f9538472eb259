"""Every bound on memory and work, in one place. Reaching one is never silent: coverage names it in `limits_reached`."""

BLOCK_BYTES = 16 << 20  # one read of a capture; large enough that a call into a kernel costs nothing
INTERPRETED_BYTES = (
    1 << 20
)  # below this, interpreting the kernels is quicker than importing Numba and loading them [measured]
MAX_FRAME_BYTES = 1 << 18  # Wireshark's own WTAP_MAX_PACKET_SIZE_STANDARD: a longer record is a damaged file
MAX_EXPANSION = 1 << 40  # decompressed bytes taken from one capture (a bomb ends here, as a cut)

MAX_FLOWS = 1 << 17  # live flows in the hot table; past it the least recent are finished early and go on as `part` + 1
MAX_ROWS = 1 << 22  # kept packets (64 bytes each) in all live flows
MAX_HEAD_CHUNKS = 1 << 20  # 256-byte chunks of kept payload in all live flows
MAX_SERIES = 1 << 24  # 16-byte series entries in all live flows
MAX_COLD_FLOWS = 1 << 21  # remembered numbers of finished flows, so that what goes on is the same flow

FIRST_ROWS = 32  # packets kept from a flow's start
LAST_ROWS = 16  # and from its end, in a ring that is allocated once the first are used up
CONTROL_ROWS = 16  # SYN, FIN, RST, ICMP kept first, and again as many in a ring of the last
NOTABLE_ROWS = 128  # holes, retransmissions, DSACKs, zero windows
HEAD_UP_BYTES = 4 << 10  # payload kept for the parsers: a post-quantum ClientHello is some 2 kB
HEAD_DOWN_BYTES = 8 << 10  # a TLS 1.2 certificate chain, an HTTP page's title
SERIES_PER_FLOW = 1 << 16  # packets of one flow that rates are fitted on

MAX_DATAGRAMS = 1024  # fragmented datagrams waiting for the rest
MAX_FRAGMENT_BYTES = 16 << 20  # and their bytes in all
MAX_DATAGRAM = 65_535 - 20  # what an IP packet can carry; more is a ping of death

MAX_FLOWS_KEPT = 1 << 20  # rows of the flows table; with what is remembered of them some 3 kB each at the peak
MAX_APPS = 1 << 18  # conversations whose app the capture names
MAX_PAIRED = 4_000_000  # packets of one capture that are matched one by one with another's
MAX_NAMES = 1 << 20  # DNS questions remembered, and answers
MAX_ICMP_ERRORS = 1 << 16  # ICMP errors about TCP and UDP packets remembered, beside those kept with their flows
MAX_RESETS = 1 << 20  # resets remembered, RESETS_PER_SIDE of each flow and side
RESETS_PER_SIDE = 4  # bursts and ladders show their habits in the first few
MAX_STRINGS = 1 << 21  # distinct names and addresses interned
MAX_FINDINGS = 50_000  # evidence rows
MAX_VERDICTS = 20_000  # verdicts about targets that nothing is known of and nothing happened to
MAX_ADDRESSES = 16  # addresses named per verdict
MAX_FLOWS_NAMED = 10_000  # flows named per method
MAX_CONTROLS = 8  # targets named per kind of control
MAX_COMPARED = 64  # failing targets of no known service that are compared with others; a scan has thousands
MAX_WITNESSES = 32  # frames named per evidence row; the count beyond them is kept
CLOCK_STEP_NS = 3600 * 10**9  # a jump over an hour counts only when CLOCK_STEP_FRAMES frames in a row agree
CLOCK_STEP_FRAMES = 16
MAX_EXHIBITS = 128  # flows kept to be looked at, of each of three sorts: some 4 kB each, 25 kB at most
MAX_EXHIBIT_SERIES = 1 << 18  # series rows (some 40 bytes) of all exhibits: four flows at their cap, many ordinary ones
FINISHED_BATCH = 4096  # flows handed to the signatures at once
