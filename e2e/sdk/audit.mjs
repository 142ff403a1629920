// What the tests of the TypeScript SDKs share: headers, and the decision that a call has become.

import assert from "node:assert/strict";

const { E2E_API, E2E_GATEWAY, E2E_KEY, AUDIT_LAYER_ADMIN_PASSWORD } = process.env;
assert(E2E_API && E2E_GATEWAY && E2E_KEY, "run by e2e/run.sh");

export const GATEWAY = E2E_GATEWAY;
export const KEY = E2E_KEY;

export const headersOf = (user) => ({
  "x-llm-source": "e2e",
  "x-llm-user": user,
  "x-llm-request-type": "test",
});

const signIn = await fetch(`${E2E_API}/api/v1/auth/login`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ username: "admin", password: AUDIT_LAYER_ADMIN_PASSWORD }),
});
assert.equal(signIn.status, 200, "admin may sign in");
const { access_token: token } = await signIn.json();

const get = async (path) => {
  const answer = await fetch(E2E_API + path, { headers: { authorization: `Bearer ${token}` } });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${path}: ${text}`);
  return JSON.parse(text);
};

export const decisionOf = (auditId) => {
  assert(auditId, "the answer carries x-audit-id");
  return get(`/api/v1/audit/logs/${auditId}`);
};

/** The user's reviews that wait for a person. */
export const reviewsOf = async (user) => {
  const { items } = await get("/api/v1/reviews?state=pending&limit=500");
  return items.filter((review) => review.user_id === user);
};

/** Lets a call through, as a person would. */
export const approve = async (reviewId) => {
  const answer = await fetch(`${E2E_API}/api/v1/reviews/${reviewId}/approve`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ rationale: "looked at" }),
  });
  assert.equal(answer.status, 200, await answer.text());
};

const lastIds = new Map();

/** A fetch for a user's client that notes the decision of each call. */
export const fetchOf = (user) => async (url, options) => {
  const answer = await fetch(url, options);
  lastIds.set(user, answer.headers.get("x-audit-id"));
  return answer;
};

/** The decision that the user's last call became. */
export const latestOf = (user) => decisionOf(lastIds.get(user));

/** Checks that the user's last call became a complete decision, and returns it. */
export const complete = async (user, { model, finish, tokens, path }) => {
  const decision = await latestOf(user);
  assert.equal(decision.user_id, user);
  assert.equal(decision.source, "e2e");
  assert.equal(decision.path, path);
  assert.equal(decision.model_requested, model);
  assert.equal(decision.model, model);
  assert.equal(decision.status_code, 200);
  assert.equal(decision.ending, "complete");
  assert.equal(decision.finish_reason, finish);
  assert.deepEqual([decision.input_tokens, decision.output_tokens], tokens);
  const types = decision.events.map((event) => event.event_type);
  assert.equal(types[0], "request_received");
  assert.equal(types.at(-1), "request_completed");
  // The starter bundle has judged it, both ways, and changed nothing.
  assert.equal(types.filter((type) => type === "policy_evaluation_complete").length, 2);
  assert.equal(decision.outcome, "ALLOW");
  return decision;
};
