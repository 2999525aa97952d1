"""Makes the sample film of `npm run render`: an evening stage where the camera circles a red fan and castanets.

Run as: blender -b --factory-startup -noaudio --python-exit-code 7 --python sample.py -- --out DIR
Writes DIR/sample.blend, DIR/textures/floor.png and DIR/audio/compas.wav, always the same, and prints one line
`SCENE {"name": "sample", "blend"}`. 24 frames at 24 frames a second, 640×360, Cycles on the CPU.
"""

import json
import math
import os
import sys

import bpy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import relative, save, write_png, write_wav  # noqa: E402

FRAMES = 24
FAN_BLADES = 15


def boards(path):
    """Planks of dark wood with a worn varnish: grain and joints from sines, no randomness."""
    def color(x, y):
        plank = y // 32
        shade = 0.72 + 0.28 * math.sin(plank * 12.9898)
        wave = math.sin(x * 0.045 + plank * 7.1 + 2.2 * math.sin(y * 0.35 + plank))
        grain = 0.5 + 0.5 * math.sin(y * 1.9 + 3.0 * wave + plank * 3.3)
        tone = shade * (0.75 + 0.25 * grain)
        joint = y % 32 < 1 or (x + plank * 97) % 256 < 2
        return [part * (0.25 if joint else tone) for part in (150, 78, 40)]

    return write_png(path, 512, 256, color)


def compas(path, seconds):
    """Palmas in the rhythm of a bulería at double time, over a low plucked string."""
    accents = {0: 1.0, 3: 0.9, 6: 0.9, 8: 0.9, 10: 0.8}
    beat = seconds / 12

    def sample(t):
        index = int(t / beat)
        since = t - index * beat
        # A clap is a short burst of high partials that share no common tone.
        clap = sum(math.sin(2 * math.pi * hertz * t) for hertz in (1731, 2477, 3203, 4409)) / 4
        loud = accents.get(index % 12, 0.25) * math.exp(-since * 55)
        string_since = t % (beat * 6)
        string = sum(math.sin(2 * math.pi * 110 * part * t) / part for part in (1, 2, 3, 4))
        return 0.7 * loud * clap + 0.22 * string * math.exp(-string_since * 4)

    return write_wav(path, seconds, sample, rate=48000)


def lit(name, color, ambient=0.12, gloss=0.0, roughness=0.2, metal=False, texture=None):
    """A material that few samples render cleanly: direct light, a constant glow for the bounced light, a sheen.

    The general shader of Blender needs ten times as long for a picture as calm as this.
    """
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    output = tree.nodes.new('ShaderNodeOutputMaterial')
    base = tree.nodes.new('ShaderNodeBsdfGlossy' if metal else 'ShaderNodeBsdfDiffuse')
    glow = tree.nodes.new('ShaderNodeEmission')
    both = tree.nodes.new('ShaderNodeAddShader')
    base.inputs['Color'].default_value = glow.inputs['Color'].default_value = (*color, 1)
    glow.inputs['Strength'].default_value = ambient
    if metal:
        base.inputs['Roughness'].default_value = roughness
    if texture is not None:
        for shader in (base, glow):
            tree.links.new(texture(tree), shader.inputs['Color'])
    tree.links.new(base.outputs[0], both.inputs[0])
    tree.links.new(glow.outputs[0], both.inputs[1])
    tree.links.new((_coated(tree, both, gloss, roughness) if gloss else both).outputs[0], output.inputs['Surface'])
    return made


def _coated(tree, below, gloss, roughness):
    coat = tree.nodes.new('ShaderNodeBsdfGlossy')
    coat.inputs['Roughness'].default_value = roughness
    facing = tree.nodes.new('ShaderNodeLayerWeight')
    facing.inputs['Blend'].default_value = gloss
    mix = tree.nodes.new('ShaderNodeMixShader')
    tree.links.new(facing.outputs['Fresnel'], mix.inputs['Fac'])
    tree.links.new(below.outputs[0], mix.inputs[1])
    tree.links.new(coat.outputs[0], mix.inputs[2])
    return mix


def image_texture(path, blend):
    """A maker of the node that shows the image file, named relatively to the .blend."""
    image = bpy.data.images.load(path)
    image.filepath = relative(path, blend)

    def node(tree):
        made = tree.nodes.new('ShaderNodeTexImage')
        made.image = image
        return made.outputs['Color']

    return node


def mesh_object(name, vertices, faces, material, smooth=False):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    mesh.materials.append(material)
    for polygon in mesh.polygons:
        polygon.use_smooth = smooth
    made = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(made)
    return made


def add_floor(material):
    size = 9
    floor = mesh_object(
        'Stage', [(-size, -size, 0), (size, -size, 0), (size, size, 0), (-size, size, 0)], [(0, 1, 2, 3)], material
    )
    layer = floor.data.uv_layers.new(name='UVMap')
    for corner, uv in zip(layer.data, ((0, 0), (3.5, 0), (3.5, 7), (0, 7))):
        corner.uv = uv
    return floor


def add_curtain(material):
    """A heavy cloth behind the stage, in folds."""
    columns, vertices, faces = 360, [], []
    for column in range(columns + 1):
        angle = math.pi * (0.02 + 0.96 * column / columns)
        fold = 0.16 * math.sin(column * 0.55) + 0.05 * math.sin(column * 1.31)
        x, y = (5.2 + fold) * math.cos(angle), (5.2 + fold) * math.sin(angle) - 1.2
        vertices += [(x, y, 0), (x, y, 7)]
    for column in range(columns):
        a = 2 * column
        faces.append((a, a + 2, a + 3, a + 1))
    return mesh_object('Curtain', vertices, faces, material, smooth=True)


def add_fan(cloth, wood):
    """An open fan (abanico): pleats of cloth over wooden ribs, standing on its pivot."""
    inner, outer, span = 0.75, 2.05, math.radians(158)
    steps = FAN_BLADES * 2
    vertices, faces = [], []
    for step in range(steps + 1):
        angle = math.pi / 2 - span / 2 + span * step / steps
        depth = 0.07 if step % 2 else -0.07
        scallop = 1.0 if step % 2 else 0.972
        for radius in (inner, outer * scallop):
            vertices.append((radius * math.cos(angle), depth * radius / outer, radius * math.sin(angle)))
    for step in range(steps):
        a = 2 * step
        faces.append((a, a + 1, a + 3, a + 2))
    fan = mesh_object('Fan', vertices, faces, cloth)
    fan.location = (0, 0.3, 0.1)
    for blade in range(FAN_BLADES + 1):
        angle = math.pi / 2 - span / 2 + span * blade / FAN_BLADES
        rib = add_box('Rib', wood, (0.028, 0.012, inner / 2 + 0.06))
        rib.parent = fan
        rib.location = ((inner / 2) * math.cos(angle), -0.004 * blade, (inner / 2) * math.sin(angle))
        rib.rotation_euler = (0, math.pi / 2 - angle, 0)
    return fan


def add_box(name, material, half):
    x, y, z = half
    corners = [(a, b, c) for a in (-x, x) for b in (-y, y) for c in (-z, z)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return mesh_object(name, corners, faces, material)


def add_ball(name, material, radius, location, scale=(1, 1, 1)):
    bpy.ops.mesh.primitive_uv_sphere_add(radius=radius, location=location, segments=48, ring_count=24)
    ball = bpy.context.object
    ball.name, ball.scale = name, scale
    ball.data.materials.append(material)
    bpy.ops.object.shade_smooth()
    return ball


def add_spot(name, location, target, energy, color, angle=60):
    light = bpy.data.objects.new(name, bpy.data.lights.new(name, 'SPOT'))
    light.data.energy, light.data.color = energy, color
    light.data.shadow_soft_size, light.data.spot_size, light.data.spot_blend = 0.12, math.radians(angle), 0.8
    light.location = location
    bpy.context.scene.collection.objects.link(light)
    aim(light, target)
    return light


def aim(thing, target):
    constraint = thing.constraints.new('TRACK_TO')
    constraint.target, constraint.track_axis, constraint.up_axis = target, 'TRACK_NEGATIVE_Z', 'UP_Y'


def add_camera(target):
    """Circles a quarter of the stage, rising, over the film."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new('Camera', bpy.data.cameras.new('Camera'))
    camera.data.lens = 40
    scene.collection.objects.link(camera)
    aim(camera, target)
    for frame in range(1, FRAMES + 1, 1):
        part = (frame - 1) / (FRAMES - 1)
        eased = part * part * (3 - 2 * part)
        angle = math.radians(-122 + 58 * eased)
        camera.location = (6.0 * math.cos(angle), 6.0 * math.sin(angle), 1.15 + 0.75 * eased)
        camera.keyframe_insert('location', frame=frame)
    scene.camera = camera


def settings(scene):
    scene.render.engine = 'CYCLES'
    scene.cycles.device = 'CPU'
    # A power of two: with fewer that are none, the choice between the two lamps shows as grain.
    scene.cycles.samples = 8
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 1
    scene.cycles.diffuse_bounces = 0
    scene.cycles.glossy_bounces = 1
    scene.cycles.sample_clamp_indirect = 1
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    scene.render.fps = 24
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.render.filepath = '//frames/sample_####'
    scene.view_settings.look = 'Medium High Contrast'
    world = bpy.data.worlds.new('Night')
    world.use_nodes = True
    world.node_tree.nodes['Background'].inputs['Color'].default_value = (0.012, 0.012, 0.03, 1)
    scene.world = world


def main():
    out = os.path.abspath(sys.argv[sys.argv.index('--out') + 1])
    blend = os.path.join(out, 'sample.blend')
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    settings(scene)
    texture = boards(os.path.join(out, 'textures', 'floor.png'))
    audio = compas(os.path.join(out, 'audio', 'compas.wav'), FRAMES / 24)
    target = bpy.data.objects.new('Target', None)
    target.location = (0, 0, 0.98)
    scene.collection.objects.link(target)
    add_floor(lit('Boards', (1, 1, 1), 0.1, 0.14, 0.12, texture=image_texture(texture, blend)))
    add_curtain(lit('Velvet', (0.24, 0.012, 0.03), 0.16))
    fan = add_fan(lit('Silk', (0.76, 0.03, 0.035), 0.1), lit('Ebony', (0.03, 0.018, 0.014), 0.2, 0.2))
    for frame, lean in ((1, -0.16), (13, 0.1), (FRAMES, 0.02)):
        fan.rotation_euler = (-0.08, lean, 0.12)
        fan.keyframe_insert('rotation_euler', frame=frame)
    gold = lit('Gold', (0.95, 0.6, 0.2), 0.03, roughness=0.16, metal=True)
    add_ball('Pivot', gold, 0.1, (0, 0.24, 0.1))
    add_ball('Globe', gold, 0.42, (-1.55, -0.75, 0.42))
    castanet = lit('Rosewood', (0.13, 0.03, 0.018), 0.15, 0.25, 0.08)
    add_ball('Castanet', castanet, 0.34, (1.15, -1.0, 0.15), (1, 1, 0.42))
    add_ball('Castanet 2', castanet, 0.34, (1.72, -0.55, 0.15), (1, 1, 0.42))
    add_spot('Key', (2.6, -4.2, 4.6), target, 1900, (1, 0.86, 0.66))
    add_spot('Rim', (-4.2, 1.2, 4.4), target, 1500, (0.62, 0.7, 1), 75)
    add_camera(target)
    save(blend)
    scene.sequence_editor_create()
    strip = scene.sequence_editor.sequences.new_sound('Compás', audio, 1, 1)
    strip.sound.filepath = relative(audio, blend)
    save(blend)
    print('SCENE ' + json.dumps({'name': 'sample', 'blend': blend}), flush=True)


main()
