"""Train the two dual encoders that the package ships, and write them as ONNX folders.

Two encoders, one recipe. Each sees portraits that we draw, and captions of them; in one set
occupation says nothing about gender and skin (``BALANCED``), in the other much (``SKEWED``). The
loss is that of CLIP (Radford et al. 2021, section 2.3): symmetric cross entropy over the
similarities of a batch; portraits whose captions are word for word the same share the target.

    python training/train_portrait_encoders.py balanced skewed

needs torch, onnx, onnxscript and the package itself; about five minutes per encoder on one core. The same
versions on the same kind of processor give the same weights; elsewhere rounding differs.
"""
# ruff: noqa: T201, S106

from __future__ import annotations

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor, nn
from torch.nn import functional as F

from evenhand.arena.portraits.captions import WORDINGS, caption, loose_caption
from evenhand.arena.portraits.drawing import draw
from evenhand.arena.portraits.person import BALANCED, SKEWED, Joint, Person, people

HERE = Path(__file__).resolve().parent
ENCODERS = HERE.parent / "src" / "evenhand" / "arena" / "encoders"

JOINTS = {"balanced": BALANCED, "skewed": SKEWED}
TRAIN_SEED, HELD_OUT_SEED = 1001, 2001
HELD_OUT, NEAREST = 1000, 10
PIXELS, DRAWN, WORDS, DIM, WIDTH = 64, 192, 32, 64, 64
PAD, UNKNOWN = 0, 1
MEAN, STD = (0.66, 0.60, 0.55), (0.27, 0.27, 0.28)


class Sight(nn.Module):
    """Pixels (n, 3, 64, 64) to a vector (n, 64): six convolutions, then one linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self._step(3, 16, 2)
        self.second = self._step(16, 32, 2)
        self.second_more = self._step(32, 32, 1)
        self.third = self._step(32, 64, 2)
        self.third_more = self._step(64, 64, 1)
        self.fourth = self._step(64, 96, 2)
        self.out = nn.Linear(96 * 4 * 4, DIM)

    @staticmethod
    def _step(before: int, after: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
        )

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.second(self.first(pixels))
        x = self.third(x + self.second_more(x))
        x = self.fourth(x + self.third_more(x))
        return self.out(x.flatten(1))


class Layer(nn.Module):
    """One transformer layer, written out so that it exports to plain operators."""

    def __init__(self, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.join = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        each = WIDTH // self.heads
        q, k, v = (
            part.reshape(-1, WORDS, self.heads, each).transpose(1, 2)
            for part in self.qkv(self.before(x)).split(WIDTH, dim=2)
        )
        weight = (q @ k.transpose(2, 3) / each**0.5 + hidden).softmax(dim=3)
        x = x + self.join((weight @ v).transpose(1, 2).reshape(-1, WORDS, WIDTH))
        return x + self.down(F.gelu(self.up(self.between(x))))


class Reading(nn.Module):
    """Tokens (n, 32) to a vector (n, 64): two layers, the mean over words, one linear map."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, WIDTH)
        self.places = nn.Parameter(torch.randn(WORDS, WIDTH) * 0.02)
        self.layers = nn.ModuleList([Layer(), Layer()])
        self.last = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, DIM)

    def forward(self, tokens: Tensor) -> Tensor:
        there = (tokens != PAD).float()
        hidden = ((1 - there) * -1e4)[:, None, None, :]
        x = self.words(tokens) + self.places
        for layer in self.layers:
            x = layer(x, hidden)
        total = (self.last(x) * there[:, :, None]).sum(1)
        return self.out(total / there.sum(1, keepdim=True).clamp(min=1))


def tokenizer_of(everybody: list[Person]) -> Tokenizer:
    """Whole words in lower case: every word that the captions of these people use."""
    rng = np.random.default_rng(5)
    split = pre_tokenizers.Whitespace()
    found: set[str] = set()
    for person in everybody:
        texts = [caption(person, wording) for wording in WORDINGS]
        texts += [loose_caption(person, rng) for _ in range(8)]
        for text in texts:
            found.update(word for word, _ in split.pre_tokenize_str(text.lower()))
    names = ["[PAD]", "[UNK]", *sorted(found)]
    tokenizer = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(names)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = split
    return tokenizer


def pixels_of(everybody: list[Person]) -> np.ndarray:
    """The portraits as bytes (n, 64, 64, 3), made smaller as the package makes them smaller."""
    small = np.empty((len(everybody), PIXELS, PIXELS, 3), np.uint8)
    for place, person in enumerate(everybody):
        small[place] = draw(person, DRAWN).resize((PIXELS, PIXELS), resample=3)
    return small


def ready(pixels: np.ndarray) -> Tensor:
    """Bytes as the encoder's input (n, 3, 64, 64)."""
    scaled = (torch.from_numpy(pixels).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    return scaled.permute(0, 3, 1, 2).contiguous()


def varied(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Moved by up to two pixels, and a little lighter or darker."""
    down, right = rng.integers(-2, 3, 2)
    light = torch.from_numpy(rng.normal(0, 0.06, (len(pixels), 1, 1, 1)).astype(np.float32))
    return torch.roll(pixels, (int(down), int(right)), (2, 3)) + light


def worded(
    everybody: list[Person], tokenizer: Tokenizer, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A caption each: its tokens (n, 32), and a number that equal captions share (n,)."""
    texts = [
        caption(person) if rng.random() < 0.4 else loose_caption(person, rng)
        for person in everybody
    ]
    tokens = np.full((len(texts), WORDS), PAD, np.int64)
    for place, text in enumerate(texts):
        ids = tokenizer.encode(text).ids[:WORDS]
        tokens[place, : len(ids)] = ids
    # Words that nobody knows come in queries; here they stand for any word.
    strange = (rng.random(tokens.shape) < 0.03) & (tokens != PAD)
    same = np.unique(texts, return_inverse=True)[1]
    return np.where(strange, UNKNOWN, tokens), same


def batches(n: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Places in batches, in a new order every time; the last, short one is left out."""
    order = rng.permutation(n)
    for start in range(0, n - size + 1, size):
        yield order[start : start + size]


def clip_loss(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Both directions; equal captions share the target."""
    target = (same[:, None] == same[None, :]).float()
    target = target / target.sum(1, keepdim=True)
    logits = F.normalize(images) @ F.normalize(texts).T * scale.exp().clamp(max=60)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def train(
    joint: Joint, tokenizer: Tokenizer, *, n: int, epochs: int, size: int
) -> tuple[Sight, Reading]:
    """The two halves after ``epochs`` passes over ``n`` portraits."""
    rng = np.random.default_rng(TRAIN_SEED)
    everybody = people(n, TRAIN_SEED, joint=joint)
    pixels = ready(pixels_of(everybody))
    sight, reading = Sight(), Reading(tokenizer.get_vocab_size())
    scale = nn.Parameter(torch.tensor(2.5))
    weights = [*sight.parameters(), *reading.parameters(), scale]
    optimiser = torch.optim.AdamW(weights, lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=3e-3, total_steps=epochs * (n // size), pct_start=0.1
    )
    for epoch in range(epochs):
        began, losses = time.perf_counter(), []
        tokens, same = worded(everybody, tokenizer, rng)
        for places in batches(n, size, rng):
            seen = sight(varied(pixels[places], rng))
            read = reading(torch.from_numpy(tokens[places]))
            loss = clip_loss(seen, read, scale, torch.from_numpy(same[places]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        took = time.perf_counter() - began
        print(
            f"  epoch {epoch + 1:2} of {epochs}: loss {np.mean(losses):.3f}, {took:.0f} s",
            flush=True,
        )
    return sight.eval(), reading.eval()


def write(folder: Path, sight: Sight, reading: Reading, tokenizer: Tokenizer) -> None:
    """The folder without its ``encoder.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    halves = (
        ("image.onnx", sight, torch.zeros(2, 3, PIXELS, PIXELS), "pixels"),
        ("text.onnx", reading, torch.ones(2, WORDS, dtype=torch.int64), "tokens"),
    )
    for name, half, example, given in halves:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                half,
                (example,),
                str(folder / name),
                input_names=[given],
                output_names=["embedding"],
                dynamic_axes={given: {0: "n"}, "embedding": {0: "n"}},
                opset_version=17,
                dynamo=False,
            )


def about(name: str, found: dict[str, float] | None = None) -> dict[str, object]:
    """What ``encoder.json`` says."""
    card: dict[str, object] = {
        "format": 1,
        "name": f"portraits-{name}",
        "image_size": PIXELS,
        "mean": list(MEAN),
        "std": list(STD),
        "resize": "bicubic",
        "crop": "none",
        "context_length": WORDS,
        "pad_id": PAD,
        "lowercase": True,
        "dim": DIM,
        "origin": f"training/train_portrait_encoders.py {name}: drawn portraits, {name} joint",
        "license": "Apache-2.0",
    }
    if found is not None:
        card |= found
        card["recall_of"] = (
            f"share of {HELD_OUT} held-out portraits (balanced joint, seed {HELD_OUT_SEED}, full "
            f"captions, no two alike) that are among the nearest 1 or {NEAREST} of the {HELD_OUT} "
            "to their own caption"
        )
    return card


def held_out() -> list[Person]:
    """People whom no encoder saw, no two with the same full caption."""
    found: dict[str, Person] = {}
    for person in people(4 * HELD_OUT, HELD_OUT_SEED):
        found.setdefault(caption(person), person)
    return list(found.values())[:HELD_OUT]


def recall(folder: Path) -> dict[str, float]:
    """Text to image, on what the written files answer through the package's own encoder."""
    from evenhand.models.onnx_encoder import OnnxEncoder

    everybody = held_out()
    encoder = OnnxEncoder.open(folder)
    seen = encoder.encode_images([draw(person) for person in everybody])
    read = encoder.encode_texts([caption(person) for person in everybody])
    similar = read @ seen.T
    better = (similar > np.diag(similar)[:, None]).sum(1)
    return {f"recall_at_{k}": round(float((better < k).mean()), 4) for k in (1, NEAREST)}


def main() -> None:
    """Train, write and measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", nargs="+", choices=sorted(JOINTS))
    parser.add_argument("--output", type=Path, default=ENCODERS)
    parser.add_argument("--portraits", type=int, default=8192)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=256)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    # One vocabulary for both, so that they differ in what they saw alone.
    tokenizer = tokenizer_of(people(4000, TRAIN_SEED))
    for name in given.encoder:
        print(f"portraits-{name}: {given.portraits:,} portraits, {given.epochs} epochs")
        torch.manual_seed(7)
        halves = train(
            JOINTS[name], tokenizer, n=given.portraits, epochs=given.epochs, size=given.batch
        )
        folder = given.output / f"portraits-{name}"
        write(folder, *halves, tokenizer)
        write_card(folder, about(name))
        found = recall(folder)
        write_card(folder, about(name, found))
        sizes = ", ".join(f"{f.name} {f.stat().st_size:,} bytes" for f in sorted(folder.iterdir()))
        print(f"  {found} among {HELD_OUT} held-out portraits; {sizes}")
        for file in sorted(folder.iterdir()):
            print(f"  {hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}")


def write_card(folder: Path, card: dict[str, object]) -> None:
    """Write ``encoder.json``."""
    text = json.dumps(card, indent=1) + "\n"
    (folder / "encoder.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
