"""The shop: small real services, traffic, and faults with ground truth; a demo and a test bed.

`glasshouse demo` runs it. The services send telemetry only as docs/instrument.md tells users to.
"""

from pathlib import Path

DATA_DIR = Path("glasshouse-demo")
"""Where the demo keeps everything, unless told otherwise."""
