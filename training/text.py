"""The demo model's tokenizer and the captions it learns from."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from training.data import Emoji

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 24  # tokens of a prompt with start and end; CLIP's 77 would cost a third of the time
VOCABULARY = 4096
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"  # CLIP, Radford et al. 2021

PHRASES = (
    "a {}",
    "the {}",
    "{} on white",
    "{}, white background",
    "a {} on a white background",
    "a picture of a {}",
    "an emoji of a {}",
    "3d icon of a {}",
    "a photo of {}",
)


def save_tokenizer(words: list[str], folder: Path) -> None:
    """Train a byte pair encoding on `words` and store it in the form that CLIPTokenizer reads.

    Any text can be encoded: words it does not know fall to pieces, at worst to bytes.
    """
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(alphabet) - 2,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(words, trainer)
    trained = json.loads(tokenizer.to_str())["model"]
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    merges = [tuple(merge) for merge in trained["merges"]]
    tokens += ["".join(merge) for merge in merges]
    tokens = [*dict.fromkeys(tokens), START, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": LENGTH,
        "bos_token": START,
        "eos_token": END,
        "pad_token": END,
        "unk_token": END,
        "errors": "replace",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    special = {name: value for name, value in settings.items() if name.endswith("_token")}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")


@dataclass(frozen=True)
class Speech:
    """What the names are, and which words say nothing about a picture."""

    labels: frozenset[str]
    known_tags: frozenset[str]  # those that exactly one name has
    fillers: tuple[str, ...]


def speech(emoji: Sequence[Emoji], others: Iterable[Emoji]) -> Speech:
    """What captions of `emoji` are made of; words of `others` that name none of them fill."""
    labels = frozenset(one.label for one in emoji)
    words = {word.lower() for one in emoji for word in one.label.split()}
    counts = Counter(tag for one in emoji for tag in one.tags)
    single = frozenset(tag for tag, count in counts.items() if count == 1 and tag not in labels)
    said = words | {word.lower() for tag in counts for word in tag.split()}
    fillers = {word for one in others for word in one.label.lower().split()} - said
    return Speech(labels, single, tuple(sorted(fillers)))


def named(one: Emoji, about: Speech, draw: random.Random) -> str:
    """A name of the picture: its label, at times without a final "face" where that is clear."""
    short = one.label.removesuffix(" face")
    return one.label if short in about.labels else draw.choice((one.label, short))


def caption(one: Emoji, about: Speech, draw: random.Random) -> str:
    """A caption for the plain picture.

    Half are the bare name; the others a phrase around it, tags in front of it, a tag that only this
    picture has, or the name among words that name no picture, which the model so learns to pass
    over.
    """
    name, kind = named(one, about, draw), draw.random()
    if kind < 0.5:
        return name
    if kind < 0.68:
        return draw.choice(PHRASES).format(name)
    if kind < 0.84 and one.tags:
        tags = draw.sample(one.tags, min(len(one.tags), draw.randint(1, 2)))
        return ", ".join([*tags, name])
    own = sorted(about.known_tags & set(one.tags))
    if kind < 0.88 and own:
        return draw.choice(own)
    words = [name, *draw.sample(about.fillers, min(len(about.fillers), draw.randint(1, 4)))]
    draw.shuffle(words)
    return " ".join(words)
