"""Renders frames of several scenes in one Blender and says what each picture holds, for tests to compare.

Run as: blender -b --factory-startup --disable-autoexec -noaudio --python-exit-code 7 --python compare.py --
REQUEST RESULT. REQUEST is a JSON list of {"name", "blend", "frames", "output": a folder, "remap"?, "directory"?,
"hide"?: files that are away while the scene is open}, or of {"name", "pictures": files rendered elsewhere}. RESULT is a list of {"name", "hashes": one per frame,
"missing": what the tracer reports, "error"?}. A hash is that of the decoded pixels (of a multilayer EXR, of its
compressed blocks), because headers hold dates.
"""

import array
import hashlib
import json
import os
import struct
import sys

import bpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', 'node', 'blender'))

import remap  # noqa: E402
import trace_references  # noqa: E402

# Lines in one compressed block, by the number of the compression in the header (OpenEXR file layout).
EXR_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}


def exr_blocks(data):
    """The blocks of a scan-line EXR: everything after its header and its table of offsets."""
    offset, attributes = 8, {}
    while data[offset]:
        end = data.index(b'\0', offset)
        name = data[offset:end].decode()
        offset = data.index(b'\0', end + 1) + 1
        size = struct.unpack_from('<i', data, offset)[0]
        attributes[name] = data[offset + 4:offset + 4 + size]
        offset += 4 + size
    _x0, top, _x1, bottom = struct.unpack('<4i', attributes['dataWindow'])
    lines = EXR_LINES[attributes['compression'][0]]
    blocks = (bottom - top + lines) // lines
    return attributes['channels'] + data[offset + 1 + 8 * blocks:]


def picture_hash(path):
    if path.endswith('.exr'):
        with open(path, 'rb') as file:
            return hashlib.sha256(exr_blocks(file.read())).hexdigest()
    image = bpy.data.images.load(path)
    pixels = array.array('f', [0.0]) * len(image.pixels)
    image.pixels.foreach_get(pixels)
    width, height = image.size
    bpy.data.images.remove(image)
    return f'{width}x{height} {hashlib.sha256(pixels.tobytes()).hexdigest()}'


def render(job):
    bpy.ops.wm.open_mainfile(filepath=job['blend'], load_ui=False, use_scripts=False)
    if job.get('directory'):
        remap.apply(job['remap'], job['directory'])
    missing = [file for entry in trace_references.references() for file in entry['missing']]
    scene = bpy.context.scene
    if scene.render.is_movie_format:
        scene.render.image_settings.file_format = 'PNG'
    for node in scene.node_tree.nodes if scene.node_tree else ():
        if node.bl_idname == 'CompositorNodeOutputFile':
            node.base_path = os.path.join(job['output'], 'passes')
    hashes = []
    for frame in job['frames']:
        scene.frame_set(frame)
        path = os.path.join(job['output'], f'{frame:04d}{scene.render.file_extension}')
        scene.render.filepath = path
        bpy.ops.render.render(write_still=True)
        hashes.append(picture_hash(path))
        os.remove(path)
    return {'name': job['name'], 'hashes': hashes, 'missing': missing}


def run(job):
    if 'pictures' in job:
        return {'name': job['name'], 'hashes': [picture_hash(path) for path in job['pictures']], 'missing': []}
    hidden = [(file, file + '.hidden') for file in job.get('hide', ())]
    try:
        for file, away in hidden:
            os.rename(file, away)
        os.makedirs(job['output'], exist_ok=True)
        return render(job)
    except Exception as error:
        return {'name': job['name'], 'hashes': [], 'missing': [], 'error': str(error)}
    finally:
        for file, away in hidden:
            if os.path.exists(away):
                os.rename(away, file)


def main():
    request, result = sys.argv[sys.argv.index('--') + 1:]
    with open(request, encoding='utf-8') as file:
        jobs = json.load(file)
    with open(result, 'w', encoding='utf-8') as file:
        json.dump([run(job) for job in jobs], file)


main()
