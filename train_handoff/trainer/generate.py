"""Continue a text with a trained checkpoint, on the CPU."""

from __future__ import annotations

from pathlib import Path

import torch

from llama_data.pipeline.core.errors import InputError
from llama_data.train_handoff.trainer.huggingface import load_model


@torch.no_grad()
def continue_text(path: Path, tokenizer: Path, prompt: str, *, tokens: int, temperature: float, seed: int) -> str:
    """The prompt and up to ``tokens`` sampled tokens after it; ends early at EOS.

    Raises:
        InputError: not a checkpoint, or no tokenizer.model in the tokenizer folder.
    """
    import sentencepiece

    file = tokenizer / "tokenizer.model"
    if not file.exists():
        raise InputError(f"{file}: no such file; expected the folder of the run's tokenizer")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(file))
    model, _ = load_model(path)
    model.eval()
    ids = [processor.bos_id(), *processor.encode(prompt)]
    generator = torch.Generator().manual_seed(seed)
    for _ in range(tokens):
        logits = model(torch.tensor([ids[-model.seq_len :]]))[0, -1].float()
        if temperature == 0:
            chosen = int(logits.argmax())
        else:
            chosen = int(torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator))
        if chosen == processor.eos_id():
            break
        ids.append(chosen)
    text: str = processor.decode(ids[1:])
    return text
