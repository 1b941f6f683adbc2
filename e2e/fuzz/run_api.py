"""`python -m e2e.fuzz.run_api PORT whole|holed`: serve the platform as it is, or with the hole.

The limits are off, as they would answer in place of what is to be tried.
"""

import sys
from functools import partial

from backend.app import create_app
from backend.serving import serve
from e2e.fuzz import control

KINDS = {"whole": create_app, "holed": control.create_app}

if __name__ == "__main__":
    port, kind = sys.argv[1:]
    create = partial(KINDS[kind], RATELIMIT_ENABLED=False)
    serve(create, host="127.0.0.1", port=int(port))
