"""A model in this process by transformers (extra ``hf``), one request at a time.

For small models and for machines without a server; anything larger is better off behind
``vllm/…``. torch is imported in the worker thread at the first request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any, TypeVar

from evenhand.errors import SubjectError
from evenhand.models.chat import (
    Answer,
    Decoding,
    Failure,
    Image,
    Message,
    Reply,
    Request,
    Token,
    Usage,
)
from evenhand.models.messages import without_system

__all__ = ["TransformersLocal"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

DEFAULT_MAX_TOKENS = 512
_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant"}


class TransformersLocal:
    """A causal language model loaded by ``AutoModelForCausalLM``, or one that sees.

    A model that transformers knows as one from images and text to text is loaded as that, with its
    processor, and is sent the images of a request.

    Args:
        name: a Hugging Face id or a folder.
        device: ``cpu``, ``cuda`` …; ``None`` takes a GPU when torch sees one.
        dtype: ``auto``, ``bfloat16``, ``float32`` …

    A JSON schema cannot be enforced here and is left to the prompt; ``presence_penalty`` is not
    known to transformers and is not applied (said once).
    """

    cap = 1

    def __init__(self, name: str, *, device: str | None = None, dtype: str = "auto") -> None:
        self.name = f"hf/{name}"
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise SubjectError(
                'needs torch and transformers; pip install "evenhand[hf]"', model=self.name
            )
        self._path = name
        self._device = device
        self._dtype = dtype
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evenhand-hf")
        self._model: Any = None
        self._tokenizer: Any = None
        self._processor: Any = None
        self._penalty_said = False

    def __repr__(self) -> str:
        return f"TransformersLocal({self._path!r})"

    async def ask(self, request: Request, /) -> Reply:
        """Generate one reply in the worker thread. Same seed and request, same reply.

        Raises ``SubjectError`` for an image where the model reads words alone.
        """
        return await self._in_worker(self._generate, request)

    async def describe(self) -> Mapping[str, Any]:
        """Architecture, size, context length and versions. Loads the model."""
        return await self._in_worker(self._described)

    async def close(self) -> None:
        """Let the worker finish and free the model."""
        await asyncio.to_thread(self._worker.shutdown, cancel_futures=True)
        self._model = self._tokenizer = self._processor = None

    async def _in_worker(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    def _load(self) -> None:
        if self._model is not None:
            return
        import torch

        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self._model = self._loaded().to(device).eval()
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            first_line = str(error).strip().splitlines()[0]
            raise SubjectError(f"cannot be loaded: {first_line}", model=self.name) from None

    def _loaded(self) -> Any:
        """The model, with its tokenizer and, where it sees, its processor beside it."""
        from transformers import (
            MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
            AutoConfig,
            AutoModelForCausalLM,
            AutoModelForImageTextToText,
            AutoProcessor,
            AutoTokenizer,
        )

        config = AutoConfig.from_pretrained(self._path)
        if type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            self._processor = AutoProcessor.from_pretrained(self._path)
            self._tokenizer = self._processor.tokenizer
            return AutoModelForImageTextToText.from_pretrained(self._path, dtype=self._dtype)
        self._tokenizer = AutoTokenizer.from_pretrained(self._path)
        return AutoModelForCausalLM.from_pretrained(self._path, dtype=self._dtype)

    def _described(self) -> dict[str, Any]:
        import torch
        import transformers

        self._load()
        config = self._model.config
        return {
            "id": self._path,
            "model_type": config.model_type,
            "revision": getattr(config, "_commit_hash", None),
            "parameters": self._model.num_parameters(),
            "dtype": str(self._model.dtype),
            "device": str(self._model.device),
            "max_model_len": self._context(),
            "sees": self._processor is not None,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        }

    def _generate(self, request: Request) -> Reply:
        import torch

        self._load()
        tokens = self._tokens(request).to(self._model.device)
        n_prompt = tokens["input_ids"].shape[1]
        limit = request.decoding.max_tokens or DEFAULT_MAX_TOKENS
        too_long = self._too_long(n_prompt, limit)
        if too_long is not None:
            return too_long
        with torch.inference_mode(), torch.random.fork_rng():
            if request.seed is not None:
                torch.manual_seed(request.seed)
            try:
                made = self._model.generate(
                    **tokens,
                    pad_token_id=self._pad_token(),
                    max_new_tokens=limit,
                    return_dict_in_generate=True,
                    output_logits=request.top_logprobs > 0,
                    **self._sampling(request.decoding),
                )
            except torch.cuda.OutOfMemoryError as error:
                return Failure(f"out of memory: {str(error).splitlines()[0]}")
        return self._answer(made, n_prompt, limit, request.top_logprobs)

    def _answer(self, made: Any, n_prompt: int, limit: int, n_alternatives: int) -> Answer:
        ids = made.sequences[0, n_prompt:].tolist()
        text = self._tokenizer.decode(ids, skip_special_tokens=True)
        cut = len(ids) >= limit and ids[-1] not in self._end_tokens()
        logprobs = self._logprobs(made.logits, ids, n_alternatives) if n_alternatives else ()
        return Answer(text, Usage(n_prompt, len(ids)), cut, logprobs)

    def _logprobs(self, logits: Sequence[Any], ids: list[int], n: int) -> tuple[Token, ...]:
        tokens = []
        for row, chosen in zip(logits, ids, strict=True):
            scores = row[0].float().log_softmax(-1)
            best = scores.topk(min(n, scores.shape[0]))
            tokens.append(
                Token(
                    self._tokenizer.decode([chosen]),
                    float(scores[chosen]),
                    tuple(
                        (self._tokenizer.decode([at]), value)
                        for at, value in zip(
                            best.indices.tolist(), best.values.tolist(), strict=True
                        )
                    ),
                )
            )
        return tuple(tokens)

    def _tokens(self, request: Request) -> Any:
        """What the model is given: the prompt's tokens, and the images' pixels beside them."""
        pictures = [image for message in request.messages for image in message.images]
        prompt = self._prompt(request)
        if not pictures:
            return self._tokenizer(
                prompt,
                return_tensors="pt",
                add_special_tokens=self._is_plain(),
                return_token_type_ids=False,
            )
        if self._processor is None:
            raise SubjectError("takes no images; choose a model with vision", model=self.name)
        return self._processor(text=[prompt], images=_opened(pictures), return_tensors="pt")

    def _is_plain(self) -> bool:
        return not self._tokenizer.chat_template

    def _prompt(self, request: Request) -> str:
        if self._is_plain():
            turns = [f"{_SPEAKERS[m.role]}: {m.text}" for m in request.messages]
            return "\n".join([*turns, "Assistant:"])
        from jinja2.exceptions import TemplateError

        try:
            return self._templated(request.messages, request.decoding)
        except TemplateError:  # how templates say that they know no system role
            return self._templated(without_system(request.messages), request.decoding)

    def _templated(self, messages: Sequence[Message], decoding: Decoding) -> str:
        thinking = decoding.enable_thinking
        speaker = self._tokenizer if self._processor is None else self._processor
        text: str = speaker.apply_chat_template(
            [{"role": m.role, "content": self._content(m)} for m in messages],
            tokenize=False,
            add_generation_prompt=True,
            **({} if thinking is None else {"enable_thinking": thinking}),
        )
        return text

    def _too_long(self, n_prompt: int, limit: int) -> Failure | None:
        room = self._context()
        if room is None or n_prompt + limit <= room:
            return None
        return Failure(
            f"the prompt has {n_prompt} tokens and the reply may have {limit}: "
            f"more than the model's context of {room}"
        )

    def _content(self, message: Message) -> Any:
        """A turn as templates take it: words, or parts with the images first."""
        if self._processor is None:
            return message.text
        pictures: list[dict[str, str]] = [{"type": "image"} for _ in message.images]
        return [*pictures, {"type": "text", "text": message.text}]

    def _context(self) -> int | None:
        config = self._model.config.get_text_config()
        room: int | None = getattr(config, "max_position_embeddings", None)
        return room

    def _end_tokens(self) -> set[int]:
        ends = self._model.generation_config.eos_token_id
        return set(ends if isinstance(ends, list) else [] if ends is None else [ends])

    def _pad_token(self) -> int:
        pad = self._tokenizer.pad_token_id
        return pad if pad is not None else next(iter(self._end_tokens()), 0)

    def _sampling(self, decoding: Decoding) -> dict[str, Any]:
        if decoding.presence_penalty is not None and not self._penalty_said:
            self._penalty_said = True
            _log.warning("%s: transformers has no presence_penalty; it is not applied", self.name)
        if decoding.temperature == 0:
            return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        given = {
            key: getattr(decoding, key)
            for key in ("temperature", "top_p", "top_k", "min_p")
            if getattr(decoding, key) is not None
        }
        if given.get("top_k", 1) <= 0:  # -1 and 0 mean "all tokens" to servers
            given["top_k"] = 0
        return {"do_sample": True, **given} if given else {}


def _opened(pictures: Sequence[Image]) -> list[Any]:
    """Images as processors take them, in red, green and blue."""
    from io import BytesIO

    from PIL import Image as Pillow

    return [Pillow.open(BytesIO(picture.data)).convert("RGB") for picture in pictures]
