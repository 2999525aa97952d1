"""Folders of baked simulation frames: what lies in them, and which frames are missing."""

import os
import re

import trace_slots

# A cache folder beyond this is not carried file by file; no simulation in use comes near it.
MAX_FILES_PER_REFERENCE = 200_000


# The files that each kind of cache consists of, by their path in the cache's folder. A scene may name any
# folder as its cache, a whole home folder included: nothing but these is taken from there.
FLUID = re.compile(r'(config|data|noise|mesh|particles|guiding)/[^/]+_\d{4,6}\.(uni|vdb|raw|bobj\.gz|obj|bin)')
# Simulations often begin before frame 0; the minus is one of the six characters.
POINTS = re.compile(r'[^/]+_(\d{6}|-\d{5})_\d{2}\.(bphys|vdb)')
OCEAN = re.compile(r'[^/]*_\d{4,6}\.exr')
BAKES = re.compile(r'(\d+/)?(meta/[^/]+\.json|blobs/[^/]+\.(blob|vdb))')


def _pattern(slot):
    if hasattr(slot.holder, 'cache_directory'):
        return FLUID
    if is_bake(slot):
        return BAKES
    return OCEAN if getattr(slot.holder, 'type', None) == 'OCEAN' else POINTS


def is_bake(slot):
    """Whether geometry nodes keep their frames there."""
    return hasattr(slot.holder, 'bake_directory') or hasattr(slot.holder, 'bake_id')


def _folders_below(slot, pattern):
    if pattern is FLUID:
        return ('config', 'data', 'noise', 'mesh', 'particles', 'guiding')
    if pattern is not BAKES:
        return ('',)
    if hasattr(slot.holder, 'bake_id'):
        return ('meta', 'blobs')
    # The modifier's folder has one for each bake.
    numbers = [bake.bake_id for bake in slot.holder.bakes]
    return [f'{number}/{below}' for number in numbers for below in ('meta', 'blobs')]


def cache_files(slot, folder):
    """The cache's own regular files in a folder that the scene names as a cache."""
    pattern, found = _pattern(slot), []
    for below in _folders_below(slot, pattern):
        place = os.path.join(folder, below) if below else folder
        for name in os.listdir(place) if os.path.isdir(place) else ():
            file = os.path.join(place, name)
            if pattern.fullmatch(f'{below}/{name}' if below else name) and os.path.isfile(file):
                found.append(file)
        if len(found) > MAX_FILES_PER_REFERENCE:
            raise ValueError(f'{folder} holds more than {MAX_FILES_PER_REFERENCE} files')
    return found


def fluid_is_baked(domain, folder):
    """Whether all frames of a fluid domain are on disk: baked, or replayed once from first to last."""
    if domain.cache_type != 'REPLAY':
        return domain.has_cache_baked_data
    data = os.path.join(folder, 'data')
    names = os.listdir(data) if os.path.isdir(data) else ()
    present = {int(match.group(1)) for match in (re.match(r'fluid_data_(\d{4,6})\.', name) for name in names) if match}
    return present >= set(range(domain.cache_frame_start, domain.cache_frame_end + 1))


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
        match = re.match(r'^(.*?)(-\d{5}|\d{4,6})((?:_\d\d)?\.\w+(?:\.gz)?)$', name, re.DOTALL)
        if match:
            head, digits, tail = match.groups()
            # At least so many characters: frame 12345 of a fluid has one more.
            width = 6 if re.match(r'_\d\d\.', tail) else 4
            series.setdefault((head, tail, width), set()).add(int(digits))
    # Looked up once: a crowd in cloth has hundreds of series in one folder, among as many thousands of objects.
    baked = {} if hasattr(slot.holder, 'cache_directory') else _baked_points()
    missing = []
    for (head, tail, width), numbers in series.items():
        wanted = gapless(numbers) | (baked.get(head) or _baked_fluid(slot.holder, head))
        if width == 6:
            # What a point cache calls frame 0 is no frame.
            wanted.discard(0)
        missing += [os.path.join(folder, f'{head}{number:0{width}d}{tail}') for number in wanted - numbers]
    return missing


def _baked_fluid(domain, head):
    """The frames that one series of a fluid's folder was baked over, or nothing where that is not known."""
    if not getattr(domain, 'has_cache_baked_data', False) or not head.endswith(('fluid_data_', 'config_')):
        return set()
    return set(range(domain.cache_frame_start, domain.cache_frame_end + 1))


def _baked_points():
    """{beginning of the files' names: frames} of all point caches that were baked."""
    frames = {}
    for owner, _kind, cache in trace_slots.point_caches():
        # Blender names the files after the cache, or after its object in hexadecimal.
        prefix = cache.name or owner.name.encode('utf-8').hex().upper()
        if cache.is_baked:
            span = range(cache.frame_start, cache.frame_end + 1, max(1, cache.frame_step))
            # Of those before frame 1 Blender bakes what the preferences of its user allow.
            frames.setdefault(f'{prefix}_', set()).update(frame for frame in span if frame > 0)
    return frames
