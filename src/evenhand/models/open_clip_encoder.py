"""Dual encoders of the open_clip library (extra ``clip``). torch is imported when one is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from evenhand.errors import InputError, SubjectError
from evenhand.models.encoder_card import Card
from evenhand.models.text_export import NotPortable, exported, frame, shared_name
from evenhand.models.torch_encoder import TorchEncoder, first_line, place_of

__all__ = ["OpenClipEncoder", "check"]


def check(model_name: str, pretrained: str) -> None:
    """Whether open_clip knows the model and its weights.

    Raises:
        InputError: an unknown name or tag, no weights named, or a folder or file that is not there.
    """
    import open_clip

    if model_name.startswith("local-dir:"):
        if not Path(model_name.removeprefix("local-dir:")).is_dir():
            raise InputError(f"no folder for {model_name!r}", where="model_name")
        return
    if model_name.startswith("hf-hub:"):
        return
    if model_name not in open_clip.list_models():
        raise InputError(
            f"open_clip has no model {model_name!r}; python -c 'import open_clip; "
            "print(open_clip.list_models())' lists them",
            where="model_name",
        )
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    if pretrained not in tags and not (pretrained and Path(pretrained).is_file()):
        raise InputError(
            f"{model_name} has no weights {pretrained!r}; it has {', '.join(tags) or 'none'}, or "
            "name a file",
            where="pretrained",
        )


class OpenClipEncoder(TorchEncoder):
    """A model of open_clip with its own preprocessing and tokenizer."""

    def __init__(
        self, model: Any, preprocess: Any, tokenizer: Any, *, device: str, names: tuple[str, str]
    ) -> None:
        self._preprocess = preprocess
        self._tokenizer = tokenizer
        self._pretrained = names[1]
        super().__init__(
            model, backend="open_clip", package="open_clip_torch", name=names[0], device=device
        )

    @classmethod
    def load(
        cls, model_name: str, *, pretrained: str = "", device: str = "auto"
    ) -> OpenClipEncoder:
        """Load a model, downloading what is not in the library's cache.

        Args:
            model_name: a name of open_clip's, ``hf-hub:…`` or ``local-dir:…``.
            pretrained: a tag of the model's weights, or a file; not needed with those two.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

        Raises:
            InputError: as for ``check``, or no such device.
            SubjectError: the weights cannot be had or loaded.
        """
        import open_clip

        check(model_name, pretrained)
        place = place_of(device)
        try:
            model, _, preprocess = open_clip.create_model_and_transforms(
                model_name, pretrained=pretrained or None, device=place, precision="fp32"
            )
            tokenizer = open_clip.get_tokenizer(model_name)
        except Exception as error:  # of whatever the library, the hub or the disk raise
            raise SubjectError(
                f"cannot be loaded: {first_line(error)}", model=f"open_clip/{model_name}"
            ) from error
        names = (shared_name(model_name), shared_name(pretrained))
        return cls(model.eval(), preprocess, tokenizer, device=place, names=names)

    def _text_row(self, text: str) -> Any:
        return self._model.encode_text(self._tokenizer([text]).to(self._device))

    def _image_rows(self, images: Sequence[Image]) -> Any:
        import torch

        batch = torch.stack([self._preprocess(image) for image in images])
        return self._model.encode_image(batch.to(self._device))

    def _which(self) -> Mapping[str, str]:
        return {"pretrained": self._pretrained}

    def _export(self) -> Mapping[str, bytes]:
        tokens = self._tokenizer(["a photo of a doctor"]).to(self._device)
        length = int(tokens.shape[1])
        tokenizer, pad = _portable_tokenizer(self._tokenizer)
        card = Card(
            name=self._name, image_size=224, mean=(0.5,) * 3, std=(0.5,) * 3,
            context_length=length, pad_id=pad, dim=self._dim,
            origin=f"open_clip {self._name} {self._pretrained}".strip(),
        )  # fmt: skip
        tower = frame(self._model.encode_text)
        tower.model = self._model
        return exported(tower, tokens, tokenizer, card, self.encode_texts)


def _portable_tokenizer(tokenizer: Any) -> tuple[bytes, int]:
    """The tokenizer as JSON of the tokenizers library, and its padding."""
    inner: Any = getattr(tokenizer, "tokenizer", None)
    backend = getattr(inner, "backend_tokenizer", None)
    if backend is not None:
        said = json.loads(backend.to_str())
        if getattr(tokenizer, "clean_fn", None) is not None:
            _clean_first(said, tokenizer.clean_fn.__name__)
        return json.dumps(said).encode(), int(inner.pad_token_id or 0)
    if not hasattr(tokenizer, "bpe_ranks") or getattr(tokenizer, "reduction_fn", None):
        raise NotPortable(f"its tokenizer {type(tokenizer).__name__} is of a kind not known here")
    return _bytes_of_pairs(tokenizer), 0


def _bytes_of_pairs(tokenizer: Any) -> bytes:
    """CLIP's own tokenizer: lower case, blanks collapsed, byte pairs with an end-of-word mark."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    start, end = (
        tokenizer.decoder[tokenizer.sot_token_id],
        tokenizer.decoder[tokenizer.eot_token_id],
    )
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    made = Tokenizer(
        models.BPE(
            vocab=dict(tokenizer.encoder), merges=[tuple(pair) for pair in merges],
            end_of_word_suffix="</w>", unk_token=end,
        )
    )  # fmt: skip
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(),
         normalizers.Lowercase()]
    )  # fmt: skip
    words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        special_tokens=[(start, tokenizer.sot_token_id), (end, tokenizer.eot_token_id)],
    )
    return made.to_str().encode()


def _clean_first(said: dict[str, Any], cleaning: str) -> None:
    """Put open_clip's cleaning of texts before what the tokenizer does itself."""
    blanks: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
        {"type": "Strip", "strip_left": True, "strip_right": True},
    ]
    steps: list[dict[str, Any]] = list(blanks)
    if "canonicalize" in cleaning:
        punctuation = r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^`{|}~]"
        steps = [
            {"type": "Replace", "pattern": {"String": "_"}, "content": " "},
            {"type": "Replace", "pattern": {"Regex": punctuation}, "content": ""},
            {"type": "Lowercase"}, *blanks,
        ]  # fmt: skip
    elif "lower" in cleaning:
        steps = [*blanks, {"type": "Lowercase"}]
    own = said.get("normalizer")
    said["normalizer"] = {
        "type": "Sequence",
        "normalizers": [*steps, *([own] if own else [])],
    }
