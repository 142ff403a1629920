"""The official OpenAI SDK for Python."""

import asyncio
import json

import openai
import pytest
from conftest import GATEWAY, KEY

MODEL = "gpt-4o-mini"
CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Where is my order 83-2211?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_order",
            "parameters": {"type": "object", "properties": {"number": {"type": "string"}}},
        },
    }
]


@pytest.fixture
def client(headers, calls):
    http = openai.DefaultHttpxClient(event_hooks={"response": [calls.note]})
    with openai.OpenAI(
        base_url=f"{GATEWAY}/v1", api_key=KEY, default_headers=headers, max_retries=0, http_client=http
    ) as client:
        yield client


@pytest.fixture
def run(headers, calls):
    """Runs calls of the asynchronous client."""

    async def inside(call):
        http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [calls.note_async]})
        async with openai.AsyncOpenAI(
            base_url=f"{GATEWAY}/v1", api_key=KEY, default_headers=headers, max_retries=0, http_client=http
        ) as client:
            return await call(client)

    return lambda call: asyncio.run(inside(call))


def tokens(usage):
    return usage.prompt_tokens, usage.completion_tokens


def test_chat(client, complete):
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert "order" in answer.choices[0].message.content
    decision = complete(model=MODEL, finish="stop", tokens=tokens(answer.usage), path=CHAT)
    assert decision["streamed"] is False
    assert "83-2211" in decision["prompt_preview"]
    assert "warehouse" in decision["response_preview"]


def test_chat_raw_response(client, audit):
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    assert raw.headers["x-request-id"]
    assert raw.headers["x-trace-id"]
    assert raw.headers["x-upstream-request-id"] == "req_mock"
    decision = audit.decision(raw.headers["x-audit-id"])
    assert decision["request_id"] == raw.headers["x-request-id"]
    assert decision["total_tokens"] == raw.parse().usage.total_tokens


def test_chat_stream_without_usage(client, complete):
    """The SDK sees no chunk that it did not ask for; the record has the tokens all the same."""
    chunks = list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)
    plain = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == plain.choices[0].message.content
    list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))
    decision = complete(model=MODEL, finish="stop", tokens=tokens(plain.usage), path=CHAT)
    assert decision["streamed"] is True


def test_chat_stream_with_usage(client, complete):
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    complete(model=MODEL, finish="stop", tokens=tokens(chunks[-1].usage), path=CHAT)


def test_chat_stream_helper_with_tools(client, complete):
    with client.chat.completions.stream(
        model=MODEL, messages=MESSAGES, tools=TOOLS, stream_options={"include_usage": True}
    ) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_completion()
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "find_order"
    assert json.loads(call.function.arguments) == {"number": "sample number"}
    decision = complete(model=MODEL, finish="tool_calls", tokens=tokens(answer.usage), path=CHAT)
    assert "find_order" in decision["response_preview"]


def test_chat_tools_round(client, complete):
    asked = client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=TOOLS)
    complete(model=MODEL, finish="tool_calls", tokens=tokens(asked.usage), path=CHAT)
    message = asked.choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "shipped"}
    history = [*MESSAGES, message.model_dump(exclude_none=True), result]
    told = client.chat.completions.create(model=MODEL, messages=history, tools=TOOLS)
    assert told.choices[0].message.content
    complete(model=MODEL, finish="stop", tokens=tokens(told.usage), path=CHAT)


def test_chat_cut_by_its_limit(client, complete):
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=4)
    complete(model=MODEL, finish="length", tokens=tokens(answer.usage), path=CHAT)


def test_chat_async(run, complete):
    answer = run(lambda c: c.chat.completions.create(model=MODEL, messages=MESSAGES))
    complete(model=MODEL, finish="stop", tokens=tokens(answer.usage), path=CHAT)


def test_chat_stream_async(run, complete):
    async def call(client):
        stream = await client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        return [chunk async for chunk in stream]

    chunks = run(call)
    complete(model=MODEL, finish="stop", tokens=tokens(chunks[-1].usage), path=CHAT)


def test_many_at_once(run, audit, user):
    async def call(client):
        calls = [
            client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
            for _ in range(20)
        ]
        return await asyncio.gather(*calls)

    ids = {raw.headers["x-audit-id"] for raw in run(call)}
    assert len(ids) == 20
    for audit_id in ids:
        decision = audit.decision(audit_id)
        assert (decision["user_id"], decision["ending"]) == (user, "complete")


def test_responses(client, complete):
    answer = client.responses.create(model=MODEL, input="Where is my order?", instructions="Be kind.")
    assert "order" in answer.output_text
    usage = (answer.usage.input_tokens, answer.usage.output_tokens)
    complete(model=MODEL, finish="completed", tokens=usage, path="/v1/responses")


def test_responses_stream(client, complete):
    events = list(client.responses.create(model=MODEL, input="Where is my order?", stream=True))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    usage = events[-1].response.usage
    path = "/v1/responses"
    complete(
        model=MODEL, finish="completed", tokens=(usage.input_tokens, usage.output_tokens), path=path
    )


def test_responses_stream_async(run, complete):
    async def call(client):
        async with client.responses.stream(model=MODEL, input="Where is my order?") as stream:
            async for _ in stream:
                pass
            return await stream.get_final_response()

    usage = run(call).usage
    path = "/v1/responses"
    complete(
        model=MODEL, finish="completed", tokens=(usage.input_tokens, usage.output_tokens), path=path
    )


def test_embeddings(client, last):
    answer = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert len(answer.data) == 2
    assert len(answer.data[0].embedding) == 1536
    decision = last()
    assert decision["model"] == "text-embedding-3-small"
    assert decision["input_tokens"] == answer.usage.prompt_tokens
    assert decision["ending"] == "complete"


def test_completions(client, complete):
    answer = client.completions.create(model=MODEL, prompt="Where is my order?")
    complete(model=MODEL, finish="stop", tokens=tokens(answer.usage), path="/v1/completions")


def test_models(client, last):
    assert "gpt-4o" in {model.id for model in client.models.list()}
    assert last()["status_code"] == 200


def test_provider_error_passes_through(client, audit, user):
    with pytest.raises(openai.RateLimitError) as error:
        client.chat.completions.create(
            model=MODEL, messages=MESSAGES, extra_headers={"x-mock-behaviour": "status=429"}
        )
    assert error.value.type == "rate_limit_error"
    decision = audit.decision(error.value.response.headers["x-audit-id"])
    assert (decision["status_code"], decision["user_id"]) == (429, user)


def test_wrong_key(client, audit):
    with pytest.raises(openai.AuthenticationError) as error:
        client.with_options(api_key="al_gw_wrong").chat.completions.create(
            model=MODEL, messages=MESSAGES
        )
    assert error.value.code == "invalid_api_key"
    assert audit.decision(error.value.response.headers["x-audit-id"])["status_code"] == 401


def test_missing_header(client, audit):
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(
            model=MODEL, messages=MESSAGES, extra_headers={"x-llm-user": "{{user}}"}
        )
    assert error.value.code == "missing_header"
    assert "x-llm-user" in str(error.value)
    assert audit.decision(error.value.response.headers["x-audit-id"])["status_code"] == 400
