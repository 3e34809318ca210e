"""Dual encoders of the open_clip library (extra ``clip``). torch is imported when one is loaded."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from evenhand.errors import InputError, SubjectError
from evenhand.models.encoder import Embeddings
from evenhand.models.encoder_card import Card
from evenhand.models.encoder_pixels import unit_rows
from evenhand.models.text_export import (
    NotPortable,
    exported,
    frame,
    named_device,
    shared_name,
    weights_digest,
)

__all__ = ["OpenClipEncoder", "check"]

_log = logging.getLogger(__name__)


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


class OpenClipEncoder:
    """A model of open_clip with its own preprocessing and tokenizer, in float32."""

    def __init__(
        self, model: Any, preprocess: Any, tokenizer: Any, *, device: str, names: tuple[str, str]
    ) -> None:
        self._model = model
        self._preprocess = preprocess
        self._tokenizer = tokenizer
        self._device = device
        self._names = names
        self._dim = int(self.encode_texts(["a"]).shape[1])
        self._portable: Mapping[str, bytes] | None = None
        self._why_not = ""

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
        try:
            place = named_device(device)
        except ValueError as error:
            raise InputError(str(error), where="device") from None
        try:
            model, _, preprocess = open_clip.create_model_and_transforms(
                model_name, pretrained=pretrained or None, device=place, precision="fp32"
            )
            tokenizer = open_clip.get_tokenizer(model_name)
        except Exception as error:  # of whatever the library, the hub or the disk raise
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise SubjectError(
                f"cannot be loaded: {first}", model=f"open_clip/{model_name}"
            ) from error
        names = (shared_name(model_name), shared_name(pretrained))
        return cls(model.eval(), preprocess, tokenizer, device=place, names=names)

    @property
    def dim(self) -> int:
        return self._dim

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Rows of length 1, one per text, each encoded by itself."""
        import torch

        rows = []
        with torch.inference_mode():
            for text in texts:
                tokens = self._tokenizer([text]).to(self._device)
                rows.append(self._model.encode_text(tokens).float().cpu().numpy())
        return self._unit(np.concatenate(rows) if rows else np.empty((0, self._dim), np.float32))

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Rows of length 1, one per image. Goes through ``images`` once, in order."""
        import torch

        if not len(images):
            return np.empty((0, self._dim), dtype=np.float32)
        with torch.inference_mode():
            batch = torch.stack([self._preprocess(image) for image in images]).to(self._device)
            return self._unit(self._model.encode_image(batch).float().cpu().numpy())

    def about(self) -> Mapping[str, str]:
        """Name, weights and their hash, libraries and device."""
        name, pretrained = self._names
        said = {
            "backend": "open_clip", "name": name, "pretrained": pretrained,
            "weights sha256": weights_digest(self._model), "device": self._device,
            "open_clip": version("open_clip_torch"), "torch": version("torch"),
        }  # fmt: skip
        if self.portable_text() is None:
            said["portable_text"] = f"no: {self._why_not}"
        return said

    def portable_text(self) -> Mapping[str, bytes] | None:
        """The text tower as ONNX with its tokenizer; None, and the reason in ``about``, where it
        cannot be exported."""
        if self._portable is None and not self._why_not:
            try:
                self._portable = self._export()
            except NotPortable as error:
                self._why_not = str(error)
                _log.warning("%s: no text encoder for open queries: %s", self._names[0], error)
        return self._portable

    def _export(self) -> Mapping[str, bytes]:
        tokens = self._tokenizer(["a photo of a doctor"]).to(self._device)
        length = int(tokens.shape[1])
        tokenizer, pad = _portable_tokenizer(self._tokenizer)
        card = Card(
            name=self._names[0], image_size=224, mean=(0.5,) * 3, std=(0.5,) * 3,
            context_length=length, pad_id=pad, dim=self._dim,
            origin=f"open_clip {self._names[0]} {self._names[1]}".strip(),
        )  # fmt: skip
        tower = frame(self._model.encode_text)
        tower.model = self._model
        return exported(tower, tokens, tokenizer, card, self.encode_texts)

    def _unit(self, rows: Any) -> Embeddings:
        try:
            return unit_rows(rows)
        except ValueError as error:
            raise SubjectError(
                f"encoding failed: {error}", model=f"open_clip/{self._names[0]}"
            ) from None


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
