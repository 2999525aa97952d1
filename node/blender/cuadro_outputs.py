"""Keeps what a scene writes inside the session's folder, under the names that Blender would give."""

import os
import posixpath
import re
import struct

IMAGE_FORMATS_BY_EXTENSION = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".exr": "OPEN_EXR", ".tif": "TIFF", ".tiff": "TIFF",
    ".webp": "WEBP", ".bmp": "BMP", ".hdr": "HDR", ".tga": "TARGA", ".dpx": "DPX", ".cin": "CINEON",
    ".jp2": "JPEG2000", ".j2c": "JPEG2000", ".rgb": "IRIS",
}


def last_part(path):
    """What follows the last separator of either kind: '' for a folder."""
    return re.split(r"[\\/]", path)[-1]


def _folder_parts(path):
    return [part for part in re.split(r"[\\/]", path) if part not in ("", ".", "..") and not part.endswith(":")]


def relative_folder(base, render_folder):
    """Where a File Output node's folder stands beside the frames.

    Inside the scene's own output folder it keeps its place, elsewhere it keeps its own name.
    """
    mine, scenes = _folder_parts(_same_for_all(base)), _folder_parts(_same_for_all(render_folder))
    if mine[: len(scenes)] == scenes and base.startswith("//") == render_folder.startswith("//"):
        return os.path.join("", *mine[len(scenes):])
    return mine[-1] if mine else ""


def _same_for_all(folder):
    """One spelling of a folder, so that two spellings of it are not taken for two folders."""
    start = "//" if folder.startswith("//") else ""
    return start + posixpath.normpath(folder[len(start):].replace("\\", "/") or ".")


class Places:
    """Gives each folder that the scene writes to one below `output_folder`, and never one to two of them."""

    def __init__(self, output_folder, render_folder):
        self.output_folder = output_folder
        self.render_folder = render_folder
        # The frames themselves stand at the top.
        self.taken = {"": _same_for_all(render_folder)}

    def of(self, folder):
        relative, spelled = relative_folder(folder, self.render_folder), _same_for_all(folder)
        number, free = 1, relative
        while self.taken.setdefault(free, spelled) != spelled:
            number += 1
            free = f"{relative or 'output'}-{number}"
        return os.path.join(self.output_folder, free)


def choose_format(settings, name):
    """Set a file format; from Blender 5.0 on only those of the chosen medium can be set. Raises TypeError."""
    if hasattr(settings, "media_type"):
        media = {"OPEN_EXR_MULTILAYER": "MULTI_LAYER_IMAGE", "FFMPEG": "VIDEO"}
        settings.media_type = media.get(name, "IMAGE")
    settings.file_format = name


def _trees(tree, seen):
    if tree is None or tree in seen:
        return
    seen.append(tree)
    yield tree
    for node in tree.nodes:
        yield from _trees(getattr(node, "node_tree", None), seen)


def compositor_trees(scene):
    if not scene.use_nodes and not hasattr(scene, "compositing_node_group"):
        return
    tree = getattr(scene, "compositing_node_group", None) or getattr(scene, "node_tree", None)
    yield from _trees(tree, [])


def redirect_nodes(scene, output_folder, along=()):
    """Point every File Output node of the scene, and of those that are rendered along, into `output_folder`.

    Returns sentences about movie formats that changed.
    """
    warnings = []
    render_folder = scene.render.filepath[: len(scene.render.filepath) - len(last_part(scene.render.filepath))]
    places = Places(output_folder, render_folder)
    trees = [tree for each in (scene, *along) for tree in compositor_trees(each)]
    for tree in dict.fromkeys(trees):
        for node in tree.nodes:
            if node.bl_idname != "CompositorNodeOutputFile":
                continue
            attribute = "base_path" if hasattr(node, "base_path") else "directory"
            stored = getattr(node, attribute)
            multilayer = attribute == "base_path" and node.format.file_format == "OPEN_EXR_MULTILAYER"
            # A multilayer node's base path is a file's beginning, not a folder.
            stem = last_part(stored) if multilayer else ""
            folder = stored[: len(stored) - len(stem)] if multilayer else stored
            target = places.of(folder)
            setattr(node, attribute, os.path.join(target, stem))
            if attribute == "directory":
                _number_files(node)
            if not multilayer:
                _keep_slots_inside(node, folder, target, places)
            if node.format.file_format in {"FFMPEG", "AVI_JPEG", "AVI_RAW"}:
                choose_format(node.format, "PNG")
                warnings.append(f"The node '{node.name}' writes a movie; it becomes PNG frames.")
    return warnings


def _number_files(node):
    """Blender 5 numbers the files of such a node only in an animation, which a single frame is not for it."""
    if "#" in node.file_name:
        return
    if node.format.file_format == "OPEN_EXR_MULTILAYER":
        node.file_name += "####"
        return
    for item in node.file_output_items:
        if "#" not in item.name:
            item.name += "####"


def _keep_slots_inside(node, folder, target, places):
    """A slot whose path leads out of its node's folder would write where nothing is collected."""
    for slot in getattr(node, "file_slots", ()):
        name = last_part(slot.path)
        way = slot.path[: len(slot.path) - len(name)]
        if ".." in re.split(r"[\\/]", way):
            slot.path = os.path.join(os.path.relpath(places.of(f"{folder}/{way}"), target), name)


def written_files(folder):
    """Relative paths of all regular files below `folder`, in a stable order."""
    found = []
    for parent, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(parent, name), folder) for name in names]
    return sorted(found)


def _edge(share, pixels):
    """Blender multiplies in single precision: 0.7 of 1920 is 1344 there, and a little less in double."""
    return int(struct.unpack("f", struct.pack("f", share * pixels))[0])


def image_size(scene):
    """Width and height in pixels of the written image, as Blender's own arithmetic gives them."""
    render = scene.render
    width = render.resolution_x * render.resolution_percentage // 100
    height = render.resolution_y * render.resolution_percentage // 100
    if render.use_border and render.use_crop_to_border:
        width, height = (
            _edge(render.border_max_x, width) - _edge(render.border_min_x, width),
            _edge(render.border_max_y, height) - _edge(render.border_min_y, height),
        )
    if render.use_multiview and render.image_settings.views_format == "STEREO_3D":
        stereo = render.image_settings.stereo_3d_format
        if not stereo.use_squeezed_frame:
            width *= 2 if stereo.display_mode == "SIDEBYSIDE" else 1
            height *= 2 if stereo.display_mode == "TOPBOTTOM" else 1
    return width, height
