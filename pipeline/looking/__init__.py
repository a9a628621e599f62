"""Looking into a run: rows of the ledger, texts, a record's story, its raw text again; `why` and `browse` share it."""
