"""Continue a text with a trained checkpoint, on the CPU."""

from __future__ import annotations

from pathlib import Path

import torch

from llama_data.train_handoff.trainer.huggingface.export import load_model
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.record import read_record, require_same_tokenizer


@torch.no_grad()
def continue_text(path: Path, tokenizer: Path, prompt: str, *, tokens: int, temperature: float, seed: int) -> str:
    """The prompt and up to ``tokens`` sampled tokens after it; ends early at EOS.

    Raises:
        InputError: not a checkpoint, or no tokenizer.model in the tokenizer folder.
        RequestError: the tokenizer is not the model's.
    """
    pieces = Pieces(tokenizer)
    require_same_tokenizer(read_record(path), pieces.sha256, path)
    processor = pieces.model
    model, _ = load_model(path)
    model.eval()
    begin = [id for id in (processor.bos_id(), processor.eos_id()) if id >= 0][:1]
    ids = [*begin, *processor.encode(prompt)]
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
    text: str = processor.decode(ids[len(begin) :])
    return text
