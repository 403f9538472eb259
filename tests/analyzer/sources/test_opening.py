import hashlib
import io
import os
import tarfile

import pytest

from analyzer.errors import CaptureError
from analyzer.sources import open_source
from tests.analyzer.sources.build import pcap, pcapng
from tests.analyzer.sources.reading import read


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "a.txt"  # the name must not matter
    path.write_bytes(pcap())
    return path


def test_path_text_bytes_and_file_object_give_the_same(capture, monkeypatch):
    expected = read(capture)[0]
    assert len(expected) == 4
    with open(capture, "rb") as file, open(capture, "rb", buffering=0) as unbuffered, open(capture) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        for where in (str(capture), capture.read_bytes(), file, unbuffered, io.BytesIO(pcap()), "-"):
            assert read(where)[0] == expected
        assert not file.closed and not unbuffered.closed  # they are their owner's


def test_names(capture):
    assert read(capture)[1].name == "a.txt"
    assert read(pcap())[1].name == "bytes"
    assert read(capture, name="shown")[1].name == "shown"


def test_the_hash_is_that_of_the_file_as_given(capture):
    whole = capture.read_bytes()
    info = read(capture)[1]
    assert info.sha256 == hashlib.sha256(whole).hexdigest() and info.bytes_read == len(whole)
    damaged = whole + b"\xff" * 40 + bytes(3 << 20)  # what cannot be read is hashed all the same
    info = read(damaged)[1]
    assert info.cut_why and info.sha256 == hashlib.sha256(damaged).hexdigest() and info.bytes_read == len(damaged)


def test_a_long_capture_is_hashed_beside_its_reading(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(pcap() + pcap()[24:] * 20_000)
    frames, info = read(path)
    assert len(frames) == 80_004 and info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_hash_is_unknown_before_the_end(capture):
    with open_source(capture) as source:
        next(source.blocks())
        assert source.info.sha256 is None


def test_nothing_is_modified(capture):
    os.chmod(capture, 0o400)
    before = capture.stat()
    read(capture)
    after = capture.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x.pcap"))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the file is empty"),
        (b"\xd4\xc3", "ends before its header does .at byte 2"),
        (pcap()[:23], "ends before its header does .at byte 23"),
        (pcapng()[:27], "ends before its header does .at byte 27"),
        (b"\xff\xd8\xff\xe0" + bytes(range(200)), r"it begins with ff d8 ff e0 \(a JPEG picture\?\)"),
        (b"snoop\0\0\0\0\0\0\2", "a snoop capture"),
        (b"GMBU" + bytes(100), "Network Monitor"),
        (b"LOGG" + bytes(100), "BLF"),
        (b"PK\x03\x04" + bytes(100), "ZIP archive"),
        (tar(), "tar archive"),
        (b"No.     Time           Source\n", "text exported from Wireshark"),
        (b"12:00:01.000000 IP 10.0.0.1.443 > 10.0.0.2.50000: Flags [R]\n", "text: tcpdump needs -w"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
        (bytes(1000), "nothing but zeros"),
        (bytes(8) + b"\x02\x04\x00\x50\x00\x00\x00\x3c" + bytes(64), "ERF"),
        (b"\x91\x17\xe0\x01\x02", r"it begins with 91 17 e0 01$"),
    ],
)
def test_what_is_not_a_capture_is_named_in_one_line(data, why):
    with pytest.raises(CaptureError, match=why) as raised:
        open_source(data)
    assert "\n" not in str(raised.value)


def test_what_cannot_be_opened(tmp_path, capture):
    with pytest.raises(CaptureError, match="no such file"):
        open_source(tmp_path / "missing")
    with pytest.raises(CaptureError, match="a directory"):
        open_source(tmp_path)
    with pytest.raises(CaptureError, match="cannot be opened"):
        open_source("a\0b")
    with open(capture) as text, pytest.raises(CaptureError, match="open as text"):
        open_source(text)


def test_no_permission(capture, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # file modes do not hold root back
    with pytest.raises(CaptureError, match="no permission"):
        open_source(capture)


class Failing(io.RawIOBase):
    """A disk that fails after the bytes it has given."""

    def __init__(self, data: bytes):
        self._data = data

    def readable(self):
        return True

    def readinto(self, view):
        if not self._data:
            raise OSError(5, "Input/output error")
        count = min(len(view), len(self._data))
        view[:count] = self._data[:count]
        self._data = self._data[count:]
        return count


def test_a_failing_disk_is_an_error_at_first_and_a_cut_later():
    with pytest.raises(CaptureError, match="Input/output error"):
        open_source(Failing(b""))
    frames, info = read(Failing(pcap()))
    assert len(frames) == 4 and "Input/output error" in info.cut_why and info.cut_at_byte == len(pcap())
