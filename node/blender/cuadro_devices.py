"""Compute devices: --factory-startup forgets the user's choice, so each session enables what its slot owns."""

import bpy

# From the fastest to the most general; the first kind with a device wins.
GPU_KINDS = ("OPTIX", "CUDA", "HIP", "ONEAPI", "METAL")


def cycles_preferences():
    addon = bpy.context.preferences.addons.get("cycles")
    return addon.preferences if addon else None


def devices_of(preferences, kind):
    """Devices of one kind, or none where the build doesn't know the kind."""
    try:
        preferences.compute_device_type = kind
        preferences.refresh_devices() if hasattr(preferences, "refresh_devices") else preferences.get_devices()
    except (TypeError, ValueError, RuntimeError):
        return []
    return [device for device in preferences.devices if device.type == kind]


def all_devices():
    """Every device that Cycles sees, as {"name", "type"}; leaves the preferences at no GPU."""
    preferences = cycles_preferences()
    found = []
    if preferences is None:
        return found
    for kind in GPU_KINDS:
        found += [{"name": device.name, "type": kind} for device in devices_of(preferences, kind)]
    try:
        preferences.compute_device_type = "NONE"
        import _cycles

        found += [{"name": device[0], "type": "CPU"} for device in _cycles.available_devices("CPU")[:1]]
    except (TypeError, ImportError, IndexError):
        found.append({"name": "CPU", "type": "CPU"})
    return found


def enable(scene, allowed):
    """Let `scene` render on the slot's devices; return the names of those that will be used.

    `allowed` is None (all GPUs, else the CPU), or a list of device names, where "CPU" means no GPU.
    """
    if scene.render.engine != "CYCLES":
        return ["CPU"] if scene.render.engine == "BLENDER_WORKBENCH" else [_graphics_device()]
    preferences = cycles_preferences()
    if preferences is not None and allowed != ["CPU"]:
        for kind in GPU_KINDS:
            chosen = [d for d in devices_of(preferences, kind) if allowed is None or d.name in allowed]
            if chosen:
                for device in preferences.devices:
                    device.use = device in chosen
                scene.cycles.device = "GPU"
                return [f"{device.name} ({kind})" for device in chosen]
        preferences.compute_device_type = "NONE"
    scene.cycles.device = "CPU"
    return ["CPU"]


def _graphics_device():
    """EEVEE draws on whatever the graphics driver offers; a software driver is the CPU."""
    try:
        import gpu

        name = gpu.platform.renderer_get()
        return "CPU" if "llvmpipe" in name or "softpipe" in name else name
    except (ImportError, SystemError, AttributeError):
        return "GPU"
