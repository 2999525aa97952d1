"""Awkward scenes that need folders of baked frames, or films, beside the .blend."""

import os
import shutil

import bpy
from awkward_output import simple
from parts import add_camera, add_cube, checker, empty_scene, load_image, material, relative, save


def _film(path, project):
    """A tiny film of four frames, rendered here."""
    scene = empty_scene()
    add_camera(scene)
    image = load_image(checker(os.path.join(project, 'textures', 'clip.png'), (250, 250, 9), (9, 90, 250)))
    cube = add_cube(scene, 'Clip', material('Clip', image))
    for frame in (1, 4):
        cube.rotation_euler.z = frame * 0.5
        cube.keyframe_insert('rotation_euler', frame=frame)
    scene.cycles.samples = 1
    scene.render.resolution_x, scene.render.resolution_y = 32, 32
    scene.render.image_settings.file_format = 'AVI_JPEG'
    scene.render.filepath = path
    scene.render.use_file_extension = False
    bpy.ops.render.render(animation=True)
    os.remove(os.path.join(project, 'textures', 'clip.png'))


def films(project, elsewhere):
    """A film as a texture, one as a strip, and one as a movie clip in the compositor; one of them elsewhere."""
    for path in (os.path.join(project, 'film.avi'), os.path.join(elsewhere, 'film.avi')):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _film(path, project)
    blend = os.path.join(project, 'films.blend')
    scene = simple(project, blend)
    save(blend)
    image = load_image(os.path.join(elsewhere, 'film.avi'))
    made = material('Film', image)
    user = next(node for node in made.node_tree.nodes if node.type == 'TEX_IMAGE').image_user
    user.frame_duration, user.use_auto_refresh = 4, True
    add_cube(scene, 'Screen', made, (2.4, 1, 0))
    clip = bpy.data.movieclips.load(os.path.join(project, 'film.avi'))
    clip.filepath = relative(os.path.join(project, 'film.avi'), blend)
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers = tree.nodes.new('CompositorNodeRLayers')
    film = tree.nodes.new('CompositorNodeMovieClip')
    film.clip = clip
    mix = tree.nodes.new('CompositorNodeMixRGB')
    mix.blend_type = 'ADD'
    final = tree.nodes.new('CompositorNodeComposite')
    tree.links.new(layers.outputs['Image'], mix.inputs[1])
    tree.links.new(film.outputs['Image'], mix.inputs[2])
    tree.links.new(mix.outputs['Image'], final.inputs['Image'])
    return save(blend)


def baked(project, elsewhere):
    """Cloth baked into the folder beside the .blend, smoke baked elsewhere, the smoke's files as a volume too."""
    blend = os.path.join(project, 'baked.blend')
    scene = simple(project, blend)
    cloth = add_cube(scene, 'Flag', material('Flag'), (2.4, 1, 1))
    cache = cloth.modifiers.new('Cloth', 'CLOTH').point_cache
    cache.frame_start, cache.frame_end = 1, 4
    save(blend)
    cache.use_disk_cache = True
    with bpy.context.temp_override(scene=scene, point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)
    _smoke(scene, os.path.join(elsewhere, 'smoke'))
    _volume(scene, os.path.join(elsewhere, 'smoke', 'data'), os.path.join(project, 'volumes'), blend)
    return save(blend)


def _smoke(scene, folder):
    domain = add_cube(scene, 'Smoke', None, (-2.2, 0.5, 1), 1.2)
    modifier = domain.modifiers.new('Fluid', 'FLUID')
    modifier.fluid_type = 'DOMAIN'
    settings = modifier.domain_settings
    settings.domain_type, settings.resolution_max = 'GAS', 12
    settings.cache_type, settings.cache_data_format = 'ALL', 'OPENVDB'
    settings.cache_directory = folder
    settings.cache_frame_start, settings.cache_frame_end = 1, 4
    source = add_cube(scene, 'Source', None, (-2.2, 0.5, 0.5), 0.4)
    flow = source.modifiers.new('Fluid', 'FLUID')
    flow.fluid_type = 'FLOW'
    flow.flow_settings.flow_type, flow.flow_settings.flow_behavior = 'SMOKE', 'INFLOW'
    source.hide_render = True
    made = bpy.data.materials.new('Fog')
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    shader = tree.nodes.new('ShaderNodeVolumePrincipled')
    shader.inputs['Emission Strength'].default_value = 1
    shader.inputs['Density'].default_value = 5
    output = tree.nodes.new('ShaderNodeOutputMaterial')
    tree.links.new(shader.outputs[0], output.inputs['Volume'])
    domain.data.materials.append(made)
    for view_layer in scene.view_layers:
        view_layer.objects.active = domain
    domain.select_set(True)
    with bpy.context.temp_override(scene=scene, active_object=domain, object=domain):
        bpy.ops.fluid.bake_all()


def _volume(scene, baked_folder, folder, blend):
    os.makedirs(folder, exist_ok=True)
    for name in sorted(os.listdir(baked_folder)):
        if name.endswith('.vdb'):
            shutil.copyfile(os.path.join(baked_folder, name), os.path.join(folder, name))
    first = sorted(os.listdir(folder))[0]
    volume = bpy.data.volumes.new('Cloud')
    volume.filepath = relative(os.path.join(folder, first), blend)
    volume.is_sequence, volume.frame_start, volume.frame_duration = True, 1, 4
    volume.materials.append(bpy.data.materials['Fog'])
    cloud = bpy.data.objects.new('Cloud', volume)
    cloud.location = (0, 4, 2)
    scene.collection.objects.link(cloud)


SCENES = {'films': films, 'baked': baked}
