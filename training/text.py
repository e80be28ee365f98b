"""The demo model's tokenizer and the captions it learns from."""

import json
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 32  # tokens of a prompt with start and end; CLIP's 77 would cost a tenth of the time
VOCABULARY = 3072
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"  # CLIP, Radford et al. 2021

PHRASES = (
    "a {}",
    "the {}",
    "{} on white",
    "{}, white background",
    "{} on a white background",
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


def captions(label: str, labels: list[str], fillers: list[str], count: int) -> list[str]:
    """`count` captions for the picture called `label`, the same at every call.

    Half are the label as it is. The others put it into a phrase, leave out a final "face" where no
    other label is meant, or add words that name none of the pictures, which the model so learns
    to pass over.
    """
    draw = random.Random(label)
    short = label.removesuffix(" face")
    names = [label] if short in labels else [label, short]
    made: list[str] = []
    for index in range(count):
        name = draw.choice(names)
        if index % 2 == 0:
            made.append(name)
        elif index % 4 == 1:
            made.append(draw.choice(PHRASES).format(name))
        else:
            words = [name, *draw.sample(fillers, draw.randint(1, 4))]
            draw.shuffle(words)
            made.append(" ".join(words))
    return made
