"""Every place in Blender's data that names a file outside the .blend.

The tracer reads these places and the remapper rewrites them, so both walk the same list: what one sees the
other can move. A slot knows the datablock that owns it, because a path that begins with `//` is relative to
the file that the datablock came from (a library, or the scene itself).
"""

import os

import bpy


class Slot:
    """One path in the data: read with `get()`, written with `set()`."""

    def __init__(self, kind, span, owner, holder, attribute, name=None, essential=True):
        self.kind = kind
        self.span = span
        self.owner = owner
        self.holder = holder
        self.attribute = attribute
        self.name = name or owner.name
        self.essential = essential

    def get(self):
        return getattr(self.holder, self.attribute)

    def set(self, path):
        setattr(self.holder, self.attribute, path)

    @property
    def library(self):
        return self.owner.library


def is_relative(path):
    return path.startswith('//')


def library_file(library):
    """Absolute path of a library's .blend."""
    return absolute(library.filepath, None)


def owner_file(datablock):
    """Absolute path of the .blend that holds a datablock."""
    if isinstance(datablock, bpy.types.Library):
        return library_file(datablock.parent) if datablock.parent else bpy.data.filepath
    return library_file(datablock.library) if datablock.library else bpy.data.filepath


def absolute(path, library):
    """Absolute, normalised path as Blender resolves it (Blender reads backslashes of relative paths too)."""
    if is_relative(path):
        base = os.path.dirname(library_file(library) if library else bpy.data.filepath)
        path = os.path.join(base, path[2:].replace('\\', '/') if os.sep == '/' else path[2:])
    return os.path.normpath(path)


def node_trees():
    """(owner, tree) of every node tree: the groups, and those embedded in other datablocks."""
    for tree in bpy.data.node_groups:
        yield tree, tree
    owners = (bpy.data.materials, bpy.data.worlds, bpy.data.lights, bpy.data.textures, bpy.data.linestyles)
    for collection in (*owners, bpy.data.scenes):
        for owner in collection:
            tree = getattr(owner, 'node_tree', None)
            if tree is not None:
                yield owner, tree


def _packed(datablock):
    if getattr(datablock, 'packed_file', None) is not None:
        return True
    return len(getattr(datablock, 'packed_files', ())) > 0


def _image_slots():
    for image in bpy.data.images:
        if image.source not in {'FILE', 'SEQUENCE', 'MOVIE', 'TILED'} or _packed(image) or not image.filepath:
            continue
        span = {'SEQUENCE': 'sequence', 'TILED': 'tiles'}.get(image.source, 'single')
        yield Slot('image', span, image, image, 'filepath')


def _datablock_slots():
    for clip in bpy.data.movieclips:
        span = 'sequence' if clip.source == 'SEQUENCE' else 'single'
        yield Slot('movie-clip', span, clip, clip, 'filepath')
    for sound in bpy.data.sounds:
        if not _packed(sound):
            yield Slot('sound', 'single', sound, sound, 'filepath')
    for font in bpy.data.fonts:
        if not _packed(font) and font.filepath != '<builtin>':
            yield Slot('font', 'single', font, font, 'filepath')
    for volume in getattr(bpy.data, 'volumes', ()):
        if not _packed(volume):
            yield Slot('volume', 'sequence' if volume.is_sequence else 'single', volume, volume, 'filepath')
    for cache in bpy.data.cache_files:
        yield Slot('cache-file', 'sequence' if cache.is_sequence else 'single', cache, cache, 'filepath')
        for layer in getattr(cache, 'layers', ()):
            yield Slot('cache-file', 'single', cache, layer, 'filepath')
    for text in bpy.data.texts:
        # The .blend holds the text's lines too, so a render does not need the file.
        yield Slot('text', 'single', text, text, 'filepath', essential=False)


def _strip_slots():
    for scene in bpy.data.scenes:
        editor = scene.sequence_editor
        if editor is None:
            continue
        strips = editor.sequences_all if hasattr(editor, 'sequences_all') else editor.strips_all
        for strip in strips:
            if strip.type == 'MOVIE':
                yield Slot('strip', 'single', scene, strip, 'filepath', name=strip.name)
            elif strip.type == 'IMAGE':
                yield Slot('strip', 'folder', scene, strip, 'directory', name=strip.name)


def _node_slots():
    for owner, tree in node_trees():
        for node in tree.nodes:
            if getattr(node, 'mode', None) != 'EXTERNAL':
                continue
            if node.bl_idname == 'ShaderNodeTexIES':
                yield Slot('light-profile', 'single', owner, node, 'filepath', name=node.name)
            elif node.bl_idname == 'ShaderNodeScript':
                yield Slot('shader-script', 'single', owner, node, 'filepath', name=node.name)


def point_caches():
    """(object or scene, kind, point cache, matters) of every simulation that keeps its frames in a point cache."""
    for scene in bpy.data.scenes:
        world = scene.rigidbody_world
        if world is not None and world.enabled:
            yield scene, 'rigid-body', world.point_cache
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            if modifier.type == 'CLOTH':
                yield obj, 'cloth', modifier.point_cache
            elif modifier.type == 'SOFT_BODY':
                yield obj, 'soft-body', modifier.point_cache
            elif modifier.type == 'DYNAMIC_PAINT' and modifier.canvas_settings is not None:
                for surface in modifier.canvas_settings.canvas_surfaces:
                    yield obj, 'dynamic-paint', surface.point_cache
        for system in obj.particle_systems:
            settings = system.settings
            if settings.type == 'HAIR' and not system.use_hair_dynamics:
                continue
            if settings.type == 'EMITTER' and settings.physics_type == 'NO':
                continue
            yield obj, 'particles', system.point_cache


def _cache_slots():
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            name = f'{obj.name} / {modifier.name}'
            if modifier.type == 'MESH_CACHE':
                yield Slot('mesh-cache', 'single', obj, modifier, 'filepath', name=name)
            elif modifier.type == 'MULTIRES' and modifier.is_external:
                yield Slot('mesh-cache', 'single', obj, modifier, 'filepath', name=name)
            elif modifier.type == 'OCEAN' and modifier.is_cached:
                yield Slot('simulation-cache', 'folder', obj, modifier, 'filepath', name=name)
            elif modifier.type == 'FLUID' and modifier.fluid_type == 'DOMAIN':
                domain = modifier.domain_settings
                yield Slot('simulation-cache', 'folder', obj, domain, 'cache_directory', name=name)
            elif modifier.type == 'NODES':
                yield from _bake_slots(obj, modifier, name)
    for owner, _kind, cache in point_caches():
        if cache.use_external:
            yield Slot('simulation-cache', 'folder', owner, cache, 'filepath')


def _bake_slots(obj, modifier, name):
    """Where simulation and bake nodes keep their frames: one folder of the modifier, and those of bakes with their own."""
    if hasattr(modifier, 'bakes'):
        yield Slot('simulation-cache', 'folder', obj, modifier, 'bake_directory', name=name)
    for bake in getattr(modifier, 'bakes', ()):
        if bake.use_custom_path:
            yield Slot('simulation-cache', 'folder', obj, bake, 'directory', name=name)


def library_slots():
    for library in bpy.data.libraries:
        if library.packed_file is None:
            yield Slot('library', 'single', library, library, 'filepath')


def path_slots():
    """Every slot except the libraries' own paths, which must be moved before their data can be read."""
    makers = (_image_slots, _datablock_slots, _strip_slots, _node_slots, _cache_slots)
    for maker in makers:
        for slot in maker():
            if slot.get():
                yield slot
