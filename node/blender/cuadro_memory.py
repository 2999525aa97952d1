"""Resident memory of this process in bytes, from /proc where there is one, else from getrusage."""

import os
import sys

try:
    import resource
except ImportError:  # Windows has none; the figures are then zero.
    resource = None


def _status(field):
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes():
    return _status("VmRSS:")


def peak_bytes():
    return _status("VmHWM:")


def reset_peak():
    """Linux forgets the high-water mark when asked (proc(5), clear_refs); elsewhere the peak is the process's."""
    if os.path.exists("/proc/self/clear_refs"):
        try:
            with open("/proc/self/clear_refs", "w", encoding="ascii") as clear:
                clear.write("5")
        except OSError:
            pass
