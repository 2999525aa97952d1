"""The scene that is loaded in this process, and what a job changes in it."""

import os
import time

import bpy
import cuadro_devices
import cuadro_missing
import cuadro_outputs
import remap
import rendered_scenes
from cuadro_failure import Failure


class LoadedScene:
    def __init__(self):
        self.identity = None
        self.scene_name = None
        self.render_path = ""
        self.warnings = []
        self.devices = []

    @property
    def scene(self):
        return bpy.data.scenes[self.scene_name]

    def ensure(self, order, stage):
        """Load the order's scene unless it is loaded with the same settings; milliseconds spent, 0 when warm."""
        identity = (order["key"], repr(sorted(order["settings"].items())))
        if self.identity == identity:
            return 0
        started = time.monotonic()
        stage("loading")
        # A failed load may leave the old scene in place: from here on nothing counts as loaded.
        self.identity = None
        load(order)
        self._prepare(order)
        self.identity = identity
        return max(1, round((time.monotonic() - started) * 1000))

    def _prepare(self, order):
        settings = order["settings"]
        scene = _choose_scene(settings.get("sceneName"))
        self.scene_name = scene.name
        if bpy.context.window:
            # As `blender -S` does: what the scene's scripts find in the context is the scene that is rendered.
            bpy.context.window.scene = scene
        self.warnings = cuadro_missing.missing()
        _apply(scene, settings)
        render = scene.render
        if render.is_movie_format:
            self.warnings.append(
                f"The scene's output is a movie ({render.image_settings.file_format}); it is rendered as PNG frames."
            )
            cuadro_outputs.choose_format(render.image_settings, "PNG")
        if not render.use_stamp:
            # Metadata with dates and durations would make equal pictures differ as files.
            for name in dir(render):
                if name.startswith("use_stamp_") and name != "use_stamp_labels":
                    setattr(render, name, False)
        render.use_persistent_data = True
        render.use_overwrite = True
        render.use_placeholder = False
        render.use_lock_interface = True
        self.render_path = render.filepath
        along = rendered_scenes.rendered_scenes(scene)[1:]
        self.warnings += cuadro_outputs.redirect_nodes(scene, order["outputFolder"], along)
        for other in along:
            cuadro_devices.enable(other, order.get("devices"))
        self.devices = cuadro_devices.enable(scene, order.get("devices"))


def load(order):
    path = os.path.join(order["directory"], order["blendFile"])
    if not os.path.isfile(path):
        raise Failure("load-failed", f"{order['blendFile']} is not there.")
    try:
        bpy.ops.wm.open_mainfile(filepath=path, load_ui=False, use_scripts=order["settings"]["allowScripts"])
    except RuntimeError as error:
        reason = _last_line(error).replace(path, order["blendFile"])
        raise Failure("load-failed", f"Blender can't read {order['blendFile']}: {reason}") from error
    # A load that failed quietly leaves the previous scene in place.
    if os.path.realpath(bpy.data.filepath) != os.path.realpath(path):
        raise Failure("load-failed", f"Blender did not load {order['blendFile']}.")
    remap.apply(order["remap"], order["directory"])


def _last_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ") if lines else "no reason given."


def _choose_scene(name):
    if name is None:
        scene = bpy.context.window.scene if bpy.context.window else bpy.context.scene
        return scene or bpy.data.scenes[0]
    scene = bpy.data.scenes.get(name)
    if scene is None:
        known = ", ".join(f"'{other.name}'" for other in bpy.data.scenes)
        raise Failure("not-in-scene", f"The file has no scene '{name}'; it has {known}.")
    return scene


def _apply(scene, settings):
    camera = settings.get("camera")
    if camera is not None:
        chosen = scene.objects.get(camera)
        if chosen is None or chosen.type != "CAMERA":
            known = ", ".join(f"'{item.name}'" for item in scene.objects if item.type == "CAMERA") or "none"
            raise Failure("not-in-scene", f"The scene has no camera '{camera}'; cameras: {known}.")
        for marker in scene.timeline_markers:
            marker.camera = None
        scene.camera = chosen
    if settings.get("resolutionPercent") is not None:
        scene.render.resolution_percentage = settings["resolutionPercent"]
    if settings.get("samples") is not None:
        scene.cycles.samples = settings["samples"]
        scene.eevee.taa_render_samples = settings["samples"]
    if settings.get("denoise") is not None:
        for each in rendered_scenes.rendered_scenes(scene):
            each.cycles.use_denoising = settings["denoise"]
    if settings.get("format") is not None:
        try:
            cuadro_outputs.choose_format(scene.render.image_settings, settings["format"])
        except TypeError as error:
            raise Failure("bad-request", f"This Blender writes no {settings['format']}.") from error
