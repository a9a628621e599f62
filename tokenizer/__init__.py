"""SentencePiece BPE: sampling, training, exact fast encoding, audit. Imported as ``llama_data.tokenizer``."""

if not __name__.startswith("llama_data."):
    raise ImportError("import llama_data.tokenizer, not tokenizer: the folder is packaged under llama_data")
