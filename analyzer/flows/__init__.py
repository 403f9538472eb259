"""Packet batches to finished flows.

`arenas` is the memory, `table` the hash table, `sequence` the TCP accounting, `keep` what is retained, `account` the loop
over packets; `tracker` drives them; `collect`, `finished` and `summary` make tables of flows that ended; `identify` and
`dns_watch` give them names; `seen` holds what outlives them.
"""
