"""Makes one small scene: blender -b --factory-startup --python make_scene.py -- OUTPUT.blend [OPTION...]

96×54, 2 samples, 24 frames at 24 a second, a textured cube that turns. Options: sound (a tone of one second),
bloat (a script that takes 900 MB before the first frame), no-camera, two-textures (a second textured cube), slow (each frame takes seconds), big=N (a third texture
of N MiB), frames=N.
"""

import math
import os
import struct
import sys

import bpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'scripts', 'scenes'))

from parts import add_camera, add_cube, add_light, checker, empty_scene, load_image, material, tone  # noqa: E402

path, *options = sys.argv[sys.argv.index('--') + 1:]
path = os.path.abspath(path)
folder = os.path.dirname(path)
scene = empty_scene()
scene.frame_end = 24
scene.render.fps = 24
scene.render.filepath = '//frames/shot_####'
if 'no-camera' not in options:
    add_camera(scene)
add_light(scene)
image = load_image(checker(os.path.join(folder, 'textures', 'wood.png'), (200, 90, 40), (90, 30, 60)), path)
cube = add_cube(scene, 'Crate', material('Wood', image))
if 'two-textures' in options:
    other = load_image(checker(os.path.join(folder, 'textures', 'stone.png'), (90, 90, 90), (30, 30, 60)), path)
    add_cube(scene, 'Rock', material('Stone', other), location=(2, 1, 0))
for option in options:
    if option.startswith('big='):
        # Random pixels, so that no disk and no wire makes it smaller; a bitmap, so that none has to be compressed.
        side = 1024
        rows = int(option.removeprefix('big=')) * 2**20 // (side * 3)
        bitmap = os.path.join(folder, 'textures', 'big.bmp')
        with open(bitmap, 'wb') as file:
            size = side * rows * 3
            file.write(struct.pack('<2sIHHI', b'BM', 54 + size, 0, 0, 54))
            file.write(struct.pack('<IiiHHIIiiII', 40, side, rows, 1, 24, 0, size, 2835, 2835, 0, 0))
            file.write(os.urandom(size))
        add_cube(scene, 'Noise', material('Noise', load_image(bitmap, path)), location=(-2, 1, 0))
for frame, angle in ((1, 0.3), (24, 0.3 + math.pi)):
    cube.rotation_euler = (0.1, 0.2, angle)
    cube.keyframe_insert('rotation_euler', frame=frame)
if 'slow' in options:
    # Minutes, so that a test can do something to it meanwhile.
    scene.cycles.samples = 1_000_000
for option in options:
    if option.startswith('frames='):
        scene.frame_end = int(option.removeprefix('frames='))
if 'bloat' in options:
    text = bpy.data.texts.new('bloat.py')
    text.write('''
import bpy, time
def bloat(*_):
    bpy.app.driver_namespace['bloat'] = bytearray(b'x') * (900 * 2**20)
    time.sleep(600)
bpy.app.handlers.render_pre.append(bloat)
''')
    text.use_module = True
if 'sound' in options:
    scene.sequence_editor_create()
    sound = tone(os.path.join(folder, 'sound', 'tone.wav'), seconds=1.0)
    scene.sequence_editor.sequences.new_sound('Tone', sound, 1, 1)
bpy.ops.wm.save_as_mainfile(filepath=path, compress=False)
