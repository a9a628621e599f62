"""What stands as an example under the help of each verb of ``llama-data``; a test reads them all as a shell would."""

from __future__ import annotations

EXAMPLES = {
    "quickstart": "llama-data quickstart demo --no-train",
    "download": "llama-data download commoncrawl CC-MAIN-2020-05 --share 1%",
    "plan": "llama-data plan llama --input DUMPS --output RUN --calibrate",
    "run": "llama-data run commoncrawl --input one.wet.gz --output RUN --starter-models\n"
    "llama-data run all -c mine.yaml --workers 16",
    "status": "llama-data status RUN --watch",
    "logs": "llama-data logs RUN --failed",
    "models list": "llama-data models list -c llama",
    "models pull": "llama-data models pull lid.176.bin en.sp.model en.arpa.bin",
    "models train-language": "llama-data models train-language languages/ --out language.bin",
    "models train-perplexity": "llama-data models train-perplexity wiki/ --cutoffs-from pages/ --language en --out lm/",
    "models train-references": "llama-data models train-references --dump enwiki.xml.bz2 --positives cited/ "
    "--negatives random/ --out references.bin",
    "models train-quality": "llama-data models train-quality wanted/ random/ --out quality.bin",
    "models train-templates": "llama-data models train-templates dewiki.xml.bz2 --out templates/",
    "models evaluate": "llama-data models evaluate lid.176.bin languages/",
    "recipes list": "llama-data recipes list",
    "recipes show": "llama-data recipes show llama --resolved",
    "recipes new": "llama-data recipes new mine.yaml --domain books --source mine=/data/mine --executor slurm",
    "train-tokenizer": "llama-data train-tokenizer -c RUN/recipe.yaml",
    "tokenize": "llama-data tokenize books wikipedia -c RUN/recipe.yaml",
    "mix": "llama-data mix -c RUN/recipe.yaml --tokens 1e9\n"
    "llama-data mix -c RUN/recipe.yaml --name small --tokens 100M",
    "report": "llama-data report RUN\nllama-data report RUN_A RUN_B --output compare.html",
    "diff": "llama-data diff RUN_A RUN_B",
    "browse": "llama-data browse RUN\nllama-data browse RUN --no-open --port 8765",
    "why": "llama-data why RUN https://example.org/page\n"
    "llama-data why RUN --random rejected --reason not_like_references -n 3",
    "inspect": "llama-data inspect dump.warc.wet.gz\nllama-data inspect RUN/documents/books/00000.jsonl.zst\n"
    "llama-data inspect rows.parquet --as github",
    "verify": "llama-data verify RUN --full",
    "export": "llama-data export RUN --to megatron",
}
