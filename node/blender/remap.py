"""Rewrites paths after a scene of a bundle was loaded.

A bundle rebuilds the scene's own folder tree, so what the scene names relatively (`//textures/a.png`) is
found as it stands. What it names absolutely lies elsewhere in the tree: `apply` points those places there.
Libraries come first, and again, because a library that is found brings new paths of its own.
"""

import os
import sys

import bpy

if os.path.dirname(os.path.abspath(__file__)) not in sys.path:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import trace_slots  # noqa: E402

# Every round moves one library; no scene links more, and the bound ends a reload that does not take.
MAX_LIBRARIES = 4096


def _key(path):
    """One spelling per path, so that `/a/../b` and `/b`, or a trailing slash, match."""
    path = path.replace('\\', '/')
    if path.startswith('//'):
        return path
    return os.path.normpath(path).replace('\\', '/')


def _targets(remap, directory):
    return {_key(entry['from']): os.path.join(directory, *entry['to'].split('/')) for entry in remap}


def _move_libraries(targets):
    """Points libraries into the bundle and reloads them; returns how many were moved."""
    moved = 0
    for _ in range(MAX_LIBRARIES):
        pending = [
            (library, targets[_key(library.filepath)])
            for library in bpy.data.libraries
            if library.packed_file is None and _key(library.filepath) in targets
        ]
        if not pending:
            break
        # One at a time: a reload may drop and remake the libraries below it.
        library, target = pending[0]
        library.filepath = target
        library.reload()
        moved += 1
    return moved


def apply(remap, directory):
    """Rewrites every path that `remap` names.

    remap: list of {"from": path as the scene writes it, "to": path in the bundle's tree, forward slashes}.
    directory: the folder where the bundle's tree lies on this machine.
    Returns {"libraries": moved, "paths": rewritten}. To be called after open_mainfile and before rendering.
    """
    targets = _targets(remap, os.path.abspath(directory))
    libraries = _move_libraries(targets) if targets else 0
    paths = 0
    for slot in list(trace_slots.path_slots()):
        written = slot.get()
        target = targets.get(_key(written))
        if target is None:
            target = _without_detour(written, slot)
        if target is not None:
            slot.set(target)
            paths += 1
    return {'libraries': libraries, 'paths': paths}


def _without_detour(written, slot):
    """`//../models/../a.png` passes through a folder that the bundle may not hold: go straight."""
    if not trace_slots.is_relative(written) or '..' not in written:
        return None
    straight = trace_slots.absolute(written, slot.library)
    base = os.path.dirname(trace_slots.owner_file(slot.owner))
    if os.path.exists(straight) and not os.path.exists(os.path.join(base, written[2:])):
        return straight
    return None
