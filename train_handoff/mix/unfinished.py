"""A mix that was begun and is not finished is not read, though its mix.json may be there."""

from __future__ import annotations

import json
import os

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import exists, is_local, join, local_path, read_bytes
from llama_data.pipeline.core.manifest import MANIFEST, RECORD

MIX = "mix"


def refuse_unfinished(folder: str) -> None:
    """Check that a mix which lies in its run has a manifest; one that was copied elsewhere cannot be told from it.

    ``folder``: RUN/mix, or RUN/mix/NAME. A version that wrote no manifests left a record without ``content``.

    Raises:
        InputError: the run says that the mix was begun, and the manifest, which comes last, is not there.
    """
    where = os.path.abspath(local_path(folder)) if is_local(folder) else folder.rstrip("/")
    if exists(join(where, MANIFEST)):
        return
    above, _, name = where.rpartition("/")
    run, group = (above, MIX) if name == MIX else (above.rpartition("/")[0], f"{MIX}.{name}")
    record = join(run, "logs", group, RECORD)
    if exists(record) and "content" in json.loads(read_bytes(record)):
        again = "llama-data mix" + ("" if group == MIX else f" --name {name}")
        raise InputError(f"{folder}: not finished: it has no {MANIFEST}; give `{again}` again, which finishes it")
