"""Rewrites the absolute paths that a scene stores to where the same files stand in the rebuilt tree."""

import os

import bpy


def _normal(path):
    return path.replace("\\", "/")


class Remap:
    """`entries` are (absolute path as stored, absolute path now); a folder stands for all below it."""

    def __init__(self, directory, entries):
        pairs = [(_normal(e["from"]).rstrip("/"), os.path.join(directory, e["to"])) for e in entries]
        # The longest comes first, so that a file's own entry wins over its folder's.
        self.pairs = sorted(pairs, key=lambda pair: -len(pair[0]))

    def __bool__(self):
        return bool(self.pairs)

    def __call__(self, path):
        """The new path, or None when no entry covers `path`."""
        stored = _normal(path)
        for source, target in self.pairs:
            if stored.rstrip("/") == source:
                return target + ("/" if stored.endswith("/") else "")
            if stored.startswith(source + "/"):
                return os.path.join(target, stored[len(source) + 1:])
        return None


def _owners():
    """Every (object, attribute) of the loaded file that holds a path to something that is read."""
    data = bpy.data
    for collection in ("images", "sounds", "fonts", "movieclips", "volumes", "cache_files"):
        for block in getattr(data, collection, ()):
            yield block, "filepath"
    for scene in data.scenes:
        editor = scene.sequence_editor
        for strip in (getattr(editor, "sequences_all", None) or getattr(editor, "strips_all", ())) if editor else ():
            yield strip, "directory"
            yield strip, "filepath"
    for item in data.objects:
        for modifier in item.modifiers:
            yield modifier, "filepath"
            for settings in (getattr(modifier, "domain_settings", None),):
                yield settings, "cache_directory"
            yield getattr(modifier, "point_cache", None), "filepath"
        for system in item.particle_systems:
            yield system.point_cache, "filepath"
    for tree in _node_trees():
        for node in tree.nodes:
            if node.bl_idname in {"ShaderNodeTexIES", "ShaderNodeScript"}:
                yield node, "filepath"


def _node_trees():
    yield from bpy.data.node_groups
    for collection in (bpy.data.materials, bpy.data.worlds, bpy.data.lights):
        for block in collection:
            if block.node_tree:
                yield block.node_tree


def _rewrite(owner, attribute, remap):
    stored = getattr(owner, attribute, None) if owner is not None else None
    if not isinstance(stored, str) or not stored or stored.startswith("//"):
        return
    target = remap(stored)
    if target is None or target == stored:
        return
    try:
        setattr(owner, attribute, target)
    except (AttributeError, TypeError, RuntimeError) as error:
        print(f"[cuadro] could not rewrite {stored}: {error}")


def rewrite(directory, entries):
    """Apply the remap to the loaded file: libraries first, since they bring further paths when reloaded."""
    remap = Remap(directory, entries)
    if not remap:
        return
    done = set()
    waiting = True
    while waiting:
        waiting = False
        for library in bpy.data.libraries:
            target = None if library.filepath.startswith("//") else remap(library.filepath)
            if target and library.filepath != target and library.name not in done:
                done.add(library.name)
                library.filepath = target
                library.reload()
                # Reloading replaces the collection that is being walked.
                waiting = True
                break
    for owner, attribute in _owners():
        _rewrite(owner, attribute, remap)


def missing():
    """Sentences for libraries and images that are not where the scene says, without the packed ones."""
    sentences = []
    for library in bpy.data.libraries:
        path = bpy.path.abspath(library.filepath, library=library.parent)
        if library.packed_file is None and not os.path.exists(path):
            sentences.append(f"Missing library: {library.filepath}")
    for image in bpy.data.images:
        if image.source != "FILE" or image.packed_file or not image.filepath or not image.users:
            continue
        path = bpy.path.abspath(image.filepath, library=image.library)
        if not os.path.exists(path):
            sentences.append(f"Missing texture: {image.filepath}")
    return sentences
