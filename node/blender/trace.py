"""Opens a .blend without running its scripts and says what it needs, or mixes its sound into a file.

Run as: blender -b --factory-startup --disable-autoexec -noaudio --python-exit-code 7 --python trace.py
Over file descriptor 3 come lines ["REQUEST", "RESULT"]; each is answered by a line {"answered": true} once RESULT is
there, and by {"restingBytes": …}, the memory that stays in use, once the scene is forgotten. The end of file ends it.
REQUEST is a JSON file {"mode": "trace", "blend": path} or {"mode": "sound", "blend", "output",
"frameStart", "frameEnd", "scene"?}. RESULT is written whole (temporary name, then renamed):
{"ok": true, "trace" | "sound": …} or {"ok": false, "code", "message"}.
"""

import json
import os
import socket
import sys
import traceback

import bpy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cuadro_memory  # noqa: E402
import remap  # noqa: E402
import trace_engines  # noqa: E402
import trace_facts  # noqa: E402
import trace_references  # noqa: E402


class Refusal(Exception):
    """An expected failure with a stable code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def load(blend):
    """Opens the file; Blender keeps the old scene and reports nothing when some files cannot be read."""
    if not os.path.exists(blend):
        raise Refusal('blend-missing', f'{blend} does not exist')
    try:
        bpy.ops.wm.open_mainfile(filepath=blend, load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise Refusal('blend-garbage', str(error).strip()) from error
    if os.path.normpath(bpy.data.filepath) != os.path.normpath(blend):
        raise Refusal('blend-garbage', f'Blender did not open {blend}')
    if not bpy.data.scenes:
        raise Refusal('blend-garbage', f'{blend} holds no scene')


def trace(request):
    blend = os.path.abspath(request['blend'])
    load(blend)
    scripts = trace_facts.blocked_scripts()
    references = trace_references.references()
    raw_engines = trace_engines.read(blend)
    return {
        'version': 1,
        'blend': blend,
        'savedWith': list(bpy.data.version),
        'readWith': list(bpy.app.version),
        'activeScene': bpy.context.scene.name,
        'formats': bpy.types.ImageFormatSettings.bl_rna.properties['file_format'].enum_items.keys(),
        'scenes': [
            trace_facts.scene_facts(scene, raw_engines) for scene in bpy.data.scenes if scene.library is None
        ],
        'references': references,
        'scripts': scripts,
    }


def mixdown(request):
    """Mixes the sound of a frame range, first frame at time zero, into a FLAC or WAV file."""
    load(os.path.abspath(request['blend']))
    remap.apply(request.get('remap', []), request.get('directory', os.path.dirname(request['blend'])))
    scene = bpy.data.scenes.get(request['scene']) if request.get('scene') else bpy.context.scene
    if scene is None:
        raise Refusal('no-scene', f'the .blend has no scene named {request["scene"]}')
    if not trace_facts.has_sound(scene):
        return {'output': None}
    bpy.context.window.scene = scene
    scene.frame_start = request['frameStart']
    scene.frame_end = request['frameEnd']
    output = request['output']
    container = 'WAV' if output.lower().endswith('.wav') else 'FLAC'
    codec = 'PCM' if container == 'WAV' else 'FLAC'
    bpy.ops.sound.mixdown(
        filepath=output, check_existing=False, relative_path=False, container=container, codec=codec, format='S16'
    )
    if not os.path.isfile(output) or os.path.getsize(output) == 0:
        raise Refusal('no-sound-written', 'Blender wrote no sound')
    return {'output': output}


def run(request):
    if request['mode'] == 'sound':
        return {'ok': True, 'sound': mixdown(request)}
    return {'ok': True, 'trace': trace(request)}


def answer(request_path, result_path):
    with open(request_path, encoding='utf-8') as file:
        request = json.load(file)
    try:
        result = run(request)
    except Refusal as refusal:
        result = {'ok': False, 'code': refusal.code, 'message': str(refusal)}
    except Exception as error:
        traceback.print_exc()
        result = {'ok': False, 'code': 'trace-failed', 'message': f'{type(error).__name__}: {error}'}
    with open(result_path + '.part', 'w', encoding='utf-8', errors='surrogateescape') as file:
        json.dump(result, file, ensure_ascii=False)
    os.replace(result_path + '.part', result_path)


def forget():
    """Nothing of the scene stays: the next one is opened as in a Blender that was just started."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True, load_ui=False)


def main():
    channel = socket.socket(fileno=3)

    def send(message):
        channel.sendall((json.dumps(message) + '\n').encode('utf-8'))

    try:
        for line in channel.makefile('r', encoding='utf-8'):
            answer(*json.loads(line))
            send({'answered': True})
            forget()
            send({'restingBytes': cuadro_memory.resident_bytes()})
    except OSError:
        pass  # The node is gone.
    # Blender's own way out frees all that it holds, piece by piece.
    os._exit(0)


main()
