"""One warm Blender, and nothing else: opens a scene, sets what a session of the farm sets, renders frame after frame.

Run as: blender -b --factory-startup --disable-autoexec -noaudio --python-exit-code 7 --python baseline.py -- SCENE OUT FIRST LAST
The flags and the settings are those of node/src/render/blender/launch.ts and node/blender/cuadro_scene.py; written
anew and plainly, so that whatever the farm's own code costs is not in the baseline too. Prints `PHASE name seconds`
since the process began its script, and `FRAME n seconds` for each frame.
"""

import os
import sys
import time

import bpy

started = time.monotonic()
blend, out, first, last = sys.argv[sys.argv.index("--") + 1 :]
bpy.ops.wm.open_mainfile(filepath=blend, load_ui=False, use_scripts=False)
scene = bpy.context.scene
render = scene.render
for name in dir(render):
    if name.startswith("use_stamp_") and name != "use_stamp_labels":
        setattr(render, name, False)
render.use_persistent_data = True
render.use_lock_interface = True
scene.cycles.device = "CPU"
print(f"PHASE loaded {time.monotonic() - started:.4f}", flush=True)
for frame in range(int(first), int(last) + 1):
    begun = time.monotonic()
    scene.frame_current = frame
    render.filepath = os.path.join(out, f"frame_{frame:04d}.png")
    bpy.ops.render.render(write_still=True, scene=scene.name)
    print(f"FRAME {frame} {time.monotonic() - begun:.4f}", flush=True)
