"""The official Anthropic SDK for Python."""

import asyncio

import anthropic
import pytest
from conftest import GATEWAY, KEY

MODEL = "claude-opus-5"
PATH = "/v1/messages"
ASK = {
    "model": MODEL,
    "max_tokens": 256,
    "messages": [{"role": "user", "content": "Summarise this complaint: charged twice."}],
}
TOOL = {
    "name": "find_booking",
    "input_schema": {"type": "object", "properties": {"amount": {"type": "number"}}},
}


@pytest.fixture
def client(headers, calls):
    http = anthropic.DefaultHttpxClient(event_hooks={"response": [calls.note]})
    with anthropic.Anthropic(
        base_url=GATEWAY, api_key=KEY, default_headers=headers, max_retries=0, http_client=http
    ) as client:
        yield client


@pytest.fixture
def run(headers, calls):
    """Runs calls of the asynchronous client."""

    async def inside(call):
        http = anthropic.DefaultAsyncHttpxClient(event_hooks={"response": [calls.note_async]})
        async with anthropic.AsyncAnthropic(
            base_url=GATEWAY, api_key=KEY, default_headers=headers, max_retries=0, http_client=http
        ) as client:
            return await call(client)

    return lambda call: asyncio.run(inside(call))


def tokens(usage):
    return usage.input_tokens, usage.output_tokens


def test_messages(client, complete):
    answer = client.messages.create(**ASK)
    assert "customer" in answer.content[0].text
    decision = complete(model=MODEL, finish="end_turn", tokens=tokens(answer.usage), path=PATH)
    assert "charged twice" in decision["prompt_preview"]


def test_messages_raw_response(client, audit):
    raw = client.messages.with_raw_response.create(**ASK)
    decision = audit.decision(raw.headers["x-audit-id"])
    assert decision["request_id"] == raw.headers["x-request-id"]
    assert decision["output_tokens"] == raw.parse().usage.output_tokens


def test_messages_stream(client, complete):
    events = list(client.messages.create(**ASK, stream=True))
    assert events[0].type == "message_start"
    assert events[-1].type == "message_stop"
    read = events[0].message.usage.input_tokens
    written = next(e for e in events if e.type == "message_delta").usage.output_tokens
    decision = complete(model=MODEL, finish="end_turn", tokens=(read, written), path=PATH)
    assert decision["streamed"] is True


def test_messages_stream_helper(client, complete):
    with client.messages.stream(**ASK) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    assert text == answer.content[0].text
    complete(model=MODEL, finish="end_turn", tokens=tokens(answer.usage), path=PATH)


def test_messages_stream_async(run, complete):
    async def call(client):
        async with client.messages.stream(**ASK) as stream:
            return await stream.get_final_message()

    answer = run(call)
    complete(model=MODEL, finish="end_turn", tokens=tokens(answer.usage), path=PATH)


def test_messages_async(run, complete):
    answer = run(lambda client: client.messages.create(**ASK))
    complete(model=MODEL, finish="end_turn", tokens=tokens(answer.usage), path=PATH)


def test_tools_round(client, complete):
    asked = client.messages.create(**ASK, tools=[TOOL])
    use = asked.content[0]
    assert (use.type, use.name, use.input) == ("tool_use", "find_booking", {"amount": 1})
    complete(model=MODEL, finish="tool_use", tokens=tokens(asked.usage), path=PATH)
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "found"}
    history = [
        *ASK["messages"],
        {"role": "assistant", "content": [use.model_dump()]},
        {"role": "user", "content": [result]},
    ]
    told = client.messages.create(**ASK | {"messages": history}, tools=[TOOL])
    complete(model=MODEL, finish="end_turn", tokens=tokens(told.usage), path=PATH)


def test_tools_stream(client, complete):
    with client.messages.stream(**ASK, tools=[TOOL]) as stream:
        answer = stream.get_final_message()
    assert answer.content[0].input == {"amount": 1}
    decision = complete(model=MODEL, finish="tool_use", tokens=tokens(answer.usage), path=PATH)
    assert "find_booking" in decision["response_preview"]


def test_count_tokens(client, last):
    counted = client.messages.count_tokens(model=MODEL, messages=ASK["messages"])
    assert counted.input_tokens > 0
    decision = last()
    assert (decision["path"], decision["status_code"]) == ("/v1/messages/count_tokens", 200)


def test_provider_error_passes_through(client, audit, user):
    with pytest.raises(anthropic.APIStatusError) as error:
        client.messages.create(**ASK, extra_headers={"x-mock-behaviour": "status=529"})
    assert error.value.status_code == 529
    decision = audit.decision(error.value.response.headers["x-audit-id"])
    assert (decision["status_code"], decision["user_id"]) == (529, user)


def test_wrong_key(client, audit):
    with pytest.raises(anthropic.AuthenticationError) as error:
        client.with_options(api_key="al_gw_wrong").messages.create(**ASK)
    assert error.value.body["type"] == "error"
    assert audit.decision(error.value.response.headers["x-audit-id"])["status_code"] == 401
