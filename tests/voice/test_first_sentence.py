"""With which word of the provider's the first sentence can be spoken, with guardrails and without: counted, not timed.

The words go one by one through a real gateway into the frameworks' own aggregators. With each word, a second choice of
the answer says a line that no policy holds: it comes behind all that the word has set free, and only then is the next
word said. The table of docs/voice.md is what is found.
"""

import asyncio
import contextlib
import json
import re

import pytest
import uvloop
from livekit.agents import tokenize, tts
from livekit.agents.voice.agent_session import DEFAULT_TTS_TEXT_TRANSFORMS
from livekit.agents.voice.transcription.text_transforms import _apply_text_transforms
from pipecat.utils.text.simple_text_aggregator import SimpleTextAggregator

from gateway.running import PATIENCE, SECRET, check, running, until
from trunkline.simulator import Script, Simulator, Stall
from trunkline.simulator.tokens import split
from voice import livekit_agent, pipecat_bot
from voice.page import first_sentence_rows, made_by
from voice.stories import QUESTION

WORD = re.compile(r"\s*\S+")
HANDOVERS = 20  # turns of the loop, more than there are queues between a piece of text and the voice
SHORT = 20  # characters of a sentence with which LiveKit speaks the next one too
LINE = "x\n"  # ends as soon as it has come, whatever holds it
ANSWERS = [
    "All is well with the household. It really is so, believe me. Shall I go on? Just say so.",
    "Sixty percent of it are equities. Thirty percent are bonds, and the rest is cash. Shall I go on? Just say so.",
    "How can I help you with it today? I can look up accounts, fees and funds. Which of them is it? Just say so.",
    "The fee is 0.62 percent of the balance! Last year it was higher. Nothing else has changed. Just say so.",
    "Mr. Henderson called at nine in the morning. How do you want me to answer? He is at home. Just say so.",
    "Yes. The household is in order, as it was. Nothing has changed since May. Shall I go on? Just say so.",
    "No. That is not how it was agreed upon. Nothing has changed since May. Shall I go on? Just say so.",
    'The note of May says: "Steady as she goes." It really is so, believe me. Shall I go on? Just say so.',
    "Here is how it all stands as of today.\nSixty percent are equities. Thirty percent are bonds. Just say so.",
]
SILENCED = ANSWERS[:-1]  # where all words come at once, LiveKit's filter waits for more behind a line's end
POLICIES = {
    "patterns": "check: patterns, action: redact, rules: [{name: rival, words: [Acme]}]",
    "secrets": "check: secrets, action: redact",
    "pii": "check: pii, action: redact",
    "promissory": "check: promissory, action: block",
    "topics": "check: topics, action: block, deny: [{name: politics, examples: [Who do I vote for in the election?]}]",
    "language": "check: language, action: block, allow: [en]",
}  # fmt: skip
ROWS = first_sentence_rows()


# Aggregators: told a piece of text, they say whether there is now something to be spoken


def pipecat(kind=SimpleTextAggregator):
    aggregator = kind()

    async def take(text):
        return [spoken async for spoken in aggregator.aggregate(text) if spoken.text.strip()] != []

    return take


def livekit(**options):
    """What a session does to a text on its way to the speech service: its filters, then the service's tokenizer."""
    stream = tokenize.blingfire.SentenceTokenizer(**options).stream()
    pieces = asyncio.Queue()

    async def coming():
        while True:
            yield await pieces.get()

    async def forward():
        async for text in _apply_text_transforms(coming(), DEFAULT_TTS_TEXT_TRANSFORMS):
            stream.push_text(text)

    forwarding = asyncio.ensure_future(forward())
    speaking = asyncio.ensure_future(anext(stream))

    async def take(text):
        pieces.put_nowait(text)
        for _ in range(HANDOVERS):
            await asyncio.sleep(0)
        assert not forwarding.done()
        return speaking.done()

    return take


# Kinds of aggregator: with what the first sentence is compared, and with what it is counted. LiveKit's tokenizer has
# another setting for services that do not stream, which is all the same here.
PIPECAT, CLEARED, LIVEKIT, LIVEKIT_WHOLE = (
    (pipecat, pipecat),
    (pipecat, lambda: pipecat(made_by("ClearedSentences"))),
    (livekit, livekit),
    (lambda: livekit(retain_format=True), lambda: livekit(retain_format=True)),
)
KINDS = (PIPECAT, CLEARED, LIVEKIT, LIVEKIT_WHOLE)


# A provider that says a word when it is told to


class Speaker:
    """A provider with OpenAI's dialect, for one call at a time; a second choice says a line with each word."""

    def __init__(self):
        self._words = asyncio.Queue()

    def say(self, word):
        self._words.put_nowait(word)

    def _chunk(self, word):
        said = [{"index": index, "delta": {"content": text}} for index, text in enumerate((word, LINE))]
        data = b"data: %b\n\n" % json.dumps({"id": "c1", "model": "gpt-4o-mini", "choices": said}).encode()
        return b"%x\r\n%b\r\n" % (len(data), data)

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        while (word := await self._words.get()) is not None:
            writer.write(self._chunk(word))
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self):
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def first_spoken(gateway, speaker, answer, take) -> int:
    """Return the number of the word with which the first sentence can be spoken."""
    words = WORD.findall(answer)
    speaker.say(words[0])
    stream = await gateway.ask("only-first", stream=True, n=2)
    chunks = aiter(stream)
    for number, word in enumerate(words, 1):
        if number > 1:
            speaker.say(word)
        speaks = False
        async for chunk in chunks:
            (choice,) = chunk.choices
            if choice.index == 0 and choice.delta.content:
                speaks = await take(choice.delta.content) or speaks
            elif choice.delta.content:
                break
        if speaks:
            await stream.close()
            speaker.say(None)
            await until(lambda: gateway.worker._server.in_flight == 0)
            return number
    raise AssertionError(f"never spoken: {answer}")


def in_force(cell: str) -> dict[str, str]:
    """Return the options of a gateway whose route has the policies that a row of the table names."""
    names = re.findall(r"`(\w+)`", cell)
    if not names:
        return {}
    lines = [f"  {name}: {{{POLICIES[name]}, on: [output]}}" for name in names]
    hold = "\n    hold: clause" if "`hold: clause`" in cell else ""
    return {"more": "\n".join(["guardrails:", *lines]), "route": f"guardrails: [{', '.join(names)}]{hold}"}


def counted(directory, options: dict[str, str], kinds) -> list[list[int]]:
    """Return with which word each answer begins to be spoken, for each kind of aggregator."""

    async def main():
        speaker = Speaker()
        async with (
            asyncio.timeout(PATIENCE),
            Simulator() as simulator,
            speaker.listening() as url,
            running(simulator, directory, openai=url, **options) as gateway,
        ):
            found = [[await first_spoken(gateway, speaker, one, kind()) for one in ANSWERS] for kind in kinds]
            check(gateway)
            return found

    return uvloop.run(main())


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory):
    """With which word each answer is spoken where no guardrail is in force, for each kind."""
    return counted(tmp_path_factory.mktemp("unguarded"), {}, [without for without, _ in KINDS])


def first_sentence(answer: str) -> str:
    return re.match(r"(?:Mr\. )?.*?[.!?][\"”]?\s", answer)[0]


def test_without_a_guardrail_a_sentence_is_spoken_with_a_word_of_the_next(unguarded):
    """The first for pipecat, the second for LiveKit, which takes short ones together with what follows.

    "No." may be a number's for one word more, and a sentence in quotation marks part of another. Behind a line's end
    LiveKit waits for no second word where it keeps lines.
    """
    for answer, pipecat_at, _, *livekit_at in zip(ANSWERS, *unguarded, strict=True):
        first = first_sentence(answer)
        next_word = len(WORD.findall(first)) + 1
        assert pipecat_at == next_word + (first == "No. " or first.endswith('." '))
        if len(first) < SHORT:
            assert min(livekit_at) > next_word + 1
        else:
            assert livekit_at == [next_word + 1, next_word + (not first.endswith("\n"))]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_first_sentence_comes_as_much_later_as_the_page_says(tmp_path, unguarded, row):
    cell, *said, _ = row
    found = counted(tmp_path, in_force(cell), [guarded for _, guarded in KINDS])
    for words, before, after in zip([*said, said[-1]], unguarded, found, strict=True):
        later = [with_it - without for without, with_it in zip(before, after, strict=True)]
        if words.isdecimal():
            assert max(later) == int(words), later
        else:
            assert max(later) > 1, later  # a setting is needed
            assert words == ("a sentence or clause" if "hold" in cell else "a sentence")


# The frameworks themselves: the provider falls silent with the word that is to be enough

PATIENT = "timeouts: {first_token: 60s, gap: 60s, total: 60s}"  # longer than a test waits: silence sets nothing free


def falling_silent(answer: str, words: int) -> Script:
    """Return what a provider does that says so many words, and then nothing."""
    return Script(text=answer, fault=Stall(after_tokens=len(split("".join(WORD.findall(answer)[:words])))))


def first_heard(directory, talk, options: dict[str, str], enough: list[int]) -> list[str]:
    """Hold a conversation for each answer, which stops with the word of this number; return what is spoken first."""
    options = options | {"route": f"{options.get('route', '')}\n    {PATIENT}"}

    async def main():
        async with Simulator() as simulator, running(simulator, directory, **options) as gateway:
            found = []
            for answer, words in zip(SILENCED, enough, strict=False):
                simulator.openai.play(falling_silent(answer, words))
                async with asyncio.timeout(PATIENCE), talk(gateway) as bot:
                    await bot.say(QUESTION)
                    (spoken,) = await bot.voice.heard(1)
                    await bot.interrupt()
                    await until(lambda: gateway.worker._server.in_flight == 0)
                found.append(spoken)
            check(gateway)
            return found

    return uvloop.run(main())


def assert_first_sentences(spoken: list[str]) -> None:
    """Short sentences are spoken alone, or together with the next one."""
    for answer, said in zip(SILENCED, spoken, strict=True):
        first = first_sentence(answer).strip()
        assert said.strip() == first or (len(first) < SHORT and said.startswith(first))


EVERY_ROW = pytest.mark.parametrize("row", [[""] + ["0"] * 4, *ROWS], ids=["none", *[row[0] for row in ROWS]])


@EVERY_ROW
def test_pipecat_speaks_the_first_sentence_with_no_later_word_than_the_page_says(tmp_path, unguarded, row):
    cell, _, words, *_ = row

    def talk(gateway):
        between = [made_by("sentences")] if cell else []
        return pipecat_bot.talking(gateway, SECRET, model="only-first", between=between)

    enough = [number + int(words) for number in unguarded[0]]
    assert_first_sentences(first_heard(tmp_path, talk, in_force(cell), enough))


@EVERY_ROW
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streams"])
def test_livekit_speaks_the_first_sentence_with_no_later_word_than_the_page_says(tmp_path, unguarded, row, streams):
    cell, *_, words = row

    def talk(gateway):
        chosen = {"agent": made_by("Advisor")} if cell else {}
        if streams:
            chosen["adapt"] = lambda engine: tts.StreamAdapter(tts=engine, sentence_tokenizer=livekit_agent.WAITING)
        return livekit_agent.talking(gateway, SECRET, model="only-first", **chosen)

    enough = [number + int(words) for number in unguarded[2]]
    assert_first_sentences(first_heard(tmp_path, talk, in_force(cell), enough))
