'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Hubsim, until } = require('./hubsim.js');
const { device, never, Message } = require('./sdk.js');

let sim;
before(async () => { sim = await Hubsim.start(['contoso.azure-devices.net', 'localhost']); });
after(() => sim.stop());

test('a message arrives with its properties decoded (H30, H31, H32)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('telling'));
  const message = new Message('{"POWER1":"ON"}');
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  message.messageId = 'm-1';
  message.correlationId = 'c/1';
  message.userId = 'u 1';
  const application = {
    topic: 'pump/RESULT',
    'a b': 'c d',
    plus: '1+1=2',
    escaped: '%2F%26%3D%25',
    reserved: "/?#[]@!$&'()*+,;=:",
    unicode: 'Grüße 漢字 🙂',
    empty: '',
  };
  for (const [name, value] of Object.entries(application)) message.properties.add(name, value);
  message.properties.add('dt-subject', 'relay1');
  const before = Date.now();
  await client.sendEvent(message);

  const [event, ...more] = await sim.events('telling');
  assert.deepEqual(more, []);
  assert.equal(event.body, '{"POWER1":"ON"}');
  assert.equal(event.hub, 'contoso.azure-devices.net');
  assert.deepEqual(event.properties, application);
  const {
    'iothub-connection-auth-generation-id': generation,
    'iothub-connection-auth-method': method,
    'iothub-enqueuedtime': enqueued,
    ...system
  } = event.systemProperties;
  assert.deepEqual(system, {
    'content-type': 'application/json',
    'content-encoding': 'utf-8',
    'message-id': 'm-1',
    'correlation-id': 'c/1',
    'user-id': 'u 1',
    'dt-subject': 'relay1',
    'iothub-connection-device-id': 'telling',
  });
  assert.match(generation, /^\d+$/);
  assert.equal(JSON.parse(method).type, 'sas');
  assert.ok(Date.parse(enqueued) >= before && Date.parse(enqueued) <= Date.now(), enqueued);
});

test('a body is bytes, and may be empty (H30)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('binary'));
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await client.sendEvent(new Message(bytes));
  await client.sendEvent(new Message(''));
  const [event, empty] = await sim.events('binary');
  assert.deepEqual(Buffer.from(event.bodyBase64, 'base64'), bytes);
  assert.equal(empty.body, '');
  assert.deepEqual(empty.properties, {});
});

test('messages arrive once and in order', async (t) => {
  const client = await device(t, sim, await sim.createDevice('steady'));
  await client.open();
  const numbers = Array.from({ length: 100 }, (_, i) => `${i}`);
  await Promise.all(numbers.map((n) => client.sendEvent(new Message(n))));
  assert.deepEqual((await sim.events('steady')).map(({ body }) => body), numbers);
});

test('sendEvent returns with the PUBACK (H26)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('waiting'));
  await client.open();
  await sim.inject({ kind: 'delay-puback', deviceId: 'waiting', delay: '500ms' });
  let returned = false;
  const sent = client.sendEvent(new Message('x')).then(() => { returned = true; });
  await until('the message', async () => (await sim.events('waiting')).length === 1);
  assert.equal(returned, false);
  await sent;
});

test('a message whose PUBACK was lost is sent and stored again (H26)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('repeating'));
  await client.open();
  await sim.inject({ kind: 'drop-puback', deviceId: 'repeating' });
  const sent = client.sendEvent(new Message('once more'));
  await until('the message', async () => (await sim.events('repeating')).length === 1);
  await sim.kick('repeating');
  await sent;
  assert.deepEqual((await sim.events('repeating')).map(({ body }) => body), ['once more', 'once more']);
});

test('262,144 bytes are taken, and one more ends the session (H27)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('large'));
  client.setRetryPolicy(never);
  const body = 'x'.repeat(262_144 - 5); // a property of five bytes fits
  const message = new Message(body);
  message.properties.add('size', '5');
  await client.sendEvent(message);
  message.properties.add('s', '');
  await assert.rejects(client.sendEvent(message), { name: 'NotConnectedError' });
  assert.match((await sim.ended('large')).end, /too large/);
  assert.equal((await sim.events('large')).length, 1);
});
