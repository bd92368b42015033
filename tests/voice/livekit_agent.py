"""A livekit agent session with its real LLM plugin and sentence tokenizer, but without sound or a room.

In place of a speech engine is `Engine`, which keeps each sentence that it is given; a caller talks by text.
"""

import asyncio
import contextlib

from livekit import rtc
from livekit.agents import Agent, AgentSession, tokenize, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities
from livekit.plugins.openai import LLM

RATE = 8000  # samples per second of the silence that stands for speech
WAITING = tokenize.blingfire.SentenceTokenizer()  # as services that stream have it: it waits for the next sentence


class Engine(tts.TTS):
    """Keeps what would be spoken, sentence by sentence."""

    def __init__(self):
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE, num_channels=1)
        self.sentences = []
        self.said = asyncio.Condition()

    async def heard(self, count):
        """Wait for the sentence of this number, counted from the start."""
        async with self.said:
            await self.said.wait_for(lambda: len(self.sentences) >= count)
        return self.sentences

    def synthesize(self, text, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return Silence(tts=self, input_text=text, conn_options=conn_options)


class Silence(tts.ChunkedStream):
    async def _run(self, output_emitter):
        output_emitter.initialize(request_id="silence", sample_rate=RATE, num_channels=1, mime_type="audio/pcm")
        output_emitter.push(bytes(RATE // 5))
        output_emitter.flush()
        async with self._tts.said:
            self._tts.sentences.append(self.input_text)
            self._tts.said.notify_all()


class Ear(AudioOutput):
    """Hears at once all that it is given."""

    def __init__(self):
        super().__init__(label="ear", capabilities=AudioOutputCapabilities(pause=False), sample_rate=RATE)
        self.hears = asyncio.Event()
        self._heard = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame):
        await super().capture_frame(frame)
        if not self._heard:
            self.on_playback_started(created_at=0.0)
        self._heard += frame.duration
        self.hears.set()

    def flush(self):
        super().flush()
        self._finish(interrupted=False)

    def clear_buffer(self):
        self._finish(interrupted=True)

    def _finish(self, *, interrupted):
        if self._heard:
            self.on_playback_finished(playback_position=self._heard, interrupted=interrupted)
            self._heard = 0.0


class Bot:
    """One conversation."""

    def __init__(self, session, engine, ear):
        self.session, self.voice, self.ear = session, engine, ear
        self.errors = []
        session.on("error", lambda event: self.errors.append(event.error))

    async def interrupt(self):
        """Have the caller cut in; the framework forgets what was not spoken yet."""
        await self.session.interrupt()

    async def say(self, text):
        """Talk as the caller."""
        return self.session.generate_reply(user_input=text)

    async def turn(self, text):
        """Talk as the caller, and wait until the agent has said all of its answer."""
        await (await self.say(text)).wait_for_playout()


@contextlib.asynccontextmanager
async def talking(gateway, secret, *, tools=(), model="voice", agent=Agent, adapt=lambda engine: engine, **options):
    """Hold a conversation; `adapt` makes of the engine what the session gets, `agent` is the kind of agent."""
    llm = LLM(model=model, base_url=gateway.url, api_key=secret, **options)
    engine = Engine()
    # The gateway has tried again already; what it says is to be heard at once.
    connecting = SessionConnectOptions(llm_conn_options=APIConnectOptions(max_retry=0, timeout=20.0))
    session = AgentSession(llm=llm, tts=adapt(engine), conn_options=connecting)
    session.output.audio = ear = Ear()
    bot = Bot(session, engine, ear)
    await session.start(agent(instructions="You are brief.", tools=list(tools)), record=False)
    try:
        yield bot
    finally:
        await session.aclose()
        await llm.aclose()
