"""Awkward scenes whose trouble is what they put out."""

import os

import bpy
from parts import add_camera, add_cube, add_light, checker, empty_scene, load_image, material, relative, save, tone


def simple(project, blend):
    """A textured cube under a camera: what most awkward scenes start from."""
    scene = empty_scene()
    add_camera(scene)
    add_light(scene)
    image = load_image(checker(os.path.join(project, 'textures', 'wood.png'), (200, 90, 40), (90, 30, 60)), blend)
    cube = add_cube(scene, 'Crate', material('Wood', image))
    cube.rotation_euler = (0.1, 0.2, 0.6)
    cube.keyframe_insert('rotation_euler', frame=1)
    cube.rotation_euler = (0.1, 0.2, 1.4)
    cube.keyframe_insert('rotation_euler', frame=4)
    return scene


def plain(project, _elsewhere):
    blend = os.path.join(project, 'plain.blend')
    simple(project, blend)
    return save(blend)


def compressed(project, _elsewhere):
    blend = os.path.join(project, 'compressed.blend')
    simple(project, blend)
    return save(blend, compress=True)


def movie_output(project, _elsewhere):
    blend = os.path.join(project, 'movie.blend')
    scene = simple(project, blend)
    scene.render.image_settings.file_format = 'FFMPEG'
    scene.render.ffmpeg.format = 'MPEG4'
    scene.render.filepath = '//film/film'
    return save(blend)


def exr(project, _elsewhere):
    blend = os.path.join(project, 'exr.blend')
    scene = simple(project, blend)
    scene.render.image_settings.file_format = 'OPEN_EXR'
    scene.render.image_settings.color_depth = '32'
    scene.render.image_settings.exr_codec = 'ZIP'
    return save(blend)


def multilayer_exr(project, _elsewhere):
    blend = os.path.join(project, 'multilayer.blend')
    scene = simple(project, blend)
    layer = scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_normal = layer.use_pass_emit = True
    scene.render.image_settings.file_format = 'OPEN_EXR_MULTILAYER'
    return save(blend)


def compositor(project, _elsewhere):
    """The compositor colours the picture with another image and writes files of its own."""
    blend = os.path.join(project, 'compositor.blend')
    scene = simple(project, blend)
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers = tree.nodes.new('CompositorNodeRLayers')
    picture = tree.nodes.new('CompositorNodeImage')
    picture.image = load_image(checker(os.path.join(project, 'plates', 'grain.png'), (255, 220, 90), (90, 220, 255)), blend)
    scale = tree.nodes.new('CompositorNodeScale')
    scale.space, scale.frame_method = 'RENDER_SIZE', 'STRETCH'
    mix = tree.nodes.new('CompositorNodeMixRGB')
    mix.blend_type = 'MULTIPLY'
    final = tree.nodes.new('CompositorNodeComposite')
    files = tree.nodes.new('CompositorNodeOutputFile')
    files.base_path = '//passes/'
    tree.links.new(picture.outputs['Image'], scale.inputs['Image'])
    tree.links.new(layers.outputs['Image'], mix.inputs[1])
    tree.links.new(scale.outputs['Image'], mix.inputs[2])
    tree.links.new(mix.outputs['Image'], final.inputs['Image'])
    tree.links.new(layers.outputs['Image'], files.inputs[0])
    return save(blend)


def sound(project, _elsewhere):
    blend = os.path.join(project, 'sound.blend')
    scene = simple(project, blend)
    scene.frame_end = 12
    scene.render.fps, scene.render.fps_base = 30, 1.001
    scene.sequence_editor_create()
    path = tone(os.path.join(project, 'audio', 'tone.wav'))
    strip = scene.sequence_editor.sequences.new_sound('Tone', path, 1, 1)
    strip.sound.filepath = relative(path, blend)
    return save(blend)


def strips(project, _elsewhere):
    """The sequencer makes the picture: two images from the disk over a rendered scene."""
    blend = os.path.join(project, 'strips.blend')
    scene = simple(project, blend)
    scene.sequence_editor_create()
    sequences = scene.sequence_editor.sequences
    for number in range(1, 5):
        checker(os.path.join(project, 'plates', f'plate_{number}.png'), (60 * number, 40, 90), (20, 200, 50 * number))
    strip = sequences.new_image('Plates', os.path.join(project, 'plates', 'plate_1.png'), 2, 1)
    for number in range(2, 5):
        strip.elements.append(f'plate_{number}.png')
    strip.directory = '//plates/'
    strip.frame_final_duration = 4
    strip.transform.scale_x = strip.transform.scale_y = 0.5
    strip.blend_type = 'ALPHA_OVER'
    # A second strip from the same folder, with other pictures of it.
    checker(os.path.join(project, 'plates', 'title.png'), (250, 250, 40), (40, 40, 250))
    title = sequences.new_image('Title', os.path.join(project, 'plates', 'title.png'), 3, 1)
    title.directory = '//plates/'
    title.frame_final_duration = 4
    title.transform.scale_x = title.transform.scale_y = 0.4
    title.transform.offset_x = 30
    title.blend_type = 'ALPHA_OVER'
    below = sequences.new_scene('Stage', scene, 1, 1)
    below.scene_input = 'CAMERA'
    return save(blend)


SCENES = {
    'plain': plain,
    'compressed': compressed,
    'movie-output': movie_output,
    'exr': exr,
    'multilayer-exr': multilayer_exr,
    'compositor': compositor,
    'sound': sound,
    'strips': strips,
}
