// The official OpenAI SDK for TypeScript.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { GATEWAY, KEY, complete, decisionOf, fetchOf, headersOf, latestOf } from "./audit.mjs";

const MODEL = "gpt-4o-mini";
const CHAT = "/v1/chat/completions";
const messages = [{ role: "user", content: "Where is my order 83-2211?" }];
const tools = [
  {
    type: "function",
    function: {
      name: "find_order",
      parameters: { type: "object", properties: { number: { type: "string" } } },
    },
  },
];

const clientOf = (user, options = {}) =>
  new OpenAI({
    baseURL: `${GATEWAY}/v1`,
    apiKey: KEY,
    defaultHeaders: headersOf(user),
    fetch: fetchOf(user),
    maxRetries: 0,
    ...options,
  });
const tokensOf = (usage) => [usage.prompt_tokens, usage.completion_tokens];

test("openai: chat", async () => {
  const user = "ts-openai-chat";
  const { data, response } = await clientOf(user)
    .chat.completions.create({ model: MODEL, messages })
    .withResponse();
  const expected = { model: MODEL, finish: "stop", tokens: tokensOf(data.usage), path: CHAT };
  const decision = await complete(user, expected);
  assert.equal(decision.id, response.headers.get("x-audit-id"));
});

test("openai: chat, streamed", async () => {
  const user = "ts-openai-stream";
  const stream = await clientOf(user).chat.completions.create({
    model: MODEL,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const tokens = tokensOf(chunks.at(-1).usage);
  const decision = await complete(user, { model: MODEL, finish: "stop", tokens, path: CHAT });
  assert.equal(decision.streamed, true);
});

test("openai: chat, streamed without usage", async () => {
  const user = "ts-openai-stream-plain";
  const stream = await clientOf(user).chat.completions.create({ model: MODEL, messages, stream: true });
  for await (const chunk of stream) assert.equal(chunk.choices.length, 1);
  assert((await latestOf(user)).output_tokens > 0, "usage is recorded though the client asked for none");
});

test("openai: tools, streamed by the helper", async () => {
  const user = "ts-openai-tools";
  const stream = clientOf(user).chat.completions.stream({
    model: MODEL,
    messages,
    tools,
    stream_options: { include_usage: true },
  });
  const answer = await stream.finalChatCompletion();
  assert.equal(answer.choices[0].message.tool_calls[0].function.name, "find_order");
  const tokens = tokensOf(answer.usage);
  await complete(user, { model: MODEL, finish: "tool_calls", tokens, path: CHAT });
});

test("openai: responses, plain and streamed", async () => {
  const user = "ts-openai-responses";
  const client = clientOf(user);
  const path = "/v1/responses";
  const of = ({ usage }) => ({
    model: MODEL,
    finish: "completed",
    tokens: [usage.input_tokens, usage.output_tokens],
    path,
  });
  const answer = await client.responses.create({ model: MODEL, input: "Where is my order?" });
  await complete(user, of(answer));
  let last;
  const input = "Where is my order?";
  for await (const event of await client.responses.create({ model: MODEL, input, stream: true })) last = event;
  assert.equal(last.type, "response.completed");
  assert.equal((await complete(user, of(last.response))).streamed, true);
});

test("openai: embeddings", async () => {
  const user = "ts-openai-embeddings";
  const model = "text-embedding-3-small";
  const answer = await clientOf(user).embeddings.create({ model, input: "one" });
  assert.equal(answer.data[0].embedding.length, 1536);
  assert.equal((await latestOf(user)).input_tokens, answer.usage.prompt_tokens);
});

test("openai: errors", async () => {
  const user = "ts-openai-errors";
  const ask = { model: MODEL, messages };
  const failing = clientOf(user).chat.completions.create(ask, {
    headers: { "x-mock-behaviour": "status=500" },
  });
  await assert.rejects(failing, OpenAI.InternalServerError);
  assert.equal((await latestOf(user)).status_code, 500);
  const refused = await clientOf(user, { apiKey: "al_gw_wrong" })
    .chat.completions.create(ask)
    .catch((error) => error);
  assert(refused instanceof OpenAI.AuthenticationError);
  assert.equal(refused.code, "invalid_api_key");
  assert.equal((await decisionOf(refused.headers.get("x-audit-id"))).status_code, 401);
});
