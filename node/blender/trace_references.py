"""Turns the places that name files (trace_slots) into references with the files they stand for on disk."""

import os
import re

import bpy

import trace_caches
import trace_slots
from trace_caches import MAX_FILES_PER_REFERENCE
from trace_slots import absolute, is_relative, owner_file

# Tiles of one image: UDIM numbers go from 1001 to 2000.
TILE_PATTERNS = {
    '<UDIM>': lambda number: str(number),
    '<UVTILE>': lambda number: f'u{(number - 1001) % 10 + 1}_v{(number - 1001) // 10 + 1}',
}


def _reference(slot, path, found, missing, span=None):
    written = slot.get()
    return {
        'kind': slot.kind,
        'span': span or slot.span,
        'name': slot.name,
        'owner': os.path.normpath(owner_file(slot.owner)),
        'written': written,
        'relative': is_relative(written),
        'path': path,
        'found': sorted(found),
        'missing': sorted(missing),
        'essential': slot.essential,
    }


def _single(slot, path):
    exists = os.path.isfile(path)
    return _reference(slot, path, [path] if exists else [], [] if exists else [path], 'single')


def _sequence_parts(path):
    """(head, digits, tail) as Blender takes them: the last run of digits of the name without extension."""
    folder, name = os.path.split(path)
    stem, extension = os.path.splitext(name)
    match = re.match(r'^(.*?)([0-9]+)([^0-9]*)$', stem, re.DOTALL)
    if match is None:
        return None
    return folder, match.group(1), match.group(2), match.group(3) + extension


def _listed(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _sequence(slot, path, needed):
    """All files of a numbered sequence; `needed` are frame numbers of files that the scene asks for."""
    parts = _sequence_parts(path)
    if parts is None:
        return _single(slot, path)
    folder, head, digits, tail = parts
    present = {}
    for name in _listed(folder):
        middle = name[len(head):len(name) - len(tail)]
        if not (name.startswith(head) and name.endswith(tail) and re.fullmatch('[0-9]+', middle)):
            continue
        # Of `a1.png` and `a0001.png` Blender reads the one with as many digits as the scene writes.
        as_written = middle == f'{int(middle):0{len(digits)}d}'
        if as_written and os.path.isfile(os.path.join(folder, name)):
            present[int(middle)] = os.path.join(folder, name)
    # Where nothing says which frames are shown, a gap is what can be told.
    wanted = set(needed) or trace_caches.gapless(present) or {int(digits)}
    missing = [
        os.path.join(folder, f'{head}{number:0{len(digits)}d}{tail}')
        for number in wanted
        if number not in present
    ]
    return _reference(slot, path, list(present.values()), missing)


def _tiles(slot, path, image):
    token = next((token for token in TILE_PATTERNS if token in path), None)
    if token is None:
        return _single(slot, path)
    files = [path.replace(token, TILE_PATTERNS[token](tile.number)) for tile in image.tiles]
    found = [file for file in files if os.path.isfile(file)]
    return _reference(slot, path, found, set(files) - set(found))


def _folder(slot, path):
    found = trace_caches.cache_files(slot, path)
    missing = trace_caches.missing_frames(slot, path, found) if found else [path]
    domain = slot.holder
    if not found and hasattr(domain, 'cache_directory') and not domain.has_cache_baked_data:
        # A fluid that was never baked is reported as such; its empty cache is no missing file.
        missing = []
    if trace_caches.is_bake(slot):
        # Each frame has a name of its own, and what was never baked, or is packed, has none.
        missing = []
    return _reference(slot, path, found, missing)


def _image_users():
    """{image: its users}, of every node, texture and empty that plays an image, in one walk."""
    users = {}
    for _owner, tree in trace_slots.node_trees():
        for node in tree.nodes:
            image = getattr(node, 'image', None)
            if isinstance(image, bpy.types.Image):
                # Compositor nodes carry the same fields themselves.
                users.setdefault(image, []).append(getattr(node, 'image_user', None) or node)
    for texture in bpy.data.textures:
        if getattr(texture, 'image', None) is not None:
            users.setdefault(texture.image, []).append(texture.image_user)
    return users


def _image_frames(users):
    """Numbers of the files that the users of an image sequence show over their duration."""
    frames = set()
    for user in users:
        duration = min(getattr(user, 'frame_duration', 0), MAX_FILES_PER_REFERENCE)
        first = getattr(user, 'frame_offset', 0) + 1
        frames |= set(range(first, first + duration))
    return frames


def _strip_images(slot, folder):
    files = [os.path.join(folder, element.filename) for element in slot.holder.elements]
    found = {file for file in files if os.path.isfile(file)}
    return _reference(slot, folder, found, set(files) - found)


def _views(reference, slot):
    """An image with one file per eye: `a_L.png` and `a_R.png` stand for `a.png`."""
    stem, extension = os.path.splitext(reference['path'])
    suffixes = {view.file_suffix for scene in bpy.data.scenes for view in scene.render.views}
    files = [
        stem + suffix + extension for suffix in suffixes if suffix and os.path.isfile(stem + suffix + extension)
    ]
    if files:
        reference['found'] = sorted(set(reference['found']) | set(files))
        reference['missing'] = []
    return reference


def _expand(slot, users):
    path = absolute(slot.get(), slot.library)
    holder = slot.holder
    if slot.kind == 'image':
        if slot.span == 'sequence':
            return _sequence(slot, path, _image_frames(users.get(holder, ())))
        if slot.span == 'tiles':
            return _tiles(slot, path, holder)
        reference = _single(slot, path)
        return _views(reference, slot) if holder.is_multiview else reference
    if slot.kind == 'strip' and slot.span == 'folder':
        return _strip_images(slot, path)
    if slot.span == 'folder':
        return _folder(slot, path)
    if slot.span == 'sequence':
        return _sequence(slot, path, _frames_shown(slot, path))
    return _single(slot, path)


def _frames_shown(slot, path):
    """Numbers of the files that a clip or a volume shows over its duration."""
    holder = slot.holder
    duration = min(getattr(holder, 'frame_duration', 0), MAX_FILES_PER_REFERENCE)
    if slot.kind == 'movie-clip':
        parts = _sequence_parts(path)
        first = int(parts[2]) if parts else 1
    elif slot.kind == 'volume':
        first = holder.frame_offset + 1
    else:
        return set()
    return set(range(first, first + duration))


class _DiskCache:
    """Stands for the folder `blendcache_NAME` beside a .blend, which no path in the data names."""

    def __init__(self, owner, blend):
        stem = os.path.splitext(os.path.basename(blend))[0]
        self.path = f'//blendcache_{stem}'
        self.slot = trace_slots.Slot('simulation-cache', 'folder', owner, self, 'path')


def _disk_caches():
    seen = set()
    for owner, _kind, cache in trace_slots.point_caches():
        if cache.use_external or not cache.use_disk_cache:
            continue
        beside = owner_file(owner) if cache.use_library_path else bpy.data.filepath
        if beside in seen:
            continue
        seen.add(beside)
        slot = _DiskCache(owner, beside).slot
        folder = os.path.join(os.path.dirname(beside), slot.get()[2:])
        reference = _folder(slot, folder)
        reference['owner'] = os.path.normpath(beside)
        if not reference['found'] and not cache.is_baked:
            # An unbaked simulation is reported as such; its empty cache is no missing file.
            reference['missing'] = []
        yield reference


def _libraries():
    for slot in trace_slots.library_slots():
        # Blender writes the paths of indirect libraries relative to the scene, whoever names them.
        path = absolute(slot.get(), None)
        yield _single(slot, path)


def _net(references):
    """What Blender itself lists and the walk above does not know, so that nothing new is lost silently."""
    known = {file for reference in references for file in (*reference['found'], *reference['missing'])}
    known |= {reference['path'] for reference in references}
    for listed in bpy.utils.blend_paths(absolute=True, packed=False, local=False):
        path = os.path.normpath(listed)
        if path in known or not os.path.isfile(path):
            continue
        known.add(path)
        inside = path.startswith(os.path.dirname(bpy.data.filepath) + os.sep)
        yield {
            'kind': 'other', 'span': 'single', 'name': os.path.basename(path), 'owner': bpy.data.filepath,
            'written': bpy.path.relpath(path) if inside else path, 'relative': inside, 'path': path,
            'found': [path], 'missing': [], 'essential': True,
        }


def references():
    """Every reference of the loaded scene and its libraries, what is written alike once, in a stable order."""
    listed = [*_libraries()]
    users = _image_users()
    listed += [_expand(slot, users) for slot in trace_slots.path_slots()]
    listed += _disk_caches()
    listed += _net(listed)
    # A path that resolves to no file and is no file's name (Blender once lists the root) stays out.
    unique = {}
    for reference in listed:
        key = (reference['kind'], reference['span'], reference['owner'], reference['written'])
        first = unique.setdefault(key, reference)
        # The same words may stand for other files: two strips of one folder, the parts of a sequence that are shown.
        for files in ('found', 'missing'):
            first[files] = sorted({*first[files], *reference[files]})
        first['essential'] = first['essential'] or reference['essential']
        # Blender lists strips in an order of its own making.
        first['name'] = min(first['name'], reference['name'])
    return list(unique.values())
