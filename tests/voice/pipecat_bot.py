"""A pipecat bot with its real LLM service, context aggregators and sentence aggregation, but without sound.

In place of a speech engine is `Voice`, which keeps each sentence that it is given; a caller talks by transcripts.
"""

import asyncio
import contextlib

from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.turns.user_start.vad_user_turn_start_strategy import VADUserTurnStartStrategy
from pipecat.turns.user_stop.speech_timeout_user_turn_stop_strategy import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

RATE = 8000  # samples per second of the silence that stands for speech


class Voice(TTSService):
    """Keeps what would be spoken, sentence by sentence."""

    def __init__(self):
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            stop_frame_timeout_s=0.2,
            sample_rate=RATE,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self.sentences = []
        self.said = asyncio.Condition()

    async def run_tts(self, text, context_id):
        async with self.said:
            self.sentences.append(text)
            self.said.notify_all()
        yield TTSAudioRawFrame(bytes(RATE // 5), RATE, 1, context_id=context_id)

    async def heard(self, count):
        """Wait for the sentence of this number, counted from the start."""
        async with self.said:
            await self.said.wait_for(lambda: len(self.sentences) >= count)
        return self.sentences


class GatewayLLMService(OpenAILLMService):
    """As docs/voice.md has it: the SDK does not try again, because the gateway did."""

    def create_client(self, **options):
        return super().create_client(**options).with_options(max_retries=0)


class Bot:
    """One conversation; `between` are processors between the model and the voice."""

    def __init__(self, url, secret, *, tools=(), extra=None, model="voice", between=(), **options):
        self.context = LLMContext(tools=list(tools))
        settings = GatewayLLMService.Settings(model=model, system_instruction="You are brief.", extra=extra or {})
        self.llm = GatewayLLMService(api_key=secret, base_url=url, settings=settings, **options)
        self.voice = Voice()
        turns = UserTurnStrategies(
            start=[VADUserTurnStartStrategy()], stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.01)]
        )
        pair = LLMContextAggregatorPair(self.context, user_params=LLMUserAggregatorParams(user_turn_strategies=turns))
        self.turns = asyncio.Queue()
        self.errors = asyncio.Queue()
        pair.assistant().add_event_handler("on_assistant_turn_stopped", self._stopped)
        self.worker = PipelineWorker(
            Pipeline([pair.user(), self.llm, *between, self.voice, pair.assistant()]), cancel_on_idle_timeout=False
        )
        self.worker.set_reached_upstream_filter((ErrorFrame,))
        self.worker.add_event_handler("on_frame_reached_upstream", self._failed)
        self.started = asyncio.Event()
        self.worker.add_event_handler("on_pipeline_started", self._started)

    async def _started(self, worker, frame):
        self.started.set()

    async def _stopped(self, aggregator, message):
        self.turns.put_nowait(message)

    async def _failed(self, worker, frame):
        self.errors.put_nowait(frame.error)

    async def begin_speaking(self):
        """Have the caller open their mouth, as the voice detector would say."""
        await self.worker.queue_frame(VADUserStartedSpeakingFrame())

    async def interrupt(self):
        """Have the caller cut in."""
        await self.begin_speaking()

    async def finish_speaking(self, text):
        await self.worker.queue_frame(TranscriptionFrame(text, "caller", "2026-01-01T00:00:00Z", finalized=True))
        await self.worker.queue_frame(VADUserStoppedSpeakingFrame())

    async def say(self, text):
        await self.begin_speaking()
        await self.finish_speaking(text)

    async def turn(self):
        """Return what the framework took down of the assistant's next turn."""
        return await self.turns.get()


@contextlib.asynccontextmanager
async def talking(gateway, secret, **options):
    bot = Bot(gateway.url, secret, **options)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(bot.worker)
    running = asyncio.create_task(runner.run())
    try:
        await bot.started.wait()
        yield bot
    finally:
        await bot.worker.queue_frame(EndFrame())
        await running
        await bot.llm._client.close()
