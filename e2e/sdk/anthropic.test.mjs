// The official Anthropic SDK for TypeScript.

import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { GATEWAY, KEY, complete, decisionOf, fetchOf, headersOf, latestOf } from "./audit.mjs";

const MODEL = "claude-opus-5";
const PATH = "/v1/messages";
const ask = {
  model: MODEL,
  max_tokens: 256,
  messages: [{ role: "user", content: "Summarise this complaint: charged twice." }],
};
const tools = [
  {
    name: "find_booking",
    input_schema: { type: "object", properties: { amount: { type: "number" } } },
  },
];

const clientOf = (user, options = {}) =>
  new Anthropic({
    baseURL: GATEWAY,
    apiKey: KEY,
    defaultHeaders: headersOf(user),
    fetch: fetchOf(user),
    maxRetries: 0,
    ...options,
  });
const expected = (answer, finish) => ({
  model: MODEL,
  finish,
  tokens: [answer.usage.input_tokens, answer.usage.output_tokens],
  path: PATH,
});

test("anthropic: messages", async () => {
  const user = "ts-anthropic-messages";
  const { data, response } = await clientOf(user).messages.create(ask).withResponse();
  const decision = await complete(user, expected(data, "end_turn"));
  assert.equal(decision.id, response.headers.get("x-audit-id"));
});

test("anthropic: messages, streamed", async () => {
  const user = "ts-anthropic-stream";
  const types = [];
  for await (const event of await clientOf(user).messages.create({ ...ask, stream: true })) types.push(event.type);
  assert.equal(types.at(-1), "message_stop");
  const answer = await clientOf(user).messages.stream(ask).finalMessage();
  assert.equal((await complete(user, expected(answer, "end_turn"))).streamed, true);
});

test("anthropic: tools", async () => {
  const user = "ts-anthropic-tools";
  const answer = await clientOf(user).messages.create({ ...ask, tools });
  assert.equal(answer.content[0].name, "find_booking");
  await complete(user, expected(answer, "tool_use"));
  const streamed = await clientOf(user).messages.stream({ ...ask, tools }).finalMessage();
  assert.deepEqual(streamed.content[0].input, { amount: 1 });
  await complete(user, expected(streamed, "tool_use"));
});

test("anthropic: errors", async () => {
  const user = "ts-anthropic-errors";
  const failing = clientOf(user).messages.create(ask, { headers: { "x-mock-behaviour": "status=529" } });
  await assert.rejects(failing, Anthropic.APIError);
  assert.equal((await latestOf(user)).status_code, 529);
  const refused = await clientOf(user, { apiKey: "al_gw_wrong" })
    .messages.create(ask)
    .catch((error) => error);
  assert(refused instanceof Anthropic.AuthenticationError);
  assert.equal((await decisionOf(refused.headers.get("x-audit-id"))).status_code, 401);
});
