"""What this Blender can do (node/src/render/interface.ts, BlenderCapabilities)."""

import re

import bpy
import cuadro_devices
import cuadro_outputs


def _choices(owner, attribute):
    """Values of an enumeration; a dynamic one only names them when it refuses a wrong value."""
    try:
        setattr(owner, attribute, "CUADRO_NO_SUCH_VALUE")
    except TypeError as error:
        names = re.search(r"not found in \((.*)\)", str(error), re.DOTALL)
        return re.findall(r"'([^']+)'", names.group(1)) if names else []
    return []


def _formats(settings):
    """All formats; from Blender 5.0 on each medium has its own."""
    if not hasattr(settings, "media_type"):
        return _choices(settings, "file_format")
    found = []
    for medium in _choices(settings, "media_type"):
        settings.media_type = medium
        found += _choices(settings, "file_format")
    return list(dict.fromkeys(found))


def _cycles_features():
    try:
        import _cycles

        return bool(getattr(_cycles, "with_openimagedenoise", False)), bool(getattr(_cycles, "with_osl", False))
    except ImportError:
        return False, False


def report():
    scene = bpy.context.scene
    images, movies = [], []
    for name in _formats(scene.render.image_settings):
        cuadro_outputs.choose_format(scene.render.image_settings, name)
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
