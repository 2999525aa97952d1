# Renders one tiny picture in every image format of this Blender, into the folder given after "--".
import os
import sys

import bpy

folder = sys.argv[sys.argv.index("--") + 1]
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples = 1
scene.cycles.use_denoising = False
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 64, 36, 100
settings = scene.render.image_settings


def render(name, **values):
    for key, value in values.items():
        setattr(settings, key, value)
    scene.render.filepath = os.path.join(folder, name)
    bpy.ops.render.render(write_still=True)


for codec in ("NONE", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB"):
    render(f"one-{codec}.exr", file_format="OPEN_EXR", color_mode="RGBA", color_depth="16", exr_codec=codec)
    render(f"layers-{codec}.exr", file_format="OPEN_EXR_MULTILAYER", exr_codec=codec)
for kind in ("PNG", "JPEG", "JPEG2000", "TARGA", "TARGA_RAW", "BMP", "IRIS", "CINEON", "DPX", "HDR", "TIFF", "WEBP"):
    try:
        plain = {"color_mode": "RGBA", "color_depth": "8"} if kind in ("PNG", "TIFF") else {}
        render(f"{kind}.{kind.lower()}", file_format=kind, **plain)
    except TypeError:
        # This build lacks the format.
        continue
render("deep.png", file_format="PNG", color_depth="16", color_mode="RGBA")
scene.render.use_multiview = True
render("views.exr", file_format="OPEN_EXR_MULTILAYER", exr_codec="ZIP", views_format="MULTIVIEW")
