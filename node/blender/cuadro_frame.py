"""Renders one frame of the loaded scene and says what was written."""

import os
import time

import bpy
import cuadro_outputs
from cuadro_failure import Failure

PREVIEW_LONG_SIDE = 1920
# What sharp reads needs no preview of its own.
READABLE_FORMATS = {"PNG", "JPEG", "WEBP", "TIFF"}


def render(loaded, order):
    scene, output, frame = loaded.scene, order["outputFolder"], order["frame"]
    scene.render.filepath = loaded.render_path
    name = cuadro_outputs.last_part(scene.render.frame_path(frame=frame))
    scene.render.filepath = os.path.join(output, name)
    # Assigning the frame, unlike frame_set, evaluates nothing: rendering does so, once, as `blender -f` does.
    # The operator takes the frame from the window's scene, whichever scene it is to render.
    for each in (bpy.context.scene, scene):
        each.frame_current = frame
        each.frame_subframe = 0.0
    if scene.frame_current != frame:
        raise Failure("bad-request", f"This Blender has no frame {frame}.")
    # Nobody looks at a picture's warnings but in its log, and a warm scene was loaded for another frame.
    for warning in loaded.warnings:
        print(f"Warning: {warning}")
    started = time.monotonic()
    try:
        bpy.ops.render.render(write_still=True, scene=scene.name)
    except RuntimeError as error:
        raise Failure("render-failed", str(error).strip()) from error
    finally:
        scene.render.filepath = loaded.render_path
    render_ms = round((time.monotonic() - started) * 1000)
    files = _files(scene, output, name)
    result = {
        "files": files,
        "devices": loaded.devices,
        "engine": scene.render.engine,
        "engineVersion": bpy.app.version_string,
        "renderMs": render_ms,
        "warnings": loaded.warnings,
    }
    if _wants_preview(scene, order.get("preview", "needed")):
        result["preview"] = save_preview(scene, order["previewFile"])
    return result


def _files(scene, output, name):
    written = cuadro_outputs.written_files(output)
    images = [path for path in written if path in _image_names(scene, name)]
    if not images:
        raise Failure("no-output", f"Blender finished without writing {name}.")
    width, height = cuadro_outputs.image_size(scene)
    asked = scene.render.image_settings.file_format
    views = scene.render.use_multiview and len(images) > 1
    files = [
        {"name": path, "role": "view" if views else "image", "width": width, "height": height, "format": asked}
        for path in images
    ]
    for path in written:
        if path not in images:
            extension = os.path.splitext(path)[1].lower()
            # Where the scene adds no extensions, only the file itself says what it is.
            known = cuadro_outputs.IMAGE_FORMATS_BY_EXTENSION.get(extension, "")
            files.append({"name": path, "role": "compositor", "width": 0, "height": 0, "format": known})
    return files


def _image_names(scene, name):
    """The image's own name, and the names of its views."""
    return {name, *_view_names(scene, name)}


def _view_names(scene, path):
    """The path with each view's suffix where Blender puts it: before the last dot of the name, or at its end."""
    if not scene.render.use_multiview:
        return []
    name = cuadro_outputs.last_part(path)
    dot = name.rfind(".")
    end = len(path) if dot < 0 else len(path) - len(name) + dot
    return [f"{path[:end]}{view.file_suffix}{path[end:]}" for view in scene.render.views]


def _keep_first_view(scene, path):
    """Of the views of a picture that was saved as `path`, the first takes its place, and the others go."""
    views = [view for view in _view_names(scene, path) if view != path and os.path.exists(view)]
    for view in views[1:]:
        os.remove(view)
    if views:
        os.replace(views[0], path)


def _wants_preview(scene, wish):
    if wish == "needed":
        return scene.render.image_settings.file_format not in READABLE_FORMATS
    return wish == "always"


def save_preview(scene, path):
    """Save the render result as a JPEG with the scene's view transform; None when Blender has none to save."""
    settings = scene.render.image_settings
    # The medium first, which Blender has from 5.0 on: what else can be set depends on it.
    names = ("media_type", "file_format", "color_mode", "color_depth", "quality")
    before = {name: getattr(settings, name) for name in names if hasattr(settings, name)}
    views = settings.views_format if scene.render.use_multiview else None
    try:
        if views is not None:
            # A JPEG holds no views: asked for all in one file, Blender writes none, and never renders again.
            settings.views_format = "INDIVIDUAL"
        cuadro_outputs.choose_format(settings, "JPEG")
        settings.color_mode = "RGB"
        settings.quality = 85
        bpy.data.images["Render Result"].save_render(path, scene=scene)
    except (KeyError, RuntimeError) as error:
        print(f"[cuadro] no preview: {error}")
        return None
    finally:
        for name, value in before.items():
            try:
                setattr(settings, name, value)
            except TypeError:
                pass  # The depth of a format that has only one can't be set.
        if views is not None:
            settings.views_format = views
    _keep_first_view(scene, path)
    if not os.path.exists(path):
        return None
    _shrink(path)
    return path


def _shrink(path):
    image = bpy.data.images.load(path)
    try:
        width, height = image.size
        longest = max(width, height)
        if longest > PREVIEW_LONG_SIDE:
            image.scale(
                max(1, width * PREVIEW_LONG_SIDE // longest), max(1, height * PREVIEW_LONG_SIDE // longest)
            )
            image.save()
    finally:
        bpy.data.images.remove(image)
