"""The capturing program of last resort: scapy's sniffer, writing a pcap stream to standard output.

Runs as a program of its own (`python -m analyzer.sources.scapy_feeder IFACE [FILTER]`), so that a slow sniffer cannot
stall the analysis and live stays a pipe. The only place where scapy is on the way of packets.
"""

import sys


def main() -> None:
    from scapy.config import conf
    from scapy.sendrecv import sniff
    from scapy.utils import PcapWriter

    iface, bpf = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    conf.verb = 0
    with PcapWriter(sys.stdout.buffer, sync=True, nano=True) as out:
        out.write_header(None)
        sniff(iface=iface, filter=bpf, store=False, prn=out.write)


if __name__ == "__main__":
    main()
