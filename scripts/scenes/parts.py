"""Parts that the sample scene and the awkward scenes are made of: files written byte for byte, small objects."""

import math
import os
import struct
import wave
import zlib

import bpy

WIDTH, HEIGHT, SAMPLES = 96, 54, 2


def write_png(path, width, height, color_at):
    """An 8-bit RGB PNG; color_at(x, y) gives three numbers from 0 to 255, y downwards."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows.extend(max(0, min(255, round(part))) for part in color_at(x, y))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header))
        file.write(chunk(b'IDAT', zlib.compress(bytes(rows), 9)) + chunk(b'IEND', b''))
    return path


def checker(path, one, other, size=32, field=4):
    """A checkered PNG of two colours."""
    return write_png(path, size, size, lambda x, y: one if (x // field + y // field) % 2 else other)


def write_wav(path, seconds, sample_at, rate=24000):
    """A mono 16-bit WAV; sample_at(t) gives -1 to 1 for t in seconds."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    samples = (max(-1.0, min(1.0, sample_at(index / rate))) for index in range(round(seconds * rate)))
    with wave.open(path, 'wb') as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b''.join(struct.pack('<h', round(32000 * sample)) for sample in samples))
    return path


def tone(path, seconds=0.5, hertz=440):
    return write_wav(path, seconds, lambda t: 0.5 * math.sin(2 * math.pi * hertz * t))


def empty_scene():
    """A new file with one empty scene: Cycles on the CPU, tiny, fast and repeatable."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.max_bounces = 2
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.frame_start, scene.frame_end = 1, 4
    scene.render.filepath = '//frames/frame_####'
    scene.view_settings.view_transform = 'Standard'
    return scene


def add_camera(scene, location=(0, -6, 2.4), look=(math.radians(72), 0, 0)):
    camera = bpy.data.objects.new('Camera', bpy.data.cameras.new('Camera'))
    camera.location, camera.rotation_euler = location, look
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def add_light(scene, kind='SUN', energy=3.0):
    light = bpy.data.objects.new('Light', bpy.data.lights.new('Light', kind))
    light.data.energy = energy
    light.location, light.rotation_euler = (2, -3, 5), (0.6, 0.2, 0.3)
    scene.collection.objects.link(light)
    return light


def material(name, image=None, color=(0.8, 0.3, 0.1, 1), emission=True):
    """A material that shows an image or a colour; by emission, so that few samples give a clean picture."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    output = tree.nodes.new('ShaderNodeOutputMaterial')
    shader = tree.nodes.new('ShaderNodeEmission' if emission else 'ShaderNodeBsdfPrincipled')
    socket = shader.inputs['Color' if emission else 'Base Color']
    socket.default_value = color
    tree.links.new(shader.outputs[0], output.inputs['Surface'])
    if image is not None:
        texture = tree.nodes.new('ShaderNodeTexImage')
        texture.image = image
        texture.interpolation = 'Closest'
        tree.links.new(texture.outputs['Color'], socket)
    return made


def add_cube(scene, name, made, location=(0, 0, 0), size=1.0):
    """A cube whose every face shows the whole texture."""
    corners = [(x, y, z) for x in (-size, size) for y in (-size, size) for z in (-size, size)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    layer = mesh.uv_layers.new(name='UVMap')
    for index, corner in enumerate(layer.data):
        corner.uv = ((0, 0), (1, 0), (1, 1), (0, 1))[index % 4]
    if made is not None:
        mesh.materials.append(made)
    cube = bpy.data.objects.new(name, mesh)
    cube.location = location
    scene.collection.objects.link(cube)
    return cube


def load_image(path, relative_to=None):
    """An image datablock; named relatively to the .blend at `relative_to`, or absolutely."""
    image = bpy.data.images.load(path)
    if relative_to:
        image.filepath = relative(path, relative_to)
    return image


def relative(path, blend):
    return '//' + os.path.relpath(path, os.path.dirname(blend)).replace(os.sep, '/')


def save(blend, compress=False):
    os.makedirs(os.path.dirname(blend), exist_ok=True)
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=blend, relative_remap=False, compress=compress, check_existing=False)
    return blend
