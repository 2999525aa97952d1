"""Awkward scenes whose trouble is where their files lie."""

import os
import shutil
import struct

import bpy
from awkward_output import simple
from parts import add_cube, add_light, checker, empty_scene, load_image, material, relative, save


def _instance(path, name, location):
    """An object that shows a collection linked from the library at `path` (as it is to be written)."""
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.collections = [name]
    holder = bpy.data.objects.new(f'{name} here', None)
    holder.instance_type = 'COLLECTION'
    holder.instance_collection = target.collections[0]
    holder.location = location
    return holder


def _make_library_relative(name, blend):
    for library in bpy.data.libraries:
        if os.path.basename(library.filepath) == name:
            library.filepath = relative(bpy.path.abspath(library.filepath), blend)


def linked_library(project, _elsewhere):
    """Shots and assets side by side: the library and its texture lie in other folders of the project."""
    library = os.path.join(project, 'assets', 'props', 'table.blend')
    texture = checker(os.path.join(project, 'assets', 'textures', 'table.png'), (40, 200, 90), (20, 40, 200))
    _prop(library, 'Table', texture, absolute=False)
    blend = os.path.join(project, 'shots', 'shot 01', 'linked.blend')
    scene = simple(os.path.join(project, 'shots', 'shot 01'), blend)
    scene.collection.objects.link(_instance(library, 'Table', (2.4, 0.5, 0)))
    _make_library_relative('table.blend', blend)
    return save(blend)


def _prop(library, name, texture, absolute, libraries=()):
    """A library file with one textured object, and objects linked from further libraries."""
    scene = empty_scene()
    scene.name = f'{name} workshop'
    image = load_image(texture, None if absolute else library)
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    cube = add_cube(scene, name, material(f'{name} material', image))
    scene.collection.objects.unlink(cube)
    collection.objects.link(cube)
    for path, linked_name, location in libraries:
        collection.objects.link(_instance(path, linked_name, location))
    return save(library)


def library_absolute(project, elsewhere):
    """A library elsewhere, named absolutely; it names a texture absolutely, one relatively and a library each way."""
    deep = os.path.join(elsewhere, 'deep', 'handle.blend')
    near = os.path.join(elsewhere, 'assets', 'knob.blend')
    middle = os.path.join(elsewhere, 'assets', 'door.blend')
    color = checker(os.path.join(elsewhere, 'deep', 'handle.png'), (250, 250, 20), (200, 20, 20))
    _prop(deep, 'Handle', color, absolute=False)
    color = checker(os.path.join(elsewhere, 'tex tures', 'knob.png'), (20, 250, 250), (20, 20, 120))
    _prop(near, 'Knob', color, absolute=True)
    color = checker(os.path.join(elsewhere, 'assets', 'maps', 'door.png'), (250, 120, 250), (90, 20, 120))
    _prop(
        middle, 'Door', color, False, [(deep, 'Handle', (2.2, 0, 0)), (near, 'Knob', (-2.2, 0, 0))]
    )
    _make_library_relative('knob.blend', middle)
    save(middle)
    blend = os.path.join(project, 'absolute library.blend')
    scene = simple(project, blend)
    scene.collection.objects.link(_instance(middle, 'Door', (0, 3, 0)))
    return save(blend)


def sequence(project, _elsewhere):
    """Beside the frames lie pictures that look like some of them, and are none."""
    blend = os.path.join(project, 'sequence.blend')
    scene = simple(project, blend)
    for number in range(1, 5):
        checker(os.path.join(project, 'screen', f'screen.{number:04d}.png'), (60 * number, 0, 0), (0, 60 * number, 99))
        for alike in (f'{number}', f'{number:02d}', f'{number:03d}', f'{number:05d}', '\u00b2', '\u0663'):
            checker(os.path.join(project, 'screen', f'screen.{alike}.png'), (255, 255, 255), (0, 0, 0))
    image = load_image(os.path.join(project, 'screen', 'screen.0001.png'), blend)
    image.source = 'SEQUENCE'
    made = material('Screen', image)
    user = next(node for node in made.node_tree.nodes if node.type == 'TEX_IMAGE').image_user
    user.frame_duration, user.frame_start, user.use_auto_refresh = 4, 1, True
    add_cube(scene, 'Screen', made, (2.4, 1, 0))
    # The same path again, and only that one file of it.
    still = load_image(os.path.join(project, 'screen', 'screen.0001.png'), blend)
    still.name = 'A still'
    add_cube(scene, 'Still', material('Still', still), (-2.4, 1, 0))
    return save(blend)


def udim(project, _elsewhere):
    """One image of two tiles; the cube's faces are spread over both."""
    blend = os.path.join(project, 'udim.blend')
    scene = simple(project, blend)
    for number, color in ((1001, (250, 60, 60)), (1002, (60, 60, 250))):
        checker(os.path.join(project, 'tiles', f'skin.{number}.png'), color, (240, 240, 240))
    image = bpy.data.images.load(os.path.join(project, 'tiles', 'skin.1001.png'))
    image.source = 'TILED'
    # What is relative is found only once the file has a place.
    save(blend)
    image.filepath = '//tiles/skin.<UDIM>.png'
    if len(image.tiles) < 2:
        image.tiles.new(1002)
    cube = add_cube(scene, 'Skin', material('Skin', image), (2.4, 1, 0))
    for corner in cube.data.uv_layers[0].data:
        corner.uv = (corner.uv[0] * 2, corner.uv[1])
    return save(blend)


def packed(project, _elsewhere):
    """The texture is in the .blend, and its file is gone."""
    blend = os.path.join(project, 'packed.blend')
    simple(project, blend)
    save(blend)
    for image in bpy.data.images:
        image.pack()
    save(blend)
    shutil.rmtree(os.path.join(project, 'textures'))
    return blend


def non_ascii(project, _elsewhere):
    folder = os.path.join(project, 'Película ñandú 映画', 'приве́т')
    blend = os.path.join(folder, 'Escena «ü» 1.blend')
    scene = simple(folder, blend)
    image = load_image(checker(os.path.join(folder, 'Téxturas 木', 'mädera ☂.png'), (9, 180, 90), (250, 200, 9)), blend)
    image.name = 'Mädera 木'
    add_cube(scene, 'Würfel 立方体', material('Матеріал', image), (2.4, 1, 0))
    return save(blend)


def absolute_texture(project, elsewhere):
    """Two outside textures of one name, a sequence and tiles, all named absolutely."""
    blend = os.path.join(project, 'absolute.blend')
    scene = simple(project, blend)
    for number, folder in enumerate(('one', 'two')):
        path = checker(os.path.join(elsewhere, folder, 'tex.png'), (250, 250 * number, 9), (9, 9, 90))
        add_cube(scene, f'Cube {folder}', material(folder, load_image(path)), (2.4 - 4.8 * number, 1, 0))
    for number in range(1, 5):
        checker(os.path.join(elsewhere, 'seq', f's{number}.png'), (9, 50 * number, 90), (250, 250, 250))
    image = load_image(os.path.join(elsewhere, 'seq', 's1.png'))
    image.source = 'SEQUENCE'
    made = material('Sequence', image)
    user = next(node for node in made.node_tree.nodes if node.type == 'TEX_IMAGE').image_user
    user.frame_duration, user.use_auto_refresh = 4, True
    add_cube(scene, 'Cube sequence', made, (0, 4, 2))
    for number in (1001, 1002):
        checker(os.path.join(elsewhere, 'tiles', f't.{number}.png'), (number % 250, 90, 9), (250, 9, 250))
    tiled = bpy.data.images.load(os.path.join(elsewhere, 'tiles', 't.1001.png'))
    tiled.source = 'TILED'
    tiled.filepath = os.path.join(elsewhere, 'tiles', 't.<UDIM>.png')
    if len(tiled.tiles) < 2:
        tiled.tiles.new(1002)
    cube = add_cube(scene, 'Cube tiles', material('Tiles', tiled), (0, -0.5, 2), 0.7)
    for corner in cube.data.uv_layers[0].data:
        corner.uv = (corner.uv[0] * 2, corner.uv[1])
    return save(blend)


def caches(project, elsewhere):
    """A point cache file (PC2) elsewhere, a light profile (IES) and a font in the project."""
    blend = os.path.join(project, 'caches.blend')
    scene = simple(project, blend)
    cube = add_cube(scene, 'Dancer', material('Cloth', color=(0.9, 0.1, 0.2, 1)), (2.4, 1, 0))
    path = os.path.join(elsewhere, 'caches', 'dancer.pc2')
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(struct.pack('<12siiffi', b'POINTCACHE2\0', 1, 8, 1.0, 1.0, 5))
        for frame in range(5):
            for vertex in cube.data.vertices:
                file.write(struct.pack('<3f', *(part * (0.5 + 0.25 * frame) for part in vertex.co)))
    modifier = cube.modifiers.new('Cache', 'MESH_CACHE')
    modifier.cache_format, modifier.filepath = 'PC2', path
    profile = os.path.join(project, 'lights', 'spot.ies')
    os.makedirs(os.path.dirname(profile), exist_ok=True)
    with open(profile, 'w', encoding='ascii') as file:
        file.write('IESNA:LM-63-1995\nTILT=NONE\n1 1000 1 5 1 1 2 0 0 0\n1 1 100\n0 22.5 45 67.5 90\n0\n')
        file.write('4000 3000 500 100 0\n')
    light = add_light(scene, 'POINT', 100)
    light.data.use_nodes = True
    node = light.data.node_tree.nodes.new('ShaderNodeTexIES')
    node.mode, node.filepath = 'EXTERNAL', relative(profile, blend)
    emission = next(entry for entry in light.data.node_tree.nodes if entry.type == 'EMISSION')
    light.data.node_tree.links.new(node.outputs['Fac'], emission.inputs['Strength'])
    add_cube(scene, 'Floor', material('Floor', emission=False), (0, 0, -4), 3)
    fonts = bpy.utils.system_resource('DATAFILES', path='fonts')
    source = next(name for name in sorted(os.listdir(fonts)) if 'mono' in name.lower())
    font = os.path.join(project, 'fonts', source)
    os.makedirs(os.path.dirname(font), exist_ok=True)
    shutil.copyfile(os.path.join(fonts, source), font)
    curve = bpy.data.curves.new('Title', 'FONT')
    curve.body = 'iWi'
    curve.font = bpy.data.fonts.load(font)
    save(blend)
    curve.font.filepath = relative(font, blend)
    curve.materials.append(material('Title', color=(1, 1, 1, 1)))
    title = bpy.data.objects.new('Title', curve)
    title.location, title.rotation_euler = (-3, 0, 0), (1.57, 0, 0)
    scene.collection.objects.link(title)
    return save(blend)


def links(project, elsewhere):
    """Symbolic links to a texture and to a folder, a way through a folder that holds nothing, a library named twice."""
    blend = os.path.join(project, 'shots', 'links.blend')
    near = os.path.join(elsewhere, 'assets', 'knob.blend')
    door = os.path.join(elsewhere, 'assets', 'door.blend')
    color = checker(os.path.join(elsewhere, 'assets', 'knob.png'), (20, 250, 250), (20, 20, 120))
    _prop(near, 'Knob', color, absolute=False)
    color = checker(os.path.join(elsewhere, 'assets', 'door.png'), (250, 120, 250), (90, 20, 120))
    _prop(door, 'Door', color, False, [(near, 'Knob', (-2.2, 0, 0))])
    _make_library_relative('knob.blend', door)
    save(door)
    scene = simple(os.path.join(project, 'shots'), blend)
    scene.collection.objects.link(_instance(door, 'Door', (0, 3, 0)))
    scene.collection.objects.link(_instance(near, 'Knob', (0, 0, 2)))
    save(blend)
    real = checker(os.path.join(elsewhere, 'store', 'a.png'), (250, 250, 20), (200, 20, 20))
    os.symlink(real, os.path.join(project, 'shots', 'textures', 'linked.png'))
    checker(os.path.join(elsewhere, 'library', 'b.png'), (20, 250, 20), (20, 20, 20))
    os.symlink(os.path.join(elsewhere, 'library'), os.path.join(project, 'shots', 'maps'))
    checker(os.path.join(project, 'c.png'), (250, 20, 20), (20, 20, 20))
    os.makedirs(os.path.join(project, 'empty'), exist_ok=True)
    written = ('//textures/linked.png', '//maps/b.png', '//../empty/../c.png')
    for number, path in enumerate(written):
        image = bpy.data.images.load(os.path.join(project, 'shots', 'textures', 'wood.png'))
        image.name, image.filepath = f'Link {number}', path
        add_cube(scene, f'Link {number}', material(f'Link {number}', image), (2.4 - 2.4 * number, 1, 1.8), 0.6)
    return save(blend)


SCENES = {
    'linked-library': linked_library,
    'library-absolute': library_absolute,
    'sequence': sequence,
    'udim': udim,
    'packed': packed,
    'non-ascii': non_ascii,
    'absolute-texture': absolute_texture,
    'caches': caches,
    'links': links,
}
