"""The few ways a run can fail. Hostile bytes are not among them: those are data (see `tables.Bad`)."""


class InterferenceError(Exception):
    """Base of everything this package raises on purpose; its text is one line for a person."""


class CaptureError(InterferenceError):
    """A capture cannot be used at all (missing, unreadable, not a capture). The command line exits with 3.

    Parameters
    ----------
    why : str
        One clear line, without the file's name.
    at_byte : int or None
        Offset in the (decompressed) input where it went wrong, when that is known.
    """

    def __init__(self, why: str, at_byte: int | None = None):
        super().__init__(why if at_byte is None else f"{why} (at byte {at_byte})")
        self.why = why
        self.at_byte = at_byte


class MissingToolError(InterferenceError):
    """A program that this command needs (tshark, dumpcap, tcpdump) is not installed; the text says how to get it."""


class UsageError(InterferenceError):
    """The question does not fit the capture or the command line (exit code 2)."""
