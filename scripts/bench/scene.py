"""Makes the cheap film of the efficiency bench: spheres on a plane, a turning camera, Cycles on the CPU.

Run as: blender -b --factory-startup -noaudio --python-exit-code 7 --python scene.py -- --out FILE --samples N --percent P
About half a second per frame of 640×360 on two cores; no texture, no sound, always the same.
"""

import argparse
import math
import sys

import bpy

parser = argparse.ArgumentParser()
parser.add_argument("--out", required=True)
parser.add_argument("--samples", type=int, required=True)
parser.add_argument("--percent", type=int, required=True)
parser.add_argument("--frames", type=int, required=True)
options = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])

bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.world = bpy.data.worlds.new("Sky")
scene.world.color = (0.35, 0.4, 0.5)


def material(name, color):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*color, 1)
    shader.inputs["Roughness"].default_value = 0.4
    return made


bpy.ops.mesh.primitive_plane_add(size=40)
bpy.context.object.data.materials.append(material("Ground", (0.5, 0.45, 0.4)))
for i in range(9):
    angle = i * 2 * math.pi / 9
    bpy.ops.mesh.primitive_uv_sphere_add(
        segments=48, ring_count=24, radius=0.8, location=(3 * math.cos(angle), 3 * math.sin(angle), 0.8)
    )
    ball = bpy.context.object
    bpy.ops.object.shade_smooth()
    ball.data.materials.append(material(f"Ball {i}", (0.2 + 0.08 * i, 0.3, 0.9 - 0.08 * i)))

bpy.ops.object.light_add(type="SUN", rotation=(0.7, 0.2, 0.4))
bpy.context.object.data.energy = 3

bpy.ops.object.empty_add(location=(0, 0, 0.6))
pivot = bpy.context.object
for frame, turn in ((1, 0.0), (options.frames + 1, math.pi / 2)):
    pivot.rotation_euler[2] = turn
    pivot.keyframe_insert("rotation_euler", frame=frame)
bpy.ops.object.camera_add(location=(0, -9, 4), rotation=(math.radians(70), 0, 0))
scene.camera = bpy.context.object
scene.camera.parent = pivot

scene.frame_start, scene.frame_end = 1, options.frames
scene.render.engine = "CYCLES"
scene.cycles.device = "CPU"
scene.cycles.samples = options.samples
scene.cycles.use_adaptive_sampling = False
scene.cycles.use_denoising = False
scene.cycles.max_bounces = 4
scene.render.resolution_x, scene.render.resolution_y = 640, 360
scene.render.resolution_percentage = options.percent
scene.render.image_settings.file_format = "PNG"
scene.render.filepath = "//frame_"
bpy.ops.wm.save_as_mainfile(filepath=options.out, compress=False)
