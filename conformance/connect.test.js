'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { after, before, test } = require('node:test');
const { Hubsim, patience } = require('./hubsim.js');
const { device, deviceWithToken, never, persist, received, roundTrip, Message } = require('./sdk.js');

const hub = 'contoso.azure-devices.net';

let sim;
before(async () => { sim = await Hubsim.start([hub, 'fabrikam.azure-devices.net', 'localhost']); });
after(() => sim.stop());

test('a device with the right key is admitted (H03, H05, H08)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('admitted'));
  await client.open();
  const [login, ...more] = await sim.logins('admitted');
  assert.deepEqual(more, []);
  assert.equal(login.code, 0);
  assert.equal(login.host, hub);
  assert.equal(login.clean, false);
  assert.equal(login.sessionPresent, false);
  assert.equal(login.keepAlive, 180);
  assert.match(login.clientType, /^azure-iot-device\/1\.18\.4 \(node v/);
  const life = Date.parse(login.expiry) - Date.parse(login.time);
  assert.ok(life > 3590_000 && life <= 3600_000, `token of ${life} ms`);
  const [connect] = await sim.packets('admitted');
  assert.match(connect.detail, /user "contoso\.azure-devices\.net\/admitted\/\?api-version=2021-04-12&DeviceClientType=/);
});

test('a model id is understood as the packages write it, unencoded (H08)', async (t) => {
  const modelId = 'dtmi:com:example:TasmotaBridge;1';
  const client = await device(t, sim, await sim.createDevice('modelled'), { modelId });
  await client.sendEvent(new Message('x'));
  assert.equal((await sim.logins('modelled'))[0].modelId, modelId);
  assert.equal((await sim.events('modelled'))[0].systemProperties['dt-dataschema'], modelId);
});

test('an id with every allowed character is admitted (H06)', async (t) => {
  const id = "A-.%_*?!(),:=@$'z";
  const client = await device(t, sim, await sim.createDevice(id));
  await client.sendEvent(new Message('x'));
  assert.equal((await sim.events(id)).length, 1);
});

// refused tries to connect and checks that the packages report "not
// authorized", for that is all the hub says.
async function refused(deviceId, client) {
  await assert.rejects(client.open(), {
    name: 'UnauthorizedError', message: /Connection refused: Not authorized/,
  });
  assert.deepEqual((await sim.logins(deviceId, 1)).map(({ code }) => code), [5]);
}

test('the secondary key admits as well (contract, section 2.5)', async (t) => {
  await sim.createDevice('second');
  const { secondaryConnectionString } = await sim.get('devices/second/connection-string');
  await sim.call('POST', 'devices/second/keys/primary'); // the other one is made anew
  const client = await device(t, sim, secondaryConnectionString);
  await client.open();
  assert.equal((await sim.logins('second'))[0].auth, 'secondary-key');
});

test('a wrong key is refused (H05)', async (t) => {
  const right = await sim.createDevice('wrong-key');
  const other = await sim.createDevice('other-key');
  await refused('wrong-key', await device(t, sim, right.replace(/SharedAccessKey=.*/, /SharedAccessKey=.*/.exec(other)[0])));
});

test('an unknown device is refused (H05)', async (t) => {
  const known = await sim.createDevice('known');
  await refused('unknown', await device(t, sim, known.replace('DeviceId=known', 'DeviceId=unknown')));
});

test('a device of another hub is refused (H05)', async (t) => {
  const right = await sim.createDevice('elsewhere', 'fabrikam.azure-devices.net');
  await refused('elsewhere', await device(t, sim, right.replace('fabrikam', 'contoso')));
});

test('a disabled device is refused (H05)', async (t) => {
  const connectionString = await sim.createDevice('disabled');
  await sim.disable('disabled');
  await refused('disabled', await device(t, sim, connectionString));
});

test('an expired token is refused (H05, H11)', async (t) => {
  const past = Math.floor(Date.now() / 1000) - 1;
  await refused('expired', await deviceWithToken(t, sim, await sim.createDevice('expired'), past));
});

test('a device that does not trust the CA does not connect (H01, T03)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('distrustful'), { ca: '' });
  await assert.rejects(client.open(), /self-signed certificate in certificate chain/);
  assert.deepEqual(await sim.logins('distrustful'), []);
});

test('a certificate for another name is noticed (T03)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('careful'));
  await sim.inject({ kind: 'tls-wrong-name' });
  await assert.rejects(client.open(), /does not match certificate's altnames/);
  assert.deepEqual(await sim.logins('careful'), []);
});

test('close sends DISCONNECT', async (t) => {
  const client = await device(t, sim, await sim.createDevice('leaving'));
  await client.open();
  await client.close();
  await sim.ended('leaving');
  assert.equal((await sim.packets('leaving')).at(-1).type, 'DISCONNECT');
});

// fragile opens a client that does not mend its connection, and returns an
// array of the promise that it is lost.
async function fragile(client) {
  client.setRetryPolicy(never);
  const lost = once(client, 'disconnect', { signal: AbortSignal.timeout(patience) });
  await client.open();
  return [lost];
}

test('a second connection of a device ends the first (H09)', async (t) => {
  const connectionString = await sim.createDevice('twice');
  const [lost] = await fragile(await device(t, sim, connectionString));
  const second = await device(t, sim, connectionString);
  await second.open();
  await lost;
  const [first, last] = await sim.logins('twice');
  assert.match(first.end, /newer connection/);
  assert.equal(last.end, undefined);
  await second.sendEvent(new Message('still here'));
});

test('a device disabled while connected is cut off (H13)', async (t) => {
  const [lost] = await fragile(await device(t, sim, await sim.createDevice('cut-off')));
  await sim.disable('cut-off');
  await lost;
});

test('the end of the token ends the session, and it admits no more (H11)', async (t) => {
  const expiry = Math.ceil(Date.now() / 1000) + 2;
  const client = await deviceWithToken(t, sim, await sim.createDevice('lapsed'), expiry);
  const [lost] = await fragile(client);
  await lost;
  const login = await sim.ended('lapsed');
  const late = Date.parse(login.ended) - expiry * 1000;
  assert.ok(late >= 0 && late < 3000, `ended ${late} ms after the token`);
  await assert.rejects(client.sendEvent(new Message('x')), { name: 'UnauthorizedError' });
  assert.deepEqual((await sim.logins('lapsed', 2)).map(({ code }) => code), [0, 5]);
});

test('a used-up quota lets nobody connect (H50)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('poor'));
  await sim.call('PUT', 'quota', { limit: 1, meter: 512 });
  t.after(() => sim.call('PUT', 'quota', {}));
  await sim.call('POST', 'quota/spend', { hub, messages: 1 });
  await assert.rejects(client.open(), { name: 'UnauthorizedError' });
  assert.match((await sim.logins('poor'))[0].why, /^403002/);
});

test('the packages come back after the hub was unavailable (H12)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('patient'));
  persist(client);
  const messages = received(client);
  await roundTrip(client);
  await sim.inject({ kind: 'refuse-connect', deviceId: 'patient', code: 3, count: 2 });
  await sim.kick('patient');
  await sim.logins('patient', 4);
  await sim.send('patient', { body: 'welcome back' });
  await sim.completed('patient');
  assert.deepEqual((await sim.logins('patient')).map(({ code }) => code), [0, 3, 3, 0]);
  assert.deepEqual(messages.map(({ data }) => `${data}`), ['welcome back']);
});
