'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Hubsim, until } = require('./hubsim.js');
const { answering, device, persist, roundTrip } = require('./sdk.js');

let sim;
before(async () => { sim = await Hubsim.start(['contoso.azure-devices.net', 'localhost']); });
after(() => sim.stop());

test('a method is called with its payload, and answers (H40, H41)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('obeying'));
  const calls = answering(client, 'Power1', 200, { POWER1: 'ON' });
  for (const payload of ['toggle', 42, true, null, [1, 'two', { three: 3 }], { 'Küche': { on: false } }]) {
    const answer = await sim.invoke('obeying', { methodName: 'Power1', payload });
    assert.deepEqual(answer, { status: 200, payload: { POWER1: 'ON' } });
    assert.deepEqual(calls.at(-1), { methodName: 'Power1', payload });
  }
  assert.equal(calls.length, 6);
});

test('whatever a method answers reaches its caller (H41)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('answering'));
  for (const [status, payload] of [[200, null], [202, 'later'], [404, { why: 'ü' }], [503, []], [-1, 1.5]]) {
    const name = `m${status}`;
    answering(client, name, status, payload);
    assert.deepEqual(await sim.invoke('answering', { methodName: name }), { status, payload });
  }
});

test('a command of a component has its name (C01)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('component'));
  const calls = answering(client, 'relay1*toggle', 200, {});
  await sim.invoke('component', { methodName: 'relay1*toggle' });
  assert.equal(calls[0].methodName, 'relay1*toggle');
});

// A slip of the packages: they do not call a method whose body is empty.
test('an empty body is one (H41)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('strict'));
  const calls = answering(client, 'm', 200, {});
  const answer = await sim.invoke('strict', { methodName: 'm', payload: undefined });
  assert.equal(answer.status, 400);
  assert.deepEqual(calls, []);
});

test('calls in flight are told apart (H40)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('busy'));
  const waiting = [];
  client.onDeviceMethod('slow', (request, response) => { waiting.push({ request, response }); });
  const answers = [1, 2, 3].map((payload) => sim.invoke('busy', { methodName: 'slow', payload }));
  await until('three calls', () => waiting.length === 3);
  for (const { request, response } of waiting.reverse()) await response.send(200, `of ${request.payload}`);
  assert.deepEqual((await Promise.all(answers)).map(({ payload }) => payload), ['of 1', 'of 2', 'of 3']);
});

test('a device that is not there cannot be called (H40, H42)', async (t) => {
  const connectionString = await sim.createDevice('absent');
  const call = (more) => sim.invoke('absent', { methodName: 'm', connectTimeout: undefined, ...more });
  await assert.rejects(call(), { status: 404, message: /404103/ });
  const client = await device(t, sim, connectionString);
  await roundTrip(client);
  await assert.rejects(call(), { status: 404 }); // connected, and not subscribed
  await client.close();

  const patient = call({ connectTimeout: '10s' });
  const again = await device(t, sim, connectionString);
  const calls = answering(again, 'm', 200, {});
  assert.equal((await patient).status, 200);
  assert.equal(calls.length, 1); // and none of the two before
});

test('a call without an answer ends (H40)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('silent'));
  client.onDeviceMethod('known', () => {});
  const call = (methodName) => sim.invoke('silent', { methodName, responseTimeout: '5s' });
  await Promise.all(['known', 'unknown'].map((name) => assert.rejects(call(name), { status: 504, message: /504101/ })));
});

test('methods work again after the connection was lost', async (t) => {
  const client = await device(t, sim, await sim.createDevice('returning'));
  persist(client);
  const calls = answering(client, 'm', 200, {});
  await sim.invoke('returning', { methodName: 'm' });
  await sim.kick('returning');
  assert.equal((await sim.invoke('returning', { methodName: 'm' })).status, 200);
  assert.equal(calls.length, 2);
});
