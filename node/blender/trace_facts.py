"""Facts of the loaded scenes that decide how they can be rendered, read without rendering."""

import ast
import os
import re

import bpy

import cuadro_outputs
import trace_caches
import trace_slots

BUILT_IN_FORMATS_WITHOUT_EXTENSION = {'FFMPEG': '.mp4', 'AVI_JPEG': '.avi', 'AVI_RAW': '.avi'}
TELLING_LINE = 160

# Numbers of the choices in Cycles' own properties (intern/cycles/blender/addon/properties.py).
DENOISERS = {2: 'OPTIX', 4: 'OPENIMAGEDENOISE'}


def _samples(scene):
    if scene.render.engine == 'CYCLES':
        return scene.cycles.samples
    if scene.render.engine.startswith('BLENDER_EEVEE'):
        return scene.eevee.taa_render_samples
    return None


def _template(scene):
    """Basename of a frame with `#` for the digits; the rest, and the extension, as Blender's own frame_path makes it."""
    first = os.path.basename(scene.render.frame_path(frame=1))
    if scene.render.is_movie_format:
        return first  # One file for all frames, named after the first and the last.
    written = re.split(r'[\\/]', scene.render.filepath)[-1]
    # The last run counts; without any, four digits stand at the end.
    runs = list(re.finditer('#+', written)) or [re.search('$', written)]
    start, width = runs[-1].start(), len(runs[-1].group()) or 4
    if first[start:start + width] != f'{1:0{width}}':
        return first
    return first[:start] + '#' * width + first[start + width:]


def _output(scene):
    settings = scene.render.image_settings
    movie = scene.render.is_movie_format
    extension = scene.render.file_extension
    if not extension:
        extension = BUILT_IN_FORMATS_WITHOUT_EXTENSION.get(settings.file_format, '')
    return {
        'format': settings.file_format,
        'movie': movie,
        'colorMode': settings.color_mode,
        'colorDepth': settings.color_depth,
        'extension': extension,
        'written': scene.render.filepath,
        'template': _template(scene),
    }


def _strips(scene):
    editor = scene.sequence_editor
    if editor is None:
        return []
    return list(editor.sequences_all if hasattr(editor, 'sequences_all') else editor.strips_all)


def has_sound(scene, seen=()):
    if any(obj.type == 'SPEAKER' and not obj.data.muted and obj.data.sound for obj in scene.objects):
        return True
    for strip in _strips(scene):
        if strip.mute:
            continue
        if strip.type == 'SOUND':
            return True
        if strip.type == 'SCENE' and strip.scene and strip.scene not in (scene, *seen):
            if strip.scene_input == 'CAMERA' and has_sound(strip.scene, (*seen, scene)):
                return True
    return False


def _compositor(scene):
    outputs, denoise = [], False
    if not scene.render.use_compositing:
        return outputs, denoise
    for tree in cuadro_outputs.compositor_trees(scene):
        for node in tree.nodes:
            if node.mute:
                continue
            if node.bl_idname == 'CompositorNodeDenoise':
                denoise = True
            if node.bl_idname == 'CompositorNodeOutputFile':
                outputs.append(_file_output(node))
    return outputs, denoise


def _file_output(node):
    """From Blender 5.0 on such a node has a folder and items, before that a base path and slots."""
    if hasattr(node, 'base_path'):
        base, slots = node.base_path, [slot.path for slot in node.file_slots]
    else:
        base, slots = node.directory, [item.name for item in node.file_output_items]
    return {'name': node.name, 'basePath': base, 'slots': slots, 'format': node.format.file_format}


def _fluid(obj, modifier):
    """Whether a fluid domain's frames are stored as a whole."""
    domain = modifier.domain_settings
    folder = trace_slots.absolute(domain.cache_directory, obj.library)
    return trace_caches.fluid_is_baked(domain, folder)


def _simulations(scene):
    found = []
    members = set(scene.objects)
    for owner, kind, cache in trace_slots.point_caches():
        mine = owner == scene or owner in members
        if mine and not (cache.is_baked or cache.use_external):
            found.append({'kind': kind, 'object': owner.name})
    for obj in scene.objects:
        for modifier in obj.modifiers:
            if modifier.type == 'FLUID' and modifier.fluid_type == 'DOMAIN' and not _fluid(obj, modifier):
                found.append({'kind': 'fluid', 'object': obj.name})
            elif modifier.type == 'NODES' and _simulates(modifier.node_group):
                if not _nodes_are_baked(obj, modifier):
                    found.append({'kind': 'geometry-nodes', 'object': obj.name})
    return found


def _nodes_are_baked(obj, modifier):
    """Whether frames are stored for each bake; what is packed in the .blend can't be seen, and counts as stored."""
    simulations = {None, 'GeometryNodeSimulationOutput'}
    bakes = [
        bake for bake in getattr(modifier, 'bakes', ())
        if getattr(getattr(bake, 'node', None), 'bl_idname', None) in simulations
    ]
    return bool(bakes) and all(_bake_is_stored(obj, modifier, bake) for bake in bakes)


def _bake_is_stored(obj, modifier, bake):
    target = getattr(bake, 'bake_target', 'DISK')
    if target == 'INHERIT':
        target = modifier.bake_target
    if target == 'PACKED':
        return True
    place = bake.directory if bake.use_custom_path else os.path.join(modifier.bake_directory, str(bake.bake_id))
    folder = os.path.join(trace_slots.absolute(place, obj.library), 'meta')
    return bool(modifier.bake_directory or bake.use_custom_path) and os.path.isdir(folder) and bool(os.listdir(folder))


def _simulates(tree, depth=0):
    if tree is None or depth > 16:
        return False
    for node in tree.nodes:
        if node.bl_idname == 'GeometryNodeSimulationOutput':
            return True
        if _simulates(getattr(node, 'node_tree', None), depth + 1):
            return True
    return False


def _unknown_nodes():
    names = set()
    for owner, tree in trace_slots.node_trees():
        for node in tree.nodes:
            if node.bl_idname in {'NodeUndefined', ''}:
                names.add(f'{owner.name} / {node.name}')
    return sorted(names)


def _denoiser(scene):
    """A Blender without the denoiser shows none; the stored number still says which was meant."""
    if scene.cycles.denoiser:
        return scene.cycles.denoiser
    return DENOISERS.get(scene.cycles.get('denoiser'), 'OPENIMAGEDENOISE')


def _engine(scene, raw_engines):
    """Blender silently reads an engine that no add-on provides as another: the file says which was meant."""
    return raw_engines.get(scene.name) or scene.render.engine


def scene_facts(scene, raw_engines):
    render = scene.render
    outputs, compositor_denoise = _compositor(scene)
    denoising = render.engine == 'CYCLES' and scene.cycles.use_denoising
    pictures = [strip for strip in _strips(scene) if strip.type != 'SOUND' and not strip.mute]
    return {
        'name': scene.name,
        'camera': scene.camera.name if scene.camera else None,
        'markerCameras': sorted({marker.camera.name for marker in scene.timeline_markers if marker.camera}),
        'cameras': sorted(obj.name for obj in scene.objects if obj.type == 'CAMERA'),
        'frameStart': scene.frame_start,
        'frameEnd': scene.frame_end,
        # Blender lets it be 0, which is no step.
        'frameStep': max(1, scene.frame_step),
        'fps': render.fps,
        'fpsBase': render.fps_base,
        'resolutionX': render.resolution_x,
        'resolutionY': render.resolution_y,
        'resolutionPercentage': render.resolution_percentage,
        'engine': _engine(scene, raw_engines),
        'samples': _samples(scene),
        'useDenoising': denoising,
        'denoiser': _denoiser(scene) if denoising else None,
        'compositorDenoise': compositor_denoise,
        'output': _output(scene),
        'multiview': render.use_multiview,
        'views': [{'name': view.name, 'suffix': view.file_suffix} for view in render.views if view.use]
        if render.use_multiview else [],
        'compositing': bool(scene.use_nodes and render.use_compositing),
        'fileOutputs': outputs,
        'sequencer': bool(render.use_sequencer and pictures),
        'sound': has_sound(scene),
        'simulations': _simulations(scene),
        'unknownNodes': _unknown_nodes(),
    }


def _animated():
    """(label, animation data) of everything that can carry drivers."""
    for attribute in dir(bpy.data):
        collection = getattr(bpy.data, attribute)
        if not isinstance(collection, bpy.types.bpy_prop_collection):
            continue
        for datablock in collection:
            for part in (datablock, getattr(datablock, 'node_tree', None)):
                animation = getattr(part, 'animation_data', None)
                if animation is not None:
                    yield f'{datablock.bl_rna.name} "{datablock.name}"', animation


def _calls_out(driver):
    """Whether the expression uses what Blender refuses while scripts are off.

    Blender then still evaluates arithmetic and its own driver functions; attribute access and foreign names
    are refused (secure byte code, source/blender/python/intern/bpy_driver.c).
    """
    if driver.type != 'SCRIPTED' or driver.is_simple_expression or not driver.expression.strip():
        return False
    try:
        tree = ast.parse(driver.expression.strip(), mode='eval')
    except SyntaxError:
        return True
    allowed = set(bpy.app.driver_namespace) | {'frame', 'True', 'False', 'None'}
    allowed |= {variable.name for variable in driver.variables}
    # Functions that a script adds to the namespace are exactly what is missing; Blender's own are there.
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.Subscript)):
            return True
        if isinstance(node, ast.Name) and node.id not in allowed:
            return True
    return False


def _telling(text):
    for line in text.as_string().splitlines():
        line = line.strip()
        if line and not line.startswith(('#', 'import ', 'from ', '"""', "'''")):
            return line[:TELLING_LINE]
    return ''


def blocked_scripts():
    scripts = []
    for text in bpy.data.texts:
        if text.use_module:
            scripts.append({'kind': 'text', 'name': f'Text "{text.name}"', 'code': _telling(text)})
    for label, animation in _animated():
        for curve in animation.drivers:
            if _calls_out(curve.driver):
                place = f'{label} {curve.data_path}'
                if re.search(r'(location|scale|rotation\w*|color)$', curve.data_path):
                    place += f'[{curve.array_index}]'
                code = curve.driver.expression[:TELLING_LINE]
                scripts.append({'kind': 'driver', 'name': place, 'code': code})
    return scripts
