"""A command-line tool spends its time importing SDKs that the command does not need
(https://github.com/psf/requests/issues/3213, https://github.com/dataforseo/PythonClient/issues/6).
truth: 1.2 s of about 1.35 s are imports: `vendor_sdk` 0.9 s (900 generated models, computed), `geo_tables` 0.3 s
(reads a slow file, asleep), both imported at the top of this file; the command itself takes 60 ms."""
import os
import sys
import tempfile
import time

folder = tempfile.mkdtemp()
with open(os.path.join(folder, "vendor_sdk.py"), "w") as file:
    file.write(
        "import time\nend = time.process_time() + 0.9\nMODELS = {}\n"
        "while time.process_time() < end:\n    MODELS[len(MODELS) % 900] = type('Model', (), {})\n"
    )
with open(os.path.join(folder, "geo_tables.py"), "w") as file:
    file.write("import time\ntime.sleep(0.3)\nTABLE = {}\n")
sys.path.insert(0, folder)

import vendor_sdk  # noqa: E402
import geo_tables  # noqa: E402


def status():
    time.sleep(0.06)
    return "up"


print(status(), len(vendor_sdk.MODELS), len(geo_tables.TABLE))
