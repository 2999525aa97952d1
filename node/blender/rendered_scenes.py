"""The scenes that are rendered with one: those of its compositor's Render Layers nodes, and of its strips."""

import cuadro_outputs


def rendered_scenes(scene):
    """The scene itself first, then the others, each once."""
    found = [scene]
    for each in found:
        found += [other for other in dict.fromkeys(_named_by(each)) if other not in found]
    return found


def _named_by(scene):
    if scene.render.use_compositing:
        for tree in cuadro_outputs.compositor_trees(scene):
            for node in tree.nodes:
                if node.bl_idname == "CompositorNodeRLayers" and not node.mute and node.scene is not None:
                    yield node.scene
    editor = scene.sequence_editor if scene.render.use_sequencer else None
    if editor is not None:
        for strip in editor.sequences_all if hasattr(editor, "sequences_all") else editor.strips_all:
            if strip.type == "SCENE" and not strip.mute and strip.scene is not None:
                yield strip.scene


def count_layers(scene):
    """How many view layers, in all views, are rendered one after the other for one frame: at least one."""
    return max(1, sum(_layers(each) for each in rendered_scenes(scene)))


def _layers(scene):
    views = sum(view.use for view in scene.render.views) if scene.render.use_multiview else 1
    return views * sum(layer.use for layer in scene.view_layers)
