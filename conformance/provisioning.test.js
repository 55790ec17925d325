'use strict';

const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const { after, before, describe, test } = require('node:test');
const { Http } = require('azure-iot-provisioning-device-http');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { Hubsim } = require('./hubsim.js');
const { device, Message } = require('./sdk.js');

const contoso = 'contoso.azure-devices.net';
const fabrikam = 'fabrikam.azure-devices.net';

let sim;
before(async () => {
  sim = await Hubsim.start([contoso, fabrikam, 'localhost']);
  // The packages always ask for port 443, of Node's own agent. It takes them
  // to the port that hubsim has.
  https.globalAgent = new https.Agent({ port: sim.dpsPort, ca: fs.readFileSync(sim.caFile) });
  await sim.call('DELETE', 'enrollments/default'); // the group that any device could belong to
});
after(() => sim.stop());

// register asks the provisioning service for a hub.
function register(registrationId, key, { scopeId = sim.scopeId, payload } = {}) {
  const client = ProvisioningDeviceClient.create(
    'localhost', scopeId, new Http(), new SymmetricKeySecurityClient(registrationId, key));
  if (payload) client.setProvisioningPayload(payload);
  return client.register();
}

// derive makes a device's key from that of its group.
function derive(groupKey, registrationId) {
  return createHmac('sha256', Buffer.from(groupKey, 'base64')).update(registrationId).digest('base64');
}

// works connects as the device that was assigned, and sends a message.
async function works(t, { assignedHub, deviceId }, key) {
  const connectionString = `HostName=${assignedHub};DeviceId=${deviceId};SharedAccessKey=${key}`;
  const client = await device(t, sim, connectionString);
  await client.sendEvent(new Message('provisioned'));
  const event = (await sim.events(deviceId)).at(-1);
  assert.deepEqual([event.hub, event.body], [assignedHub, 'provisioned']);
}

// refused returns the HTTP answer that the packages wrap in their error.
async function refused(registration, name) {
  const err = await registration.then(() => assert.fail('registered'), (err) => err);
  assert.equal(err.name, name, `${err}`);
  return { status: err.response.statusCode, headers: err.response.headers, ...JSON.parse(err.responseBody ?? '{}') };
}

test('a device that nobody enrolled is not found (D07)', async () => {
  const key = await sim.createEnrollment('enrolled');
  const { status, errorCode } = await refused(register('nobody', key), 'Error');
  assert.deepEqual([status, errorCode], [404, 404201]);
});

// Most of the time here is spent waiting as Retry-After says.
describe('registering', { concurrency: true }, () => {
  test('a device registers with a key of its own and connects (D02 to D05, D11)', async (t) => {
    const key = await sim.createEnrollment('individual');
    const state = await register('individual', key, { payload: { modelId: 'dtmi:com:example:TasmotaBridge;1' } });
    assert.equal(state.registrationId, 'individual');
    assert.equal(state.status, 'assigned');
    assert.equal(state.substatus, 'initialAssignment');
    assert.equal(state.assignedHub, contoso);
    assert.equal(state.deviceId, 'individual');
    await works(t, state, key);
  });

  test('a device registers with a key derived from its group and connects (D05)', async (t) => {
    const groupKey = await sim.createEnrollment('group', { group: true, hub: fabrikam });
    for (const registrationId of ['b827eb000001', 'B827EB-2']) {
      const key = derive(groupKey, registrationId);
      const state = await register(registrationId, key);
      assert.equal(state.assignedHub, fabrikam);
      assert.equal(state.deviceId, registrationId);
      await works(t, state, key);
    }
  });

  test('a device that registers again gets the same hub (D09)', async (t) => {
    const key = await sim.createEnrollment('again');
    const first = await register('again', key);
    const second = await register('again', key);
    assert.deepEqual([second.assignedHub, second.deviceId], [first.assignedHub, first.deviceId]);
    assert.equal(second.createdDateTimeUtc, first.createdDateTimeUtc);
  });

  test('a device that was moved is told so, and admitted there only (D09)', async (t) => {
    const key = await sim.createEnrollment('moving');
    const before = await register('moving', key);
    await sim.call('POST', 'registrations/moving/reassign', { hub: fabrikam });
    const state = await register('moving', key);
    assert.deepEqual([before.assignedHub, state.assignedHub], [contoso, fabrikam]);
    assert.equal(state.substatus, 'deviceDataMigrated');
    await works(t, state, key);
    await assert.rejects(works(t, before, key), { name: 'UnauthorizedError' });
  });

  test('the payload is seen, and one is returned (D12)', async () => {
    const key = await sim.createEnrollment('modelled');
    await sim.call('POST', 'registrations/modelled/reassign', { payload: { site: 'A' } });
    const payload = { modelId: 'dtmi:com:example:TasmotaBridge;1' };
    const state = await register('modelled', key, { payload });
    assert.deepEqual(state.payload, { site: 'A' });
    const seen = (await sim.get('registrations')).find(({ registrationId }) => registrationId === 'modelled');
    assert.deepEqual([seen.payload, seen.modelId], [payload, payload.modelId]);
  });

  test('a wrong key and a wrong id scope are refused (D01, D02)', async () => {
    const key = await sim.createEnrollment('strict');
    const other = await sim.createEnrollment('stranger');
    for (const [used, options] of [[other, {}], [key, { scopeId: '0ne00000009' }]]) {
      const { status, errorCode } = await refused(register('strict', used, options), 'UnauthorizedError');
      assert.deepEqual([status, errorCode], [401, 401002]);
    }
  });

  test('a disabled enrollment is told so (D07)', async () => {
    const key = await sim.createEnrollment('switched-off');
    await sim.call('POST', 'enrollments/switched-off/disable');
    await assert.rejects(register('switched-off', key), { name: 'SyntaxError', message: 'status is disabled' }); // a status the packages do not know
  });

  test('a registration may fail (D06)', async () => {
    const key = await sim.createEnrollment('failing');
    await sim.inject({ kind: 'dps-fail', deviceId: 'failing', code: 400208 });
    const err = await register('failing', key).catch((err) => err);
    assert.equal(err.name, 'ProvisioningRegistrationFailedError');
    assert.equal(err.response.statusCode, 200);
    assert.equal(err.result.registrationState.errorCode, 400208);
  });

  // Over HTTPS these packages leave it to the application to try again.
  test('a busy or broken service is told as such (D08, D11)', async (t) => {
    const key = await sim.createEnrollment('throttled');
    for (const kind of ['dps-refuse-register', 'dps-refuse-poll']) {
      await sim.inject({ kind, deviceId: 'throttled', code: 429, delay: '7s' });
      const busy = await refused(register('throttled', key), 'ThrottlingError');
      assert.deepEqual([busy.status, busy.headers['retry-after']], [429, '7']);
      await sim.inject({ kind, deviceId: 'throttled', code: 500 });
      const broken = await refused(register('throttled', key), 'InternalServerError');
      assert.deepEqual([broken.status, broken.headers['retry-after']], [500, undefined]);
    }
    await works(t, await register('throttled', key), key);
  });
});
