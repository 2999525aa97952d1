"""Reads the name of each scene's render engine straight from the .blend.

Blender maps an engine that no enabled add-on provides to another one without a word, so the loaded data
cannot tell. The file format: a header, then blocks (code, length, old pointer, structure index, count); the
block DNA1 describes every structure (doc/blender_file_format in Blender's source).
"""

import gzip
import os
import struct

import bpy

# A block's own length is bounded by the file; this bounds what is read into memory for one scene block.
MAX_BLOCK_BYTES = 64 * 1024 * 1024


# What Blender shows for an engine that it does not know: the first of its list.
FALLBACK = 'BLENDER_EEVEE'


def _plain_copy():
    """The loaded scene written again uncompressed, into Blender's own temporary folder."""
    path = os.path.join(bpy.app.tempdir, 'plain.blend')
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True, compress=False, relative_remap=False)
    return open(path, 'rb')


def _open(path):
    with open(path, 'rb') as file:
        magic = file.read(4)
    if magic[:2] == b'\x1f\x8b':
        return gzip.open(path, 'rb')
    if magic == b'\x28\xb5\x2f\xfd':
        # Compressed by zstd, for which Blender's Python has no module.
        return _plain_copy()
    return open(path, 'rb')


def _strings(data, offset, count):
    found = []
    for _ in range(count):
        end = data.index(b'\0', offset)
        found.append(data[offset:end].decode('utf-8', 'replace'))
        offset = end + 1
    return found, (offset + 3) & ~3


def _dna(data, order):
    """(type names, lengths, structures as lists of (type, field name)) of a DNA1 block."""
    def number(offset):
        return struct.unpack_from(order + 'i', data, offset)[0]

    names, offset = _strings(data, 12, number(8))
    types, offset = _strings(data, offset + 8, number(offset + 4))
    offset += 4
    lengths = struct.unpack_from(f'{order}{len(types)}h', data, offset)
    offset = (offset + 2 * len(types) + 3) & ~3
    count = number(offset + 4)
    offset += 8
    structures = []
    for _ in range(count):
        kind, fields = struct.unpack_from(order + '2h', data, offset)
        offset += 4
        pairs = struct.unpack_from(f'{order}{2 * fields}h', data, offset)
        offset += 4 * fields
        structures.append((types[kind], [(types[t], names[n]) for t, n in zip(pairs[::2], pairs[1::2])]))
    return dict(zip(types, lengths)), dict(structures)


def _field(kind, name, lengths, structures, pointer):
    """Byte offset of a field in a structure."""
    offset = 0
    for field_type, field_name in structures[kind]:
        plain = field_name.split('[')[0]
        if plain == name:
            return offset
        size = pointer if field_name.startswith(('*', '(*')) else lengths[field_type]
        for part in field_name.split('[')[1:]:
            size *= int(part.rstrip(']'))
        offset += size
    raise KeyError(name)


def _text(data, offset, limit):
    return data[offset:offset + limit].split(b'\0')[0].decode('utf-8', 'replace')


def _form(file):
    """(bytes of a pointer, byte order, structure of a block's head, where in it the length stands)."""
    header = file.read(12)
    if header[:7] != b'BLENDER':
        raise ValueError('a header of another format')
    if header[7:12] == b'17-01':
        # From Blender 5.0 on: lengths and counts of 64 bits.
        file.read(5)
        return 8, '<', struct.Struct('<4siQqq'), 3
    if header[7:8] not in b'_-':
        raise ValueError('a header of another format')
    pointer = 4 if header[7:8] == b'_' else 8
    order = '<' if header[8:9] == b'v' else '>'
    return pointer, order, struct.Struct(order + ('4sIIII' if pointer == 4 else '4sIQII')), 1


def _blocks(file):
    pointer, order, head, length_at = _form(file)
    scenes, dna = [], None
    while True:
        raw = file.read(head.size)
        if len(raw) < head.size or raw[:4] == b'ENDB':
            return pointer, order, scenes, dna
        fields = head.unpack(raw)
        code, length = fields[0], fields[length_at]
        if code in (b'SC\0\0', b'DNA1') and length <= MAX_BLOCK_BYTES:
            data = file.read(length)
            if code == b'DNA1':
                dna = data
            else:
                scenes.append(data)
        else:
            file.seek(length, 1)


def read(path):
    """{scene name: engine name} of the loaded file; empty where nothing is in doubt or the file is of another form."""
    try:
        if all(not scene.render.engine.startswith(FALLBACK) for scene in bpy.data.scenes):
            return {}
        with _open(path) as file:
            pointer, order, scenes, dna = _blocks(file)
        lengths, structures = _dna(dna, order)
        name = _field('ID', 'name', lengths, structures, pointer)
        render = _field('Scene', 'r', lengths, structures, pointer)
        engine = render + _field('RenderData', 'engine', lengths, structures, pointer)
        # An ID's name begins with two letters of its kind; it has 63 bytes, and 255 from Blender 5.0 on.
        return {_text(data, name + 2, 256): _text(data, engine, 32) for data in scenes}
    except (OSError, EOFError, ValueError, KeyError, IndexError, struct.error, TypeError, RuntimeError):
        return {}
