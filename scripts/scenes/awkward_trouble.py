"""Awkward scenes that something is wrong with: to be refused, or flagged, with a sentence."""

import os

import bpy
from awkward_output import simple
from parts import add_cube, material, save


def missing_texture(project, _elsewhere):
    blend = os.path.join(project, 'missing.blend')
    simple(project, blend)
    save(blend)
    os.remove(os.path.join(project, 'textures', 'wood.png'))
    return blend


def no_camera(project, _elsewhere):
    blend = os.path.join(project, 'blind.blend')
    scene = simple(project, blend)
    bpy.data.objects.remove(scene.camera)
    return save(blend)


def script_driven(project, _elsewhere):
    """A registered text adds a function that a driver calls: without scripts the cube stays where it was."""
    blend = os.path.join(project, 'rig.blend')
    scene = simple(project, blend)
    text = bpy.data.texts.new('rig.py')
    text.write('import bpy\nbpy.app.driver_namespace["sway"] = lambda frame: frame * 0.5\n')
    text.use_module = True
    cube = add_cube(scene, 'Puppet', material('Puppet'), (2.4, 1, 0))
    cube.driver_add('location', 2).driver.expression = 'sway(frame)'
    # This one is arithmetic, which Blender evaluates whether scripts run or not.
    cube.driver_add('location', 1).driver.expression = 'sin(frame * 0.3) + 1'
    return save(blend)


def denoising(project, _elsewhere):
    blend = os.path.join(project, 'denoising.blend')
    scene = simple(project, blend)
    scene.cycles.use_denoising = True
    return save(blend)


def foreign_engine(project, _elsewhere):
    """Saved with an engine that only an add-on provides, in a compressed file."""
    class Engine(bpy.types.RenderEngine):
        bl_idname = 'DUENDE'
        bl_label = 'Duende'

    blend = os.path.join(project, 'foreign.blend')
    scene = simple(project, blend)
    bpy.utils.register_class(Engine)
    scene.render.engine = 'DUENDE'
    save(blend, compress=True)
    bpy.utils.unregister_class(Engine)
    return blend


def unbaked(project, _elsewhere):
    blend = os.path.join(project, 'unbaked.blend')
    scene = simple(project, blend)
    cube = add_cube(scene, 'Flag', material('Flag'), (2.4, 1, 0))
    cube.modifiers.new('Cloth', 'CLOTH')
    return save(blend)


def greedy(project, elsewhere):
    """Names whole folders, a device and a pipe where it should name its files: none of that may be carried."""
    blend = os.path.join(project, 'greedy.blend')
    scene = simple(project, blend)
    os.makedirs(os.path.join(elsewhere, 'home', 'data'))
    for name in ('letter.txt', os.path.join('data', 'keys.txt')):
        with open(os.path.join(elsewhere, 'home', name), 'w', encoding='utf-8') as file:
            file.write('private')
    os.mkfifo(os.path.join(elsewhere, 'pipe.png'))
    modifier = add_cube(scene, 'Smoke', None, (0, 0, 9)).modifiers.new('Fluid', 'FLUID')
    modifier.fluid_type = 'DOMAIN'
    modifier.domain_settings.cache_directory = os.path.join(elsewhere, 'home')
    cube = add_cube(scene, 'Flag', material('Flag'), (2.4, 1, 9))
    cache = cube.modifiers.new('Cloth', 'CLOTH').point_cache
    cache.use_external, cache.filepath = True, '//../../../../../../../../'
    for number, path in enumerate(('/dev/zero', os.path.join(elsewhere, 'home'))):
        clip = bpy.data.images.new(f'Trap {number}', 4, 4)
        clip.source, clip.filepath_raw = 'FILE', path
        material(f'Trap {number}', clip).use_fake_user = True
    return save(blend)


def garbage(project, _elsewhere):
    blend = os.path.join(project, 'garbage.blend')
    os.makedirs(project, exist_ok=True)
    with open(blend, 'wb') as file:
        file.write(bytes((index * 73 + 11) % 256 for index in range(4096)))
    return blend


def truncated(project, _elsewhere):
    blend = os.path.join(project, 'truncated.blend')
    simple(project, blend)
    save(blend)
    os.truncate(blend, os.path.getsize(blend) // 2)
    return blend


SCENES = {
    'missing-texture': missing_texture,
    'no-camera': no_camera,
    'script-driven': script_driven,
    'denoising': denoising,
    'foreign-engine': foreign_engine,
    'unbaked': unbaked,
    'greedy': greedy,
    'garbage': garbage,
    'truncated': truncated,
}
