"""From documents to training rows: shards, packing, mix, order, export, trainer.

Imported as ``llama_data.train_handoff``."""

if not __name__.startswith("llama_data."):
    raise ImportError("import llama_data.train_handoff, not train_handoff: the folder is packaged under llama_data")
