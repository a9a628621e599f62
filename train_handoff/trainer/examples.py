"""What stands as an example under the help of each verb of ``llama-train``; a test reads them all as a shell would."""

from __future__ import annotations

EXAMPLES = {
    "launch": "llama-train launch --data RUN/mix --model 7b --nproc 8\n"
    "llama-train launch --dry-run --model 7b --nproc 8",
    "bench": "llama-train bench --model 7b --nproc 8 --json speed.json",
    "evaluate": "llama-train evaluate RUN/train --data RUN/mix --tokenizer RUN/tokenizer",
    "ablate": "llama-train ablate old=RUN/mix new=OTHER/mix --held-out wiki.jsonl --tokens 1000000 --output judged",
    "tasks": "llama-train tasks oe_eval_tasks/sciq/rc_0shot/requests.jsonl.gz --output tasks",
    "tune": "llama-train tune pairs.jsonl --from RUN/train --output tuned",
    "import": "llama-train import HF_FOLDER start",
    "export": "llama-train export RUN/train hf",
    "generate": "llama-train generate RUN/train 'The first'",
    "chat": "llama-train chat tuned",
    "rows": "llama-train rows RUN/train --step 8192",
}
