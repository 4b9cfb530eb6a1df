"""The encoder once more, in numpy alone: slow, and plain enough to be read beside the paper."""

import numpy as np

from ctiscraper.embed.weights import Floats, Shape


def _normal(value: Floats, scale: Floats, bias: Floats, epsilon: float) -> Floats:
    mean = value.mean(-1, keepdims=True)
    spread = ((value - mean) ** 2).mean(-1, keepdims=True)
    return np.asarray((value - mean) / np.sqrt(spread + epsilon) * scale + bias, np.float32)


def _erf(value: Floats) -> Floats:
    """Abramowitz and Stegun, 7.1.26: within 1.5e-7."""
    sign, size = np.sign(value), np.abs(value)
    t = 1 / (1 + 0.3275911 * size)
    series = 0.254829592 + t * (
        -0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))
    )
    return np.asarray(sign * (1 - series * t * np.exp(-size * size)), np.float32)


def encode(weights: dict[str, Floats], shape: Shape, ids: list[int]) -> Floats:
    """Return the vector of one text, without padding."""

    def dense(value: Floats, name: str) -> Floats:
        return np.asarray(value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"], np.float32)

    def normal(value: Floats, name: str) -> Floats:
        return _normal(value, weights[f"{name}.weight"], weights[f"{name}.bias"], shape.epsilon)

    value = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    value = normal(value, "embeddings.LayerNorm")
    width = shape.hidden // shape.heads
    for number in range(shape.layers):
        layer = f"encoder.layer.{number}"
        query, key, kept = (
            dense(value, f"{layer}.attention.self.{part}") for part in ("query", "key", "value")
        )
        taken = np.zeros_like(value)
        for head in range(shape.heads):
            part = slice(head * width, (head + 1) * width)
            near = query[:, part] @ key[:, part].T / np.sqrt(width)
            near = np.exp(near - near.max(-1, keepdims=True))
            taken[:, part] = near / near.sum(-1, keepdims=True) @ kept[:, part]
        taken = dense(taken, f"{layer}.attention.output.dense")
        value = normal(taken + value, f"{layer}.attention.output.LayerNorm")
        wide = dense(value, f"{layer}.intermediate.dense")
        bent = wide * 0.5 * (1 + _erf(np.asarray(wide / np.sqrt(2), np.float32)))
        value = normal(dense(bent, f"{layer}.output.dense") + value, f"{layer}.output.LayerNorm")
    mean = value.mean(0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)
