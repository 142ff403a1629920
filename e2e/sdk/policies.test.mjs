// What the starter bundle does to calls of the official SDKs: refused, redacted, held.

import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { GATEWAY, KEY, approve, fetchOf, headersOf, latestOf, reviewsOf } from "./audit.mjs";

const MAIL = "Draft a reply to erika.muster@mail.example.com.";
const SECRET = 'Why is AKIAIOSFODNN7EXAMPLE with password = "wq8-Zr5u-Lm2x-93Kd" refused?';
const BULK = Array.from({ length: 25 }, (_, n) => `customer${n}@mail.example.com`).join(", ");
const asks = (content) => [{ role: "user", content }];

// As applications make them: the SDKs retry as they do by default.
const sdks = {
  openai: {
    module: OpenAI,
    asker(user) {
      const client = new OpenAI({
        baseURL: `${GATEWAY}/v1`,
        apiKey: KEY,
        defaultHeaders: headersOf(user),
        fetch: fetchOf(user),
      });
      return async (text, stream) => {
        const asked = { model: "gpt-4o-mini", messages: asks(text) };
        if (!stream) return (await client.chat.completions.create(asked)).choices[0].message.content;
        return (await client.chat.completions.stream(asked).finalChatCompletion()).choices[0].message.content;
      };
    },
  },
  anthropic: {
    module: Anthropic,
    asker(user) {
      const client = new Anthropic({
        baseURL: GATEWAY,
        apiKey: KEY,
        defaultHeaders: headersOf(user),
        fetch: fetchOf(user),
      });
      return async (text, stream) => {
        const asked = { model: "claude-opus-5", max_tokens: 512, messages: asks(text) };
        if (!stream) return (await client.messages.create(asked)).content[0].text;
        return (await client.messages.stream(asked).finalMessage()).content[0].text;
      };
    },
  },
};

for (const [name, { module, asker }] of Object.entries(sdks)) {
  for (const stream of [false, true]) {
    const kind = `${name}${stream ? ", streamed" : ""}`;
    const user = (what) => `ts-${name}-${what}-${stream}`;

    test(`${kind}: a secret is refused`, async () => {
      const refused = await asker(user("secret"))(SECRET, stream).catch((error) => error);
      assert(refused instanceof module.PermissionDeniedError, `${refused}`);
      const decision = await latestOf(user("secret"));
      assert.deepEqual([decision.outcome, decision.violations], ["BLOCK", ["secrets"]]);
    });

    test(`${kind}: personal data is taken out before the provider`, async () => {
      assert(await asker(user("mail"))(MAIL, stream));
      const decision = await latestOf(user("mail"));
      assert.equal(decision.outcome, "REDACT");
      assert.equal(decision.request.upstream.length, 1);
      assert(decision.request.upstream[0].data.includes("Draft a reply to <EMAIL_1>."));
    });

    test(`${kind}: a held call is one review whatever the SDK does, and gets its answer`, async () => {
      const ask = asker(user("bulk"));
      const pending = await ask(BULK, stream).catch((error) => error);
      assert(pending instanceof module.ConflictError, `${pending}`);
      const [review, ...more] = await reviewsOf(user("bulk"));
      assert.deepEqual(more, []);
      await assert.rejects(ask(BULK, stream), module.ConflictError);
      assert.equal((await reviewsOf(user("bulk"))).length, 1);
      await approve(review.id);
      assert(await ask(BULK, stream));
      const decision = await latestOf(user("bulk"));
      assert.deepEqual([decision.id, decision.review_status], [review.decision_id, "approved"]);
    });
  }
}
