"""Folders of baked simulation frames: what lies in them, and which frames are missing."""

import os
import re

import trace_slots

# A cache folder beyond this is not carried file by file; no simulation in use comes near it.
MAX_FILES_PER_REFERENCE = 200_000


def files_below(folder):
    """Regular files below a known cache folder; the root of a disk is never walked."""
    found = []
    if not os.path.isdir(folder) or os.path.dirname(folder) == folder:
        return found
    for place, _folders, names in os.walk(folder):
        found += [file for file in (os.path.join(place, name) for name in names) if os.path.isfile(file)]
        if len(found) > MAX_FILES_PER_REFERENCE:
            raise ValueError(f'{folder} holds more than {MAX_FILES_PER_REFERENCE} files')
    return found


def gapless(numbers):
    """All numbers from the first to the last, in the step that the numbers themselves keep."""
    ordered = sorted(numbers)
    if len(ordered) < 2:
        return set(ordered)
    step = min(after - before for before, after in zip(ordered, ordered[1:]))
    if (ordered[-1] - ordered[0]) // step > MAX_FILES_PER_REFERENCE:
        return set(ordered)
    return set(range(ordered[0], ordered[-1] + 1, step))


def missing_frames(slot, folder, found):
    """Files that a cache lacks between its first and last frame, or of the range that it was baked over."""
    series = {}
    for file in found:
        name = os.path.relpath(file, folder)
        match = re.match(r'^(.*?)(\d{4,6})((?:_\d\d)?\.\w+(?:\.gz)?)$', name, re.DOTALL)
        if match:
            head, digits, tail = match.groups()
            series.setdefault((head, tail, len(digits)), set()).add(int(digits))
    missing = []
    for (head, tail, width), numbers in series.items():
        wanted = gapless(numbers) | _baked_range(slot, head)
        missing += [os.path.join(folder, f'{head}{number:0{width}d}{tail}') for number in wanted - numbers]
    return missing


def _baked_range(slot, head):
    """The frames that one series of the folder was baked over, or nothing where that is not known."""
    domain = slot.holder
    if hasattr(domain, 'cache_directory'):
        if not domain.has_cache_baked_data or not head.endswith(('fluid_data_', 'config_')):
            return set()
        return set(range(domain.cache_frame_start, domain.cache_frame_end + 1))
    frames = set()
    for owner, _kind, cache in trace_slots.point_caches():
        # Blender names the files after the cache, or after its object in hexadecimal.
        prefix = cache.name or owner.name.encode('utf-8').hex().upper()
        if cache.is_baked and head == f'{prefix}_':
            frames |= set(range(cache.frame_start, cache.frame_end + 1, max(1, cache.frame_step)))
    return frames
