"""What limits a bulky flow: pure functions on its `series` (`tables.SERIES`), no verdicts.

A limiter is seen through three independent windows, one module each: which packets it dropped (`loss`, fitted by
`bucket` and `segments`), how long it held the others (`delay`), and whether the flow asked for more than it got
(`demand`). No one of them is enough: a policer and a drop-tail queue of the same rate and depth drop the same packets.
"""
