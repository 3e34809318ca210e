"""Dual encoders of the transformers library: CLIP, SigLIP and kin (extra ``hf``).

Whatever ``AutoModel`` loads and has ``get_image_features`` and ``get_text_features``. torch is
imported when a model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL.Image import Image

from evenhand.errors import InputError, SubjectError
from evenhand.models.encoder_card import Card
from evenhand.models.text_export import NotPortable, exported, frame, shared_name
from evenhand.models.torch_encoder import TorchEncoder, first_line, place_of

__all__ = ["TransformersEncoder", "check"]

LONGEST_CONTEXT = 512
"""Where a model does not say how long a text may be."""


def check(name: str, revision: str) -> None:
    """Whether transformers knows the model; only its configuration is read or downloaded.

    Raises:
        InputError: no such model or revision.
    """
    from transformers import AutoConfig

    try:
        AutoConfig.from_pretrained(name, revision=revision or None)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{name!r} cannot be had: {first_line(error)}", where="model_name"
        ) from None


class TransformersEncoder(TorchEncoder):
    """A dual encoder with its own image processor and tokenizer; texts are padded to the context."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        tokenizer: Any,
        *,
        device: str,
        name: str,
        revision: str = "",
    ) -> None:
        self._processor = processor
        self._tokenizer = tokenizer
        self._revision = revision
        self._length = _context(model, tokenizer)
        super().__init__(
            model, backend="transformers", package="transformers", name=name, device=device
        )

    @classmethod
    def load(cls, name: str, *, revision: str = "", device: str = "auto") -> TransformersEncoder:
        """Load a model by its id on the hub or its folder.

        Raises:
            InputError: no such device.
            SubjectError: it cannot be had or loaded, or is no dual encoder.
        """
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        place = place_of(device)
        told = f"transformers/{shared_name(name)}"
        at = revision or None
        try:
            model = AutoModel.from_pretrained(name, revision=at, dtype="float32")
            processor = AutoImageProcessor.from_pretrained(name, revision=at)
            tokenizer = AutoTokenizer.from_pretrained(name, revision=at)
        except Exception as error:  # of whatever the library, the hub or the disk raise
            raise SubjectError(f"cannot be loaded: {first_line(error)}", model=told) from error
        if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
            raise SubjectError(
                f"a {model.config.model_type} gives no features of images and texts in one space; "
                "take a CLIP, SigLIP or other dual encoder",
                model=told,
            )
        return cls(
            model.to(place).eval(), processor, tokenizer, device=place, name=shared_name(name),
            revision=str(getattr(model.config, "_commit_hash", None) or revision),
        )  # fmt: skip

    def _text_row(self, text: str) -> Any:
        return _rows(self._model.get_text_features(**self._tokens(text)))

    def _image_rows(self, images: Sequence[Image]) -> Any:
        import torch

        ready = [
            self._processor(images=image, return_tensors="pt")["pixel_values"] for image in images
        ]
        batch = torch.cat(ready).to(self._device)
        return _rows(self._model.get_image_features(pixel_values=batch))

    def _which(self) -> Mapping[str, str]:
        return {"revision": self._revision, "model_type": str(self._model.config.model_type)}

    def _export(self) -> Mapping[str, bytes]:
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise NotPortable(f"its tokenizer {type(self._tokenizer).__name__} is not a fast one")
        pad = int(self._tokenizer.pad_token_id or 0)
        masked = "attention_mask" in self._tokens("a")
        # Where the padding is also the end of the text (CLIP), a token says not which it is; the
        # tower looks back only, so that what stands after the end changes nothing.
        ends = {self._tokenizer.eos_token_id, self._tokenizer.bos_token_id}

        def features(tokens: Any) -> Any:
            mask = {"attention_mask": (tokens != pad).long()} if masked and pad not in ends else {}
            return _rows(self._model.get_text_features(input_ids=tokens, **mask))

        card = Card(
            name=self._name.rsplit("/", 1)[-1], image_size=224, mean=(0.5,) * 3, std=(0.5,) * 3,
            context_length=self._length, pad_id=pad, dim=self._dim,
            origin=f"transformers {self._name} {self._revision}".strip(),
        )  # fmt: skip
        tower = frame(features)
        tower.model = self._model
        example = self._tokens("a photo of a doctor")["input_ids"]
        return exported(tower, example, backend.to_str().encode(), card, self.encode_texts)

    def _tokens(self, text: str) -> Mapping[str, Any]:
        said = self._tokenizer(
            [text], padding="max_length", truncation=True, max_length=self._length,
            return_tensors="pt",
        )  # fmt: skip
        known = ("input_ids", "attention_mask")
        return {name: value.to(self._device) for name, value in said.items() if name in known}


def _rows(found: Any) -> Any:
    """The features, which newer versions of the library hand over inside an object."""
    return getattr(found, "pooler_output", found)


def _context(model: Any, tokenizer: Any) -> int:
    """How many tokens a text may have."""
    text = getattr(model.config, "text_config", model.config)
    for said in (
        getattr(text, "max_position_embeddings", None), tokenizer.model_max_length
    ):  # fmt: skip
        if isinstance(said, int) and 0 < said <= LONGEST_CONTEXT:
            return said
    return LONGEST_CONTEXT
