"""What the loaded file refers to and does not find, said once per load."""

import os

import bpy


def missing():
    """Sentences for libraries and images that are not where the scene says, without the packed ones."""
    sentences = []
    for library in bpy.data.libraries:
        # Blender writes the paths of indirect libraries relative to the scene, whoever names them.
        path = bpy.path.abspath(library.filepath)
        if library.packed_file is None and not os.path.exists(path):
            sentences.append(f"Missing library: {library.filepath}")
    for image in bpy.data.images:
        if image.source != "FILE" or image.packed_file or not image.filepath or not image.users:
            continue
        path = bpy.path.abspath(image.filepath, library=image.library)
        if not os.path.exists(path):
            sentences.append(f"Missing texture: {image.filepath}")
    return sentences
