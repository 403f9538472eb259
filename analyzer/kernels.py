"""The one door to Numba: every per-packet loop in the project is a `@kernel`.

A kernel is an ordinary Python function over one-dimensional arrays (or NamedTuples of them). It runs

* **interpreted**, on memoryviews (plain Python integers, no wrap-around surprises), for small captures, where
  importing and loading compiled code would take longer than the work itself; and
* **compiled** (`nogil`, bounds-checked) for everything else.

The same source serves both, and the tests hold both to the same answers. Three hazards of Numba's own cache are dealt
with here, all of them measured: it goes stale when a callee in another file changes (so the cache folder is named by a
hash of *all* kernel sources), it fails where package and home are read-only (so there is a temporary folder to fall back
on), and it compiles again for read-only buffers (so arguments must be writable; one specialisation per kernel).

Rules for kernel authors: no unsigned 64-bit integers (mixed with signed ones they become floats); keep every
intermediate value inside a signed 64-bit integer (interpreted, integers do not wrap); check indices by hand, since
`b[-1]` passes Numba's bounds check; kernels call other kernels by their module-level name.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGE = Path(__file__).parent
_KERNEL_ROOMS = ("kernels.py", "limits.py", "tables/codes.py", "capture_writer.py", "decode", "flows", "sources")

_compiled = False  # which form `Kernel.__call__` runs; switched by `compiled()` and `forced()`


class Kernel:
    """One function in its two forms. Calling it runs the form that is chosen for the process at the moment."""

    def __init__(
        self, function: Callable[..., Any], *, rare: bool = False, checked: bool = True, plain: Callable | None = None
    ):
        self.function = function
        self._plain = plain
        self.rare = rare
        self.checked = checked
        self._loaded = False
        functools.update_wrapper(self, function)

    def __call__(self, *arguments):
        if not _compiled:
            return self.interpreted(*arguments)
        if self._loaded:
            return self.machine(*arguments)
        with _one_compiler_at_a_time():
            result = self.machine(*arguments)
        self._loaded = True
        return result

    @functools.cached_property
    def plain(self) -> Callable[..., Any]:
        """The Python function, its callees linked to plain functions too."""
        return self._plain or _link(self.function, lambda kernel: kernel.plain)

    @functools.cached_property
    def machine(self) -> Callable[..., Any]:
        """Numba's dispatcher; the machine code is loaded or compiled when it is first called."""
        return self._jit(cache=True)

    @functools.cached_property
    def inner(self):
        """The same for a call from another kernel. What takes Python's arguments apart is left out: a third of the work."""
        return self._jit(no_cpython_wrapper=True, no_cfunc_wrapper=True)

    def _jit(self, **options):
        numba = _numba()
        linked = _link(self.function, lambda kernel: kernel.inner)
        # Kernels allocate nothing, so they need no reference counting; without `_nrt=False` passing a NamedTuple of arrays
        # costs an atomic operation per array and call, which made the whole tenfold slower. Inlining gives another factor 3.
        options |= {"forceinline": not self.rare, "boundscheck": self.checked}
        return numba.njit(nogil=True, _nrt=False, **options)(linked)

    def interpreted(self, *arguments):
        return self.plain(*(_view(argument) for argument in arguments))


def kernel(function: Callable[..., Any]) -> Kernel:
    """Declare a per-packet loop. See the module docstring for what its body may do."""
    return Kernel(function)


def rare_kernel(function: Callable[..., Any]) -> Kernel:
    """A kernel for what few packets need: not inlined, so that its machine code is made once and not at every call."""
    return Kernel(function, rare=True)


def _copy(source, start, target, at, size):
    """target[at : at + size] = source[start : start + size], all of it inside both; raises IndexError otherwise."""
    if size < 0 or start < 0 or at < 0 or start + size > len(source) or at + size > len(target):
        raise IndexError("copying beyond an array")
    for k in range(size):
        target[at + k] = source[start + k]


def _copy_slice(source, start, target, at, size):
    target[at : at + size] = source[start : start + size]


# The only kernel without a check at every index: with one check before the loop, it becomes a memory copy.
copy = Kernel(_copy, checked=False, plain=_copy_slice)


def compiled() -> None:
    """From now on, kernels run compiled. Called by the engine once a capture proves big enough to be worth it."""
    global _compiled
    _compiled = True


def is_compiled() -> bool:
    return _compiled


@contextlib.contextmanager
def forced(form: str) -> Iterator[None]:
    """Run the block with 'interpreted' or 'compiled' kernels (for tests and `doctor --selftest`)."""
    global _compiled
    before, _compiled = _compiled, {"interpreted": False, "compiled": True}[form]
    try:
        yield
    finally:
        _compiled = before


def _view(argument):
    if isinstance(argument, np.ndarray):
        return memoryview(argument)
    if isinstance(argument, tuple) and hasattr(argument, "_fields"):
        return type(argument)(*map(_view, argument))
    return argument


def _link(function, form: Callable[[Kernel], Any]):
    """A copy of `function` whose kernel callees are replaced by the given form of them."""
    outer = function.__globals__
    names = {"__name__", "__builtins__", *_names(function.__code__)}
    inside = {
        name: form(value) if isinstance(value := outer[name], Kernel) else value for name in names if name in outer
    }
    copy = types.FunctionType(function.__code__, inside, function.__name__, function.__defaults__, function.__closure__)
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy


def _names(code) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


@functools.cache
def _numba():
    # Before Numba is imported: it reads this variable once.
    os.environ["NUMBA_CACHE_DIR"] = str(cache_folder())
    import numba

    return numba


@functools.cache
def cache_folder() -> Path:
    """Where compiled code is kept: named by the hash of all kernel sources, in the first place that can be written."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}{np.__version__}".encode())
    for room in _KERNEL_ROOMS:
        path = _PACKAGE / room
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(source.name.encode())
            digest.update(source.read_bytes())
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    for base in (home, os.path.join(tempfile.gettempdir(), f"interference-{os.getuid()}")):
        folder = Path(base) / "interference" / digest.hexdigest()[:16]
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Compiled code is loaded from here: nobody else may have put it there.
            if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
                return folder
    return Path(tempfile.mkdtemp(prefix="interference-"))


@contextlib.contextmanager
def _one_compiler_at_a_time() -> Iterator[None]:
    """Four processes compiling at once take twice as long as one after the other; the first says that it compiles."""
    folder = cache_folder()
    with open(folder / "lock", "a") as lock:
        if os.fstat(lock.fileno()).st_size == 0:
            print(
                "interference: preparing the packet kernels for this machine (once, some 20 seconds)", file=sys.stderr
            )
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
            if os.fstat(lock.fileno()).st_size == 0:
                lock.write("kernels were compiled here\n")
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
