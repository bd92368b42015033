"""The client's face, OpenAI's chat completions: a body to a request, deltas to an answer or to a stream."""

from trunkline.dialects.openai_answer import encode_answer, sentence_deltas
from trunkline.dialects.openai_chunks import ChunkEncoder
from trunkline.dialects.openai_envelope import AnswerHead, Closing
from trunkline.dialects.openai_request import decode_request

__all__ = ["AnswerHead", "ChunkEncoder", "Closing", "decode_request", "encode_answer", "sentence_deltas"]
