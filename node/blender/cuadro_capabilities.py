"""What this Blender can do (node/src/render/interface.ts, BlenderCapabilities)."""

import re

import bpy
import cuadro_devices


def _choices(owner, attribute):
    """Values of an enumeration; a dynamic one only names them when it refuses a wrong value."""
    try:
        setattr(owner, attribute, "CUADRO_NO_SUCH_VALUE")
    except TypeError as error:
        names = re.search(r"not found in \((.*)\)", str(error), re.DOTALL)
        return re.findall(r"'([^']+)'", names.group(1)) if names else []
    return []


def _cycles_features():
    try:
        import _cycles

        return bool(getattr(_cycles, "with_openimagedenoise", False)), bool(getattr(_cycles, "with_osl", False))
    except ImportError:
        return False, False


def report():
    scene = bpy.context.scene
    formats = _choices(scene.render.image_settings, "file_format")
    images, movies = [], []
    for name in formats:
        scene.render.image_settings.file_format = name
        (movies if scene.render.is_movie_format else images).append(name)
    devices = cuadro_devices.all_devices()
    with_denoiser, with_osl = _cycles_features()
    denoisers = ["openimagedenoise"] if with_denoiser else []
    if any(device["type"] == "OPTIX" for device in devices):
        denoisers.append("optix")
    return {
        "version": bpy.app.version_string,
        "engines": _choices(scene.render, "engine"),
        "devices": devices,
        "denoisers": denoisers,
        "openShadingLanguage": with_osl,
        "imageFormats": images,
        "movieFormats": movies,
    }
