"""The ChatML-like chat template of the embedded models.

`CHAT_TEMPLATE` is stored in the GGUF; the functions produce the same text for training.
"""

from __future__ import annotations

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

REPLY_START = f"{TURN_START}assistant\n"


def turn(role: str, text: str) -> str:
    """One complete message."""
    return f"{TURN_START}{role}\n{text}{TURN_END}\n"


def prompt_text(question: str, system: str | None = None) -> str:
    """The template applied to a question, up to the start of the reply."""
    return ("" if system is None else turn("system", system)) + turn("user", question) + REPLY_START
