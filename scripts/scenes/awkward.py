"""Makes scenes that farms commonly fail on, each in a folder of its own.

Run as: blender -b --factory-startup -noaudio --python-exit-code 7 --python awkward.py -- NAME… --out DIR
NAME may be `all`. The scene NAME lies in DIR/NAME: its project in DIR/NAME/project, what it takes from
outside of it in DIR/NAME/elsewhere. For each, one line `SCENE {"name", "blend"}` is printed.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import awkward_caches  # noqa: E402
import awkward_files  # noqa: E402
import awkward_output  # noqa: E402
import awkward_trouble  # noqa: E402

SCENES = {**awkward_output.SCENES, **awkward_files.SCENES, **awkward_caches.SCENES, **awkward_trouble.SCENES}


def main():
    arguments = sys.argv[sys.argv.index('--') + 1:]
    split = arguments.index('--out')
    names, out = arguments[:split], os.path.abspath(arguments[split + 1])
    for name in SCENES if names == ['all'] else names:
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        blend = SCENES[name](os.path.join(folder, 'project'), os.path.join(folder, 'elsewhere'))
        print('SCENE ' + json.dumps({'name': name, 'blend': blend}), flush=True)


main()
